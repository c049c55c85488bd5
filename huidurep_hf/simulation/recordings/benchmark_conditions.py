"""Ground-truth recordings that sorters are compared on: those of all our figures, and clearer and busier ones."""

from __future__ import annotations

from dataclasses import replace

from .far_neurons import CrowdedRecordingParameters
from .firing import FiringPattern
from .recordings import RECORDING_CONDITIONS, RecordingParameters

CLEAR_SNR_RANGE = (5.0, 30.0)
"""Units that a laboratory would keep; of fainter ones most sorters find little."""

_CLEAR = {
    f"{name}_clear": replace(RECORDING_CONDITIONS[name], snr_range=CLEAR_SNR_RANGE)
    for name in ("tetrode", "silicon32", "polytrode64_drift")
}

BENCHMARK_CONDITIONS: dict[str, RecordingParameters] = {
    **RECORDING_CONDITIONS,
    **_CLEAR,
    "silicon32_bursting": replace(_CLEAR["silicon32_clear"], firing_rate_range_hz=(4.0, 20.0), pattern=FiringPattern()),
    "neuropixels96_drift": RecordingParameters(
        "neuropixels1_96", num_units=60, snr_range=CLEAR_SNR_RANGE, drift_um=30.0, duration_s=60.0
    ),
    "silicon32_crowd": CrowdedRecordingParameters(
        "poly2_32", num_units=24, noise_level_uv=10.0, snr_range=CLEAR_SNR_RANGE
    ),
}
"""Recordings of held-out cells, by name. Those of `RECORDING_CONDITIONS` are older and never change."""
