"""How often a unit of each label is a neuron, for our sorter and its peers, on development recordings."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..records.saved_recording import save_recording
from ..records.tables import markdown_table
from .ground_truth import DELTA_TIME_MS
from .peers import OUR_SORTER, run_in_process

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

    from ...simulation.recordings.injection import GroundTruthRecording
    from ...sorting.sorter import SpikeSorter

logger = logging.getLogger(__name__)

NO_LABEL = "none"
OUR_LABELS = {"good": "good", "mua": "multi-unit", "noise": "noise"}
WELL, HALF = 0.8, 0.5
CONDITIONS = ("tetrode", "silicon32", "silicon32_noisy", "silicon32_crowd")
"""Development conditions; the last has a crowd of far neurons."""


def judge_sorters(
    sorter: SpikeSorter, peers: Sequence[str], conditions: Sequence[str], seeds: Sequence[int]
) -> pd.DataFrame:
    """Sort development recordings, and say of each unit how far it is a neuron.

    Args:
        sorter: ours; units that it takes for noise are kept.
        peers: names of other sorters, at their defaults; one that fails is named in the log.
        conditions: of `CONDITIONS`.
        seeds: of the recordings.

    Returns:
        `pandas.DataFrame`, a row a unit: `sorter` and the columns of [`judge_units`].

    Raises:
        ValueError: an unknown condition.
    """
    unknown = sorted(set(conditions) - set(CONDITIONS))
    if unknown:
        raise ValueError(f"Unknown conditions {unknown}; there are {list(CONDITIONS)}.")
    judged = []
    for condition in conditions:
        for seed in seeds:
            truth = _generate(condition, seed)
            # A unit that is a neuron of the crowd is no false one.
            neurons = [some for some in (truth.sorting, truth.far_sorting) if some is not None]
            result = sorter.sort(truth.recording, keep_noise=True)
            judged.append(judge_units(result.sorting, list(result.units["label"]), neurons).assign(sorter=OUR_SORTER))
            for peer, sorting in _sort_with_peers(peers, truth):
                labels = [NO_LABEL] * len(sorting.unit_ids)
                judged.append(judge_units(sorting, labels, neurons).assign(sorter=peer))
    return pd.concat(judged, ignore_index=True)


def judge_units(sorting: BaseSorting, labels: Sequence[str], neurons: Sequence[BaseSorting]) -> pd.DataFrame:
    """Agreement of each unit with the neuron that it agrees with most.

    Args:
        sorting: SpikeInterface sorting.
        labels: of its units, in their order.
        neurons: SpikeInterface sortings of true spikes, of which each holds neurons of its own.

    Returns:
        `pandas.DataFrame` with `label`, `agreement` (spikes in both over spikes in either) and `is_best`: no other
        unit agrees more with that neuron.
    """
    from spikeinterface.comparison import compare_sorter_to_ground_truth

    if len(sorting.unit_ids) == 0:
        return pd.DataFrame({"label": [], "agreement": [], "is_best": []})
    scores = [
        compare_sorter_to_ground_truth(some, sorting, delta_time=DELTA_TIME_MS).agreement_scores[sorting.unit_ids]
        for some in neurons
    ]
    scores = np.concatenate([one.to_numpy() for one in scores])
    nearest = scores.argmax(axis=0)
    is_best = scores.argmax(axis=1)[nearest] == np.arange(len(nearest))
    return pd.DataFrame({"label": list(labels), "agreement": scores.max(axis=0), "is_best": is_best})


def label_table(judged: pd.DataFrame) -> str:
    """Markdown: units of each sorter and label, by how far they agree with a neuron.

    Args:
        judged: rows of [`judge_sorters`].
    """
    lines = []
    for sorter in dict.fromkeys(judged["sorter"]):
        of_sorter = judged[judged["sorter"] == sorter]
        for label, name in OUR_LABELS.items() if sorter == OUR_SORTER else [(NO_LABEL, "no labels")]:
            own = of_sorter[of_sorter["label"] == label]
            is_neuron = own["is_best"].astype(bool) & (own["agreement"] >= HALF)
            well = (is_neuron & (own["agreement"] >= WELL)).sum()
            share = f"{100 * is_neuron.mean():.0f} %" if len(own) else "–"
            lines.append([sorter, name, len(own), well, is_neuron.sum() - well, len(own) - is_neuron.sum(), share])
    header = ["sorter", "label", "units", "agreement ≥ 0.8", "0.5 to 0.8", "of no neuron, or a part", "a neuron"]
    return markdown_table(header, [[str(cell) for cell in line] for line in lines], num_text_columns=2)


def _generate(condition: str, seed: int) -> GroundTruthRecording:
    """A development recording; the crowd is that of the benchmark, of other cells and another probe."""
    from ...simulation.recordings.benchmark_conditions import BENCHMARK_CONDITIONS
    from ...simulation.recordings.far_neurons import generate_condition
    from ...simulation.recordings.recordings import DEVELOPMENT_CONDITIONS

    known = DEVELOPMENT_CONDITIONS.get(condition)
    if known is None:
        usual = DEVELOPMENT_CONDITIONS["silicon32"]
        crowd = BENCHMARK_CONDITIONS[condition]
        known = replace(crowd, cells=usual.cells, probe=usual.probe, duration_s=usual.duration_s)
    return generate_condition(replace(known, seed=seed))


def _sort_with_peers(peers: Sequence[str], truth: GroundTruthRecording) -> Iterator[tuple[str, BaseSorting]]:
    if not peers:
        return
    with tempfile.TemporaryDirectory(prefix="labels_") as folder:
        recording_folder = Path(folder) / "recording"
        save_recording(truth.recording, recording_folder)
        for peer in peers:
            run = run_in_process(peer, recording_folder, model="")
            if run.error is not None:
                logger.warning("%s: %s", peer, run.error)
                continue
            yield peer, run.sorting
