"""How many of a neuron's spikes detection sees, by how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...recording.parameters import PreparationParameters
from ...recording.scan import scan
from ...recording.settings import DetectionSettings
from ...recording.spikes.coincidence import is_coincident
from ...sorting.parameters import TemplateSettings
from ...sorting.templates.averages import average_templates
from ..records.tables import markdown_table, mean_and_sd
from .ground_truth import DELTA_TIME_MS

if TYPE_CHECKING:
    from ...simulation.recordings.injection import GroundTruthRecording

SNR_EDGES = (0.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, np.inf)
# A peak farther from the unit's own channel than detection keeps peaks apart is another neuron's.
RADIUS_UM = DetectionSettings().detect_radius_um


def detection_recall(truth: GroundTruthRecording) -> pd.DataFrame:
    """Prepare a recording and detect its peaks as the sorter does, and look for the true spikes among them.

    A spike is detected if a peak lies within 0.4 ms of it and 75 µm of the channel on which its unit is largest.

    Args:
        truth: [`~huidurep_hf.simulation.recordings.injection.GroundTruthRecording`] of one segment, in tissue at rest.

    Returns:
        `pandas.DataFrame` with one row per unit: `snr`, `num_spikes`, and `detected`, a share of 1.
    """
    prepared, peaks = scan(truth.recording, PreparationParameters())
    spikes = truth.sorting.to_spike_vector()
    labels, samples = spikes["unit_index"].astype("int64"), spikes["sample_index"].astype("int64")
    averages = average_templates(labels, samples, spikes, prepared, TemplateSettings())
    channels = np.ptp(averages, axis=1).argmax(axis=1)
    distances = np.linalg.norm(prepared.positions[:, None] - prepared.positions[None, :], axis=2)
    max_gap = round(DELTA_TIME_MS * 1e-3 * prepared.recording.get_sampling_frequency())
    rows = []
    for unit, (unit_id, channel) in enumerate(zip(truth.sorting.unit_ids, channels)):
        near = peaks["sample_index"][distances[channel, peaks["channel_index"]] <= RADIUS_UM].astype("int64")
        own = samples[labels == unit]
        is_seen = is_coincident(own, near, max_gap)
        rows.append({"snr": truth.unit_snr[unit_id], "num_spikes": len(own), "detected": is_seen.mean()})
    return pd.DataFrame(rows)


def detection_table(units: pd.DataFrame) -> str:
    """Markdown: shares of spikes detected, and found in the end where `sorted` is known, by the SNR of units.

    Args:
        units: rows of [`detection_recall`], of any number of recordings; `sorted` is the recall of a sorting of the
            same recording.
    """
    shares = [name for name in ("detected", "sorted") if name in units]
    bins = np.digitize(units["snr"], SNR_EDGES) - 1
    lines = []
    for index, (low, high) in enumerate(zip(SNR_EDGES[:-1], SNR_EDGES[1:])):
        inside = units[bins == index]
        if len(inside):
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
            lines.append([name, f"{len(inside)}", *(mean_and_sd(inside[share].tolist()) for share in shares)])
    return markdown_table(["SNR", "units", *shares], lines)


def recall_of_rows(rows: list[dict], condition: str, seed: int) -> list[float]:
    """Recall of each unit in our sorter's row of the benchmark.

    Args:
        rows: of `scripts/benchmark.py`.
        condition, seed: of the recording.

    Raises:
        ValueError: there is no such row.
    """
    for row in rows:
        if (row["sorter"], row["condition"], row["recording_seed"]) == ("huidurep", condition, seed):
            return [unit["recall"] for unit in row["units"]]
    raise ValueError(f"There is no row of huidurep for {condition}, seed {seed}; scripts/benchmark.py makes it.")
