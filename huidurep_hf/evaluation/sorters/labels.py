"""How often a unit of each label is a neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ..records.tables import markdown_table
from .ground_truth import DELTA_TIME_MS

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

    from ...sorting.output.result import SortingResult

NAMES = {"good": "good", "mua": "multi-unit", "noise": "noise"}
WELL, HALF = 0.8, 0.5


def judge_units(result: SortingResult, truth: BaseSorting) -> pd.DataFrame:
    """Agreement of each unit with the neuron that it agrees with most.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`], with its noise units kept.
        truth: SpikeInterface sorting of the same recording.

    Returns:
        `pandas.DataFrame` with `label`, `agreement` (spikes in both over spikes in either) and `is_best`: no other
        unit agrees more with that neuron.
    """
    from spikeinterface.comparison import compare_sorter_to_ground_truth

    units = result.units[["unit", "label"]].copy()
    if len(units) == 0:
        return units.assign(agreement=[], is_best=[])[["label", "agreement", "is_best"]]
    scores = compare_sorter_to_ground_truth(truth, result.sorting, delta_time=DELTA_TIME_MS).agreement_scores
    scores = scores[list(units["unit"])]
    units["agreement"] = scores.max(axis=0).to_numpy()
    best = scores.idxmax(axis=1)
    units["is_best"] = [best[scores[unit].idxmax()] == unit for unit in units["unit"]]
    return units[["label", "agreement", "is_best"]].reset_index(drop=True)


def label_table(judged: pd.DataFrame) -> str:
    """Markdown: units of each label, by how far they agree with a neuron.

    Args:
        judged: rows of [`judge_units`] of all recordings.
    """
    lines = []
    for label, name in NAMES.items():
        own = judged[judged["label"] == label]
        is_neuron = own["is_best"].astype(bool) & (own["agreement"] >= HALF)
        well = (is_neuron & (own["agreement"] >= WELL)).sum()
        share = f"{100 * is_neuron.mean():.0f} %" if len(own) else "–"
        lines.append([name, len(own), well, is_neuron.sum() - well, len(own) - is_neuron.sum(), share])
    header = ["label", "units", "agreement ≥ 0.8", "0.5 to 0.8", "of no neuron, or a part", "a neuron"]
    return markdown_table(header, [[str(cell) for cell in line] for line in lines])
