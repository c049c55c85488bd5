"""Distinguish units from the cycles of an oscillation within the band, such as a ripple of some 100 Hz."""

from __future__ import annotations

import numpy as np

from .settings import RejectionSettings


def is_oscillation(averages: np.ndarray, sampling_rate: float, settings: RejectionSettings) -> np.ndarray:
    """Find units whose waveform has next to nothing of a spike's high frequencies.

    Args:
        averages: `(num_units, num_samples, num_channels)` average of each unit, SDs of the noise; judged on the channel
            where it is largest.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.sorting.rejection.settings.RejectionSettings`].

    Returns:
        `(num_units,)` bool.
    """
    if averages.size == 0:
        return np.zeros(len(averages), dtype=bool)
    channels = np.ptp(averages, axis=1).argmax(axis=1)
    waveforms = averages[np.arange(len(averages)), :, channels]
    # The ends of the window are no part of the waveform, and would be steps.
    window = np.sqrt(np.hanning(waveforms.shape[1] + 2)[1:-1])
    power = np.square(np.abs(np.fft.rfft(waveforms * window, axis=1)))
    is_fast = np.fft.rfftfreq(waveforms.shape[1], 1 / sampling_rate) > settings.min_fast_hz
    return power[:, is_fast].sum(axis=1) < settings.min_fast_share * np.maximum(power.sum(axis=1), 1e-12)
