"""Whether the sorter's probabilities are true: of spikes given 0.9, nine in ten should be of the unit's neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..records.tables import markdown_table
from .ground_truth import DELTA_TIME_MS

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

    from ...sorting.output.result import SortingResult

EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


def judge_spikes(result: SortingResult, truth: BaseSorting) -> pd.DataFrame:
    """Tell of each spike of a result whether a spike of its unit's neuron is there.

    A unit's neuron is the one that it agrees with most. A unit of no neuron has no right spikes.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        truth: SpikeInterface sorting of the same recording.

    Returns:
        `pandas.DataFrame` with `probability` and `is_right`, one row per spike of a unit.
    """
    from spikeinterface.comparison import compare_sorter_to_ground_truth

    if len(result.sorting.unit_ids) == 0:
        return pd.DataFrame({"probability": np.zeros(0), "is_right": np.zeros(0, dtype=bool)})
    agreement = compare_sorter_to_ground_truth(truth, result.sorting, delta_time=DELTA_TIME_MS).agreement_scores
    max_gap = DELTA_TIME_MS * 1e-3 * result.sorting.sampling_frequency
    judged = []
    for (unit, segment), events in result.events[result.events["unit"] >= 0].groupby(["unit", "segment"]):
        neuron = agreement[unit].idxmax()
        is_right = np.zeros(len(events), dtype=bool)
        if agreement.loc[neuron, unit] > 0:
            spikes = np.sort(truth.get_unit_spike_train(neuron, segment_index=int(segment))).astype("float64")
            spikes = np.concatenate([[-np.inf], spikes, [np.inf]])
            samples = events["sample"].to_numpy()
            after = np.searchsorted(spikes, samples)
            is_right = np.minimum(spikes[after] - samples, samples - spikes[after - 1]) <= max_gap
        judged.append(pd.DataFrame({"probability": events["probability"].to_numpy(), "is_right": is_right}))
    return pd.concat(judged, ignore_index=True)


def calibration_table(judged: pd.DataFrame) -> str:
    """Markdown: spikes by their probability, with its mean and the share of them that are right."""
    bins = np.clip(np.digitize(judged["probability"], EDGES[1:-1]), 0, len(EDGES) - 2)
    lines = []
    for index, (low, high) in enumerate(zip(EDGES[:-1], EDGES[1:])):
        inside = judged[bins == index]
        if len(inside):
            shares = (f"{inside[name].mean():.3f}" for name in ("probability", "is_right"))
            lines.append([f"{low:g} to {high:g}", *shares, f"{len(inside):,}"])
    return markdown_table(["probability", "mean probability", "right", "spikes"], lines)
