"""SpikeInterface's comparison of templates of several sessions, at its defaults: cosine similarity above 0.8."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..mean_waveforms import filtered
from ..method_interface import tracked_from_matrices

if TYPE_CHECKING:
    from ..method_interface import Session, Tracked

PACKAGE = "spikeinterface"


def track(sessions: list[Session], folder: Path, model: str) -> Tracked:
    """Templates of sorting analyzers, compared on the same contacts. It has no probabilities."""
    from spikeinterface.comparison import compare_multiple_templates
    from spikeinterface.core import create_sorting_analyzer

    analyzers = []
    for session in sessions:
        analyzer = create_sorting_analyzer(session.sorting, filtered(session.recording))
        analyzer.compute(["random_spikes", "templates"])
        analyzers.append(analyzer)
    comparison = compare_multiple_templates(analyzers)
    unit_ids = [list(session.sorting.unit_ids) for session in sessions]
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in unit_ids])])
    place = {
        (name, unit): offset + index
        for name, ids, offset in zip(comparison.name_list, unit_ids, offsets)
        for index, unit in enumerate(ids)
    }
    scores, is_match = np.zeros((offsets[-1], offsets[-1])), np.zeros((offsets[-1], offsets[-1]), dtype=bool)
    for (first, second), pair in comparison.comparisons.items():
        rows, columns = (
            [place[name, unit] for unit in units]
            for name, units in ((first, pair.agreement_scores.index), (second, pair.agreement_scores.columns))
        )
        scores[np.ix_(rows, columns)] = pair.agreement_scores.to_numpy()
        known = set(pair.agreement_scores.columns)
        for unit, match in pair.hungarian_match_12.items():
            if match in known:
                is_match[place[first, unit], place[second, match]] = True
    numbers = np.arange(offsets[-1])
    for new_unit, described in comparison.units.items():
        for name, unit in described["unit_ids"].items():
            numbers[place[name, unit]] = offsets[-1] + new_unit
    return tracked_from_matrices(unit_ids, scores, is_match, numbers)
