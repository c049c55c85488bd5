"""Which spikes of a simulated neuron are kept, and how much of the time around them."""

from __future__ import annotations

import numpy as np

TIME_STEP_MS = 2**-5
BEFORE_SPIKE_MS = 2.5
AFTER_SPIKE_MS = 5.5
SPIKE_THRESHOLD_MV = -20.0

SAMPLES_BEFORE = round(BEFORE_SPIKE_MS / TIME_STEP_MS)
SAMPLES_AFTER = round(AFTER_SPIKE_MS / TIME_STEP_MS)


def somatic_peaks(soma_mv: np.ndarray) -> np.ndarray:
    """Samples at which the spikes of a somatic membrane potential `(num_samples,)` (mV) peak."""
    crossings = np.flatnonzero((soma_mv[:-1] < SPIKE_THRESHOLD_MV) & (soma_mv[1:] >= SPIKE_THRESHOLD_MV))
    peak_range = round(2 / TIME_STEP_MS)
    return np.array([start + np.argmax(soma_mv[start : start + peak_range]) for start in crossings], dtype=int)


def choose_spikes(soma_mv: np.ndarray, step_starts: np.ndarray, edges: np.ndarray | None = None) -> np.ndarray:
    """Choose up to five different spikes.

    Args:
        soma_mv: `(num_samples,)`, somatic membrane potential.
        step_starts: samples at which the weak and the strong current step begin.
        edges: samples at which the injected current changes; no spike is kept whose window holds one. None to allow
            that.

    Returns:
        Samples of the peaks: first and last of the weak step; first, second and last of the strong one.
    """
    peaks = somatic_peaks(soma_mv)
    # A window must hold one spike only, and lie within the simulation.
    gaps = np.diff(peaks, prepend=-SAMPLES_AFTER, append=len(soma_mv) + SAMPLES_AFTER)
    alone = (gaps[:-1] > SAMPLES_BEFORE) & (gaps[1:] > SAMPLES_AFTER)
    alone &= (peaks >= SAMPLES_BEFORE) & (peaks + SAMPLES_AFTER < len(soma_mv))
    for edge in [] if edges is None else edges:
        alone &= (edge < peaks - SAMPLES_BEFORE) | (edge > peaks + SAMPLES_AFTER)
    peaks = peaks[alone]
    weak = peaks[(peaks >= step_starts[0]) & (peaks < step_starts[1])]
    strong = peaks[peaks >= step_starts[1]]
    return np.unique(np.array([*weak[:1], *weak[-1:], *strong[:2], *strong[-1:]], dtype=int))
