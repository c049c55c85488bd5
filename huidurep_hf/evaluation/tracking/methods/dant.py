"""DANT (Huang et al., Patterns 2026), the Python package pyDANT, at the defaults of its documentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..mean_waveforms import half_waveforms
from ..method_interface import tracked_from_matrices

if TYPE_CHECKING:
    from ..method_interface import Session, Tracked

PACKAGE = "pydant"

SAMPLES_BEFORE, SAMPLES_AFTER = 32, 32
"""Its example's waveforms have 64 samples with the trough in the middle."""

NEAREST_CHANNELS = 38
"""Its default. A probe of fewer channels is refused; there we give it the number of channels."""

# Its documentation's defaults but for `PETH`, the response to events: there are none.
FEATURES = ["Waveform", "AutoCorr"]


def track(sessions: list[Session], folder: Path, model: str) -> Tracked:
    """Write the files it reads, run it, read its clusters and its similarities. It has no probabilities."""
    from pyDANT import runDANT

    data, output = Path(folder) / "data", Path(folder) / "output"
    (data / "spike_times").mkdir(parents=True)
    unit_ids = [list(session.sorting.unit_ids) for session in sessions]
    waveforms = np.concatenate([half_waveforms(session, SAMPLES_BEFORE, SAMPLES_AFTER) for session in sessions])
    np.save(data / "waveform_all.npy", waveforms.mean(axis=3).transpose(0, 2, 1))
    np.save(data / "session_index.npy", np.repeat(np.arange(len(sessions)) + 1, [len(ids) for ids in unit_ids]))
    channels = sessions[0].recording.get_channel_locations()
    np.save(data / "channel_locations.npy", channels)
    trains = [
        1000 * session.sorting.get_unit_spike_train(unit) / session.sorting.sampling_frequency
        for session in sessions
        for unit in session.sorting.unit_ids
    ]
    for place, train in enumerate(trains):
        np.save(data / "spike_times" / f"Unit{place}.npy", train)
    runDANT(_settings(data, output, min(NEAREST_CHANNELS, len(channels))))
    similarity = np.load(output / "SimilarityMatrix.npy")
    clusters = np.load(output / "IdxCluster.npy")
    is_match = np.load(output / "ClusterMatrix.npy").astype(bool)
    # Units without a partner are all numbered -1.
    alone = clusters.max() + 1 + np.arange(len(clusters))
    return tracked_from_matrices(unit_ids, similarity, is_match, np.where(clusters > 0, clusters, alone))


def _settings(data: Path, output: Path, nearest_channels: int) -> dict:
    return {
        "path_to_data": str(data),
        "output_folder": str(output),
        "save_intermediate_results": False,
        "n_jobs": -1,
        "centering_waveforms": False,
        "spikeLocation": {"location_algorithm": "monopolar_triangulation", "n_nearest_channels": 20},
        "waveformCorrection": {
            "n_nearest_channels": nearest_channels,
            "linear_correction": False,
            "n_templates": 1,
        },
        "autoCorr": {"window": 300, "binwidth": 1, "gaussian_sigma": 5},
        "ISI": {"window": 100, "binwidth": 1, "gaussian_sigma": 1},
        "motionEstimation": {"features": [FEATURES, FEATURES]},
        "clustering": {"max_distance": 100, "features": FEATURES, "n_iter": 10},
        "autoCuration": {"auto_split": True},
    }
