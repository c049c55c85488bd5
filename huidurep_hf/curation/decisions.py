"""Decisions about units: from a file of SpikeInterface or phy, or one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from spikeinterface.curation.curation_model import Curation

LABELS = ("good", "mua", "noise")
# The name that spikeinterface-gui gives to the label of a unit's quality.
QUALITY = "quality"
# What phy calls a cluster that nobody looked at.
UNDECIDED = "unsorted"


def make_curation(
    num_units: int,
    *,
    merges: Sequence[Sequence[int]] = (),
    removed: Sequence[int] = (),
    labels: dict[int, str] | None = None,
) -> Curation:
    """Decisions one by one, checked by SpikeInterface.

    Args:
        num_units: of the result; its units are numbered from 0.
        merges: groups of units that are one.
        removed: units to remove.
        labels: unit -> "good", "mua" or "noise".

    Raises:
        ValueError: units that are not there, a unit in two groups or both merged and removed, an unknown label.
    """
    labels = labels or {}
    for unit in [*removed, *labels, *(unit for group in merges for unit in group)]:
        if not 0 <= unit < num_units:
            raise ValueError(f"Got unit {unit} to curate, but the result has units 0 to {num_units - 1}.")
    for unit, label in labels.items():
        if label not in LABELS:
            raise ValueError(f"Got label {label!r} for unit {unit}; give one of {', '.join(LABELS)}.")
    return _checked(
        {
            "format_version": "2",
            "unit_ids": list(range(num_units)),
            "label_definitions": {QUALITY: {"label_options": list(LABELS), "exclusive": True}},
            "manual_labels": [{"unit_id": unit, "labels": {QUALITY: [label]}} for unit, label in labels.items()],
            "merges": [{"unit_ids": list(group)} for group in merges],
            "removed": list(removed),
            "splits": [],
        }
    )


def read_curation(path: str | Path, num_units: int) -> Curation:
    """Read a curation file of SpikeInterface (`.json`) or phy's `cluster_group.tsv`.

    Args:
        path: of the file.
        num_units: of the result.

    Raises:
        ValueError: the file is of another format, or about other units.
    """
    path = Path(path)
    if path.suffix == ".tsv":
        table = pd.read_csv(path, sep="\t")
        if not {"cluster_id", "group"} <= set(table.columns):
            raise ValueError(f"{path} has no columns cluster_id and group; give phy's cluster_group.tsv.")
        groups = dict(zip(table["cluster_id"].tolist(), table["group"].tolist()))
        return make_curation(num_units, labels={unit: label for unit, label in groups.items() if label != UNDECIDED})
    curation = _checked(json.loads(path.read_text(encoding="utf-8")))
    if sorted(curation.unit_ids) != list(range(num_units)):
        raise ValueError(
            f"{path} is about {len(curation.unit_ids)} units of another sorting; the result has {num_units}."
        )
    if curation.splits:
        raise ValueError(f"{path} splits units, which needs the traces; sort again with a lower min_valley instead.")
    return curation


def labels_of(curation: Curation) -> dict[int, str]:
    """Quality of each unit that has been labelled: "good", "mua" or "noise"."""
    labels = {}
    for label in curation.manual_labels or ():
        for value in label.labels.get(QUALITY, ())[:1]:
            if value.lower() not in LABELS:
                raise ValueError(f"Got label {value!r} for unit {label.unit_id}; give one of {', '.join(LABELS)}.")
            labels[int(label.unit_id)] = value.lower()
    return labels


def _checked(given: dict) -> Curation:
    from pydantic import ValidationError
    from spikeinterface.curation.curation_model import Curation

    try:
        return Curation(**given)
    except ValidationError as error:
        raise ValueError(f"The curation is not valid: {error.errors()[0]['msg']}.") from None
