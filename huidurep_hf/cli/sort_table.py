"""Sort the recordings of a table, one after the other, going on past one that fails."""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger("huidurep_hf")

FAILURES_FILE = "failures.json"
# What a row may state beside the recording: as the flags of `huidurep sort`.
LAYOUT_COLUMNS = (
    "probe",
    "channels",
    "stream",
    "format",
    "sampling_rate",
    "num_channels",
    "dtype",
    "gain_uv",
    "offset_uv",
)


def sort_table(
    path: Path, output: Path, sort_one: Callable[[Namespace, Path], None], *, overwrite: bool = False
) -> dict[str, str]:
    """Sort each recording of a table into a folder of its own.

    Args:
        path: table that `datasets` reads: .parquet, .csv or .jsonl, with the column `recording` (a path) and, if
            wanted, `name` (of the result's folder) and the layout (`probe`, `sampling_rate`, `num_channels`, ...).
        output: folder of the results, `output/name` each.
        sort_one: sorts a row, given as options of the command line, into a folder.
        overwrite: sort also what has a result there; without it that is left as it is.

    Returns:
        Name -> message of the recordings that failed, also written to `failures.json`.

    Raises:
        ValueError: not such a table, or two rows of one name.
    """
    rows = _read(path)
    names = [str(row.get("name") or Path(str(row["recording"])).stem) for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has several rows of the name {twice[0]!r}; give a column `name` of different names.")
    output.mkdir(parents=True, exist_ok=True)
    failed: dict[str, str] = {}
    # What an earlier run could not sort may be there now.
    (output / FAILURES_FILE).write_text(json.dumps(failed))
    for number, (name, row) in enumerate(zip(names, rows), start=1):
        if (output / name).exists() and not overwrite:
            logger.info("%d of %d, %s: there already", number, len(rows), name)
            continue
        logger.info("%d of %d, %s", number, len(rows), name)
        options = Namespace(recording=str(row["recording"]), **{key: row.get(key) for key in LAYOUT_COLUMNS})
        try:
            sort_one(options, output / name)
        except Exception as error:
            # Readers and devices fail in many ways, and the other recordings are to be sorted.
            failed[name] = " ".join(str(error).split()) or type(error).__name__
            logger.warning("%s failed: %s", name, failed[name])
            logger.debug("", exc_info=True)
            (output / FAILURES_FILE).write_text(json.dumps(failed, indent=2))
    return failed


def _read(path: Path) -> list[dict]:
    from datasets import load_dataset

    formats = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json"}
    if path.suffix not in formats or not path.is_file():
        raise ValueError(f"{path} is no table: a file of .parquet, .csv or .jsonl is needed.")
    table = load_dataset(formats[path.suffix], data_files=str(path), split="train")
    if "recording" not in table.column_names:
        raise ValueError(f"{path} has no column `recording`; it has {', '.join(table.column_names)}.")
    return [dict(row) for row in table]
