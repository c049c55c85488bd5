"""How far two sortings of one recording agree, by SpikeInterface's comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

DELTA_TIME_MS = 0.4
# What SpikeInterface takes as a match.
MIN_AGREEMENT = 0.5


@dataclass(frozen=True)
class Agreement:
    """Agreement of two sortings A and B, or of a sorting A with the truth B.

    Attributes:
        matrix: `DataFrame` of spikes in both over spikes in either, rows the units of B and columns those of A, matched
            units along the diagonal.
        units: `DataFrame`, one row a unit of B: `unit`, `num_spikes`, `matched_unit` (of A; None below 0.5),
            `agreement` (accuracy, where B is the truth), `precision` (share of A's spikes that are in B), `recall`
            (share of B's spikes that are in A).
        unmatched: units of A that match none of B.
        is_truth: whether B is the truth.
        names: of A and B.
    """

    matrix: pd.DataFrame
    units: pd.DataFrame
    unmatched: list
    is_truth: bool
    names: tuple[str, str]

    def sentences(self) -> list[str]:
        """What the comparison says, in plain sentences."""
        first, second = self.names
        empty = [name for name, number in ((first, self.matrix.shape[1]), (second, len(self.units))) if number == 0]
        if empty:
            return [
                f"{' and '.join(empty)} {'has' if len(empty) == 1 else 'have'} no units; there is nothing to compare."
            ]
        found = int(self.units["matched_unit"].notna().sum())
        good = int((self.units["agreement"] >= 0.8).sum())
        measure = "accuracy" if self.is_truth else "agreement"
        sentences = [
            f"{found} of {len(self.units)} units of {second} are in {first}, {good} with {measure} of at least 0.8."
        ]
        missed = self.units.loc[self.units["matched_unit"].isna(), "unit"].astype(str).tolist()
        if missed:
            sentences.append(f"Units of {second} that {first} missed: {', '.join(missed)}.")
        if self.unmatched:
            named = ", ".join(str(unit) for unit in self.unmatched)
            sentences.append(f"Units of {first} that match none of {second}: {named}.")
        return sentences


def compare(
    first: BaseSorting, second: BaseSorting, *, is_truth: bool = False, names: tuple[str, str] = ("A", "B")
) -> Agreement:
    """Compare two sortings of one recording; spikes within 0.4 ms coincide.

    Args:
        first: sorting A.
        second: sorting B, or the true spikes.
        is_truth: B is the truth.
        names: of both, for sentences.

    Raises:
        ValueError: different numbers of segments or sampling rates: they are not of one recording.
    """
    from spikeinterface.comparison import compare_two_sorters

    if first.get_num_segments() != second.get_num_segments():
        counts = f"{names[0]} has {first.get_num_segments()} segments and {names[1]} has {second.get_num_segments()}"
        raise ValueError(f"{counts}; compare sortings of one recording.")
    if not np.isclose(first.sampling_frequency, second.sampling_frequency):
        raise ValueError(
            f"{names[0]} counts samples at {first.sampling_frequency:g} Hz and {names[1]} at"
            f" {second.sampling_frequency:g} Hz; compare sortings of one recording."
        )
    num_first, num_second = (sorting.count_num_spikes_per_unit(outputs="dict") for sorting in (first, second))
    if len(num_first) and len(num_second):
        comparison = compare_two_sorters(first, second, delta_time=DELTA_TIME_MS)
        scores, in_both = comparison.agreement_scores.T, comparison.match_event_count.T
    else:
        # SpikeInterface cannot compare with nothing.
        scores = in_both = pd.DataFrame(0.0, index=list(num_second), columns=list(num_first))
    values = scores.to_numpy(dtype=float)
    matched = {
        scores.index[row]: scores.columns[column]
        for row, column in zip(*linear_sum_assignment(-values))
        if values[row, column] >= MIN_AGREEMENT
    }
    rows = []
    for unit, count in num_second.items():
        match = matched.get(unit)
        both = 0 if match is None else float(in_both.loc[unit, match])
        rows.append(
            {
                "unit": unit,
                "num_spikes": int(count),
                "matched_unit": match,
                "agreement": 0.0 if match is None else round(float(scores.loc[unit, match]), 4),
                "precision": 0.0 if match is None else round(both / max(num_first[match], 1), 4),
                "recall": round(both / max(count, 1), 4),
            }
        )
    columns = ["unit", "num_spikes", "matched_unit", "agreement", "precision", "recall"]
    units = pd.DataFrame(rows, columns=columns)
    # Numbers with a gap would become floats.
    units["matched_unit"] = pd.Series([row["matched_unit"] for row in rows], dtype=object)
    units = units.sort_values("agreement", ascending=False, ignore_index=True, kind="stable")
    taken = set(matched.values())
    unmatched = [unit for unit in num_first if unit not in taken]
    in_order = [matched[unit] for unit in units["unit"] if unit in matched] + unmatched
    return Agreement(scores.loc[list(units["unit"]), in_order], units, unmatched, is_truth, names)
