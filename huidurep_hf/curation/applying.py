"""A result and decisions about its units -> another result."""

from __future__ import annotations

import dataclasses
import getpass
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np

from .decisions import labels_of

if TYPE_CHECKING:
    from spikeinterface.curation.curation_model import Curation

    from ..sorting.output.result import SortingResult

REMOVED = "removed"


def apply_curation(result: SortingResult, curation: Curation, *, source: str = "") -> SortingResult:
    """Apply decisions: labels, removed units, merged units. The result that is given stays as it is.

    A merged unit takes the place of its first; its template is the average over the spikes of all, and every figure of
    the table is computed again. Spikes keep their probability, a lower bound for that of the merged unit. A unit that
    is labelled "noise" is removed. Units are numbered anew; `provenance["curations"]` says which were which.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        curation: of its units; see [`~huidurep_hf.curation.decisions.make_curation`].
        source: where the decisions are from, for the provenance.
    """
    labels = labels_of(curation)
    removed = set(curation.removed or ()) | {unit for unit, label in labels.items() if label == "noise"}
    groups = [[unit] for unit in range(len(result.templates))]
    for merge in curation.merges or ():
        first, *others = sorted(merge.unit_ids)
        groups[first] += others
        for other in others:
            groups[other] = []
    groups = [group for group in groups if group and not set(group) & removed]
    number = np.full(len(result.templates) + 1, -1)
    for new, group in enumerate(groups):
        number[group] = new

    before = result.events["unit"].to_numpy()
    units = number[before]
    is_removed = (before >= 0) & (units < 0)
    outcome = result.events["outcome"]
    if is_removed.any():
        outcome = outcome.cat.add_categories([REMOVED][: REMOVED not in outcome.cat.categories])
        outcome = outcome.where(~is_removed, REMOVED)
    probability = np.where(is_removed, 0, result.events["probability"]).astype("float32")
    events = result.events.assign(unit=units.astype("int32"), probability=probability, outcome=outcome)

    counts = np.bincount(before[before >= 0], minlength=len(result.templates))
    merged = [_merge(result, group, counts) for group in groups]
    shape = (0, *result.templates.shape[1:])
    earlier = result.provenance.get("manual_labels", {})
    kept = {
        new: earlier[str(group[0])] for new, group in enumerate(groups) if len(group) == 1 and str(group[0]) in earlier
    }
    new_labels = kept | {new: labels[unit] for new, group in enumerate(groups) for unit in group if unit in labels}
    entry = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "by": _user(),
        "source": source,
        "decisions": curation.model_dump(mode="json", exclude={"supported_versions"}),
        "units_before": groups,
    }
    outcomes = {str(name): int(count) for name, count in events["outcome"].value_counts().items() if count}
    tables = {
        field.name: getattr(result, field.name) for field in dataclasses.fields(result) if field.name != "sorting"
    }
    tables["events"] = events
    tables["templates"] = np.stack([template for template, _ in merged]) if merged else np.zeros(shape, "float32")
    tables["spread"] = np.stack([spread for _, spread in merged]) if merged else np.zeros(shape, "float32")
    if result.fingerprints is not None:
        # That of the member of most spikes stands for a merged unit; spikes of all are not at hand.
        largest = np.array([group[counts[group].argmax()] for group in groups], dtype="int64")
        tables["fingerprints"] = result.fingerprints.chosen(largest).renumbered(np.arange(len(groups)))
    tables["provenance"] = {
        **result.provenance,
        "counts": {"units": len(groups), "events": len(events), **outcomes},
        "manual_labels": {str(unit): label for unit, label in sorted(new_labels.items())},
        "curations": [*result.provenance.get("curations", []), entry],
    }
    return type(result).from_tables(**tables)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have a number and no name.
        return str(os.getuid())


def _merge(result: SortingResult, group: list[int], counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Template and spread of all spikes of some units, by the mean and the variance of a mixture."""
    if len(group) == 1:
        return result.templates[group[0]], result.spread[group[0]]
    weights = (counts[group] / counts[group].sum())[:, None, None]
    template = (weights * result.templates[group]).sum(axis=0)
    variance = (weights * (result.spread[group] ** 2 + (result.templates[group] - template) ** 2)).sum(axis=0)
    return template.astype("float32"), np.sqrt(variance).astype("float32")
