"""What a checkpoint that training goes on from was itself trained on."""

import json
from pathlib import Path

from transformers.utils import cached_file

from ..hub.checkpoints import resolve_checkpoint

TRAINING_FILE = "training.json"
UNKNOWN_DATA = {"licenses": ["unknown"], "neurons": ["unknown"], "probes": ["unknown"]}


def read_record(checkpoint: str) -> dict | None:
    """Return a checkpoint's training record, None if it has none that could be one.

    Args:
        checkpoint: folder or hub name.
    """
    path = cached_file(
        resolve_checkpoint(checkpoint),
        TRAINING_FILE,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    record = None if path is None else json.loads(Path(path).read_text())
    return record if isinstance(record, dict) else None


def data_of(record: dict | None) -> dict:
    """Return what a training record says of its data, as `describe_data` gives it.

    Returns:
        `licenses`, `neurons` and `probes`, lists of names; each is `["unknown"]` where there is no record.
    """
    data = (record or {}).get("data", {})
    return {name: data.get(name, unknown) for name, unknown in UNKNOWN_DATA.items()}


def join_data(first: dict, second: dict) -> dict:
    """Return the record of weights trained on both data: every name that either holds, sorted."""
    return {name: sorted({*first[name], *second[name]}) for name in UNKNOWN_DATA}
