"""Ground-truth recordings that sorters are compared on: those of all figures, and harder and clearer ones.

The names of `RECORDING_CONDITIONS` are older than the others and never change.
"""

from __future__ import annotations

from dataclasses import replace

from .recordings import RECORDING_CONDITIONS, RecordingParameters

CLEAR_SNR_RANGE = (5.0, 30.0)
"""Units that a laboratory would keep; below an SNR of 5 most sorters find few."""

BENCHMARK_CONDITIONS: dict[str, RecordingParameters] = {
    **RECORDING_CONDITIONS,
    **{
        f"{name}_clear": replace(RECORDING_CONDITIONS[name], snr_range=CLEAR_SNR_RANGE)
        for name in ("tetrode", "silicon32", "polytrode64_drift")
    },
}
"""Recordings of held-out cells that sorters are compared on, by name."""
