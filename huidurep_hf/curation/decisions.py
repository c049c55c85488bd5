"""Decisions about units: from a file of SpikeInterface or phy, or one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from spikeinterface.curation.curation_model import Curation

LABELS = ("good", "mua", "noise")
# The name that spikeinterface-gui gives to the label of a unit's quality.
QUALITY = "quality"
# What phy calls a cluster that nobody looked at.
UNDECIDED = "unsorted"
# Of each spike in phy's folder: its cluster now, and that of the export, which is the unit.
CLUSTERS_FILE, TEMPLATES_FILE = "spike_clusters.npy", "spike_templates.npy"


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
    _refuse_none(num_units)
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


def read_curation(path: str | Path, num_spikes: np.ndarray) -> Curation:
    """Read a curation file of SpikeInterface (`.json`) or phy's `cluster_group.tsv`.

    Merges that were made in phy are read from `spike_clusters.npy` and `spike_templates.npy`, if they lie beside.

    Args:
        path: of the file.
        num_spikes: `(num_units,)` of the units of the result.

    Raises:
        ValueError: the file is of another format, about other units, or splits units.
    """
    path, num_units = Path(path), len(num_spikes)
    _refuse_none(num_units)
    if path.suffix == ".tsv":
        return _read_phy(path, num_spikes)
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        given = None
    if not isinstance(given, dict) or "unit_ids" not in given:
        raise ValueError(
            f"{path} is no curation; give a .json that spikeinterface-gui has saved, or phy's cluster_group.tsv."
        )
    curation = _checked(given, f"The curation {path}")
    if len(curation.unit_ids) != num_units or set(curation.unit_ids) != set(range(num_units)):
        raise ValueError(
            f"{path} is about {len(curation.unit_ids)} units of another sorting; the result has {num_units}."
        )
    if curation.splits:
        raise ValueError(f"{path} splits units, which needs the traces; sort again with a lower min_valley instead.")
    return curation


def _read_phy(path: Path, num_spikes: np.ndarray) -> Curation:
    num_units = len(num_spikes)
    try:
        table = pd.read_csv(path, sep="\t", dtype={"group": str})
    except ValueError:
        table = pd.DataFrame()
    if not {"cluster_id", "group"} <= set(table.columns) or table["cluster_id"].dtype.kind != "i":
        raise ValueError(f"{path} has no columns cluster_id (numbers) and group; give phy's cluster_group.tsv.")
    groups = {
        cluster: group
        for cluster, group in zip(table["cluster_id"].tolist(), table["group"].fillna("").tolist())
        if group not in ("", UNDECIDED)
    }
    units_of = _units_of_clusters(path.parent, num_spikes)
    if units_of is None:
        absent = sorted(set(table["cluster_id"]) - set(range(num_units)))
        if absent:
            raise ValueError(
                f"{path} names cluster {absent[0]}, but the result has units 0 to {num_units - 1}; give the file in"
                f" phy's folder, where {CLUSTERS_FILE} and {TEMPLATES_FILE} say what was merged."
            )
        return make_curation(num_units, labels=groups)
    # The table also has clusters that are gone. The label of a merged unit is that of any one of its parts.
    labels = {units_of[cluster][0]: group for cluster, group in groups.items() if cluster in units_of}
    return make_curation(num_units, merges=[units for units in units_of.values() if len(units) > 1], labels=labels)


def _units_of_clusters(folder: Path, num_spikes: np.ndarray) -> dict[int, list[int]] | None:
    """Units that each cluster of phy consists of; `None` where phy's folder does not say."""
    paths = [folder / name for name in (TEMPLATES_FILE, CLUSTERS_FILE)]
    if not all(path.is_file() for path in paths):
        return None
    units, clusters = (_read_numbers(path) for path in paths)
    # A sort again has other spikes, also where it has as many units.
    counts = np.bincount(units, minlength=len(num_spikes))
    if len(units) != len(clusters) or not np.array_equal(counts, num_spikes):
        raise ValueError(f"{folder} is the phy folder of another result; give that of this one.")
    units_of = {}
    for unit, cluster in np.unique(np.stack([units, clusters]), axis=1).T.tolist():
        units_of.setdefault(cluster, []).append(unit)
    in_clusters = sorted(unit for units in units_of.values() for unit in units)
    split = [unit for unit, following in zip(in_clusters[:-1], in_clusters[1:]) if unit == following]
    if split:
        raise ValueError(
            f"{folder} splits unit {split[0]}, which needs the traces; undo that in phy, or sort again with a lower"
            " min_valley instead."
        )
    return units_of


def _read_numbers(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        values = None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
        raise ValueError(f"{path} holds no whole numbers; export the result to phy again.")
    return values.ravel().astype("int64")


def labels_of(curation: Curation) -> dict[int, str]:
    """Quality of each unit that has been labelled: "good", "mua" or "noise"."""
    labels = {}
    for label in curation.manual_labels or ():
        for value in label.labels.get(QUALITY, ())[:1]:
            if value.lower() not in LABELS:
                raise ValueError(f"Got label {value!r} for unit {label.unit_id}; give one of {', '.join(LABELS)}.")
            labels[int(label.unit_id)] = value.lower()
    return labels


def _refuse_none(num_units: int) -> None:
    if num_units == 0:
        raise ValueError("The result has no units; there is nothing to curate.")


def _checked(given: dict, name: str = "The curation") -> Curation:
    from pydantic import ValidationError
    from spikeinterface.curation.curation_model import Curation

    try:
        curation = Curation(**given)
    except ValidationError as error:
        raise ValueError(f"{name} is not valid: {error.errors()[0]['msg']}.") from None
    except KeyError as error:
        # SpikeInterface looks for what the format of another version has.
        raise ValueError(f"{name} is not valid: it lacks {error}.") from None
    for merge in curation.merges or ():
        repeated = [unit for unit in merge.unit_ids if merge.unit_ids.count(unit) > 1]
        if repeated:
            raise ValueError(f"{name} merges unit {repeated[0]} with itself; name each unit of a merge once.")
    return curation
