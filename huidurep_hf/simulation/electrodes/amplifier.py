"""What the amplifier and the sorter's filter make of a simulated potential: another rate, another speed, a band."""

from __future__ import annotations

import numpy as np

NOMINAL_BAND_HZ = (300.0, 6000.0)
"""The band-pass that spike sorting most often uses."""

HIGHEST_SHARE_OF_RATE = 0.45
"""Highest frequency of a band, as a share of the sampling rate."""

_FILTER_ORDER = 5
_BASELINE_MS = 0.5
_TAPER_MS = 1.5
_PADDING_MS = 12.0


def record_potential(
    potential: np.ndarray,
    input_rate: float,
    output_rate: float,
    band_hz: tuple[float, float] | None = NOMINAL_BAND_HZ,
    stretch: float = 1.0,
    causal_order: int | None = None,
) -> np.ndarray:
    """Resample a potential and filter it, without edge artefacts.

    The potential's first half millisecond is its baseline and is subtracted; its last 1.5 ms fade to zero; silence is
    added on both sides; resampling and filter are then one product in the frequency domain. The filter is that of
    `spikeinterface.preprocessing.bandpass_filter`: Butterworth of order 5, forward and backward, so of zero phase.
    An acquisition system's own high-pass sees only the past instead, and bends the spike's shape: see `causal_order`.

    Args:
        potential: `(num_samples, num_channels)`, any unit.
        input_rate: its sampling rate, Hz.
        output_rate: sampling rate of what comes back, Hz.
        band_hz: lower and upper edge of the filter's pass band, None for no filter.
        stretch: factor on the potential's duration: 1.25 makes the spike a quarter longer.
        causal_order: order of a causal Butterworth high-pass that takes the place of the lower edge; None for zero
            phase at both edges.

    Returns:
        `(num_output_samples, num_channels)`, 12 ms longer on each side than the (stretched) input.
    """
    input_rate = input_rate / stretch
    potential = potential - potential[: max(1, round(_BASELINE_MS * 1e-3 * input_rate))].mean(axis=0)
    num_faded = round(_TAPER_MS * 1e-3 * input_rate)
    potential[-num_faded:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, num_faded + 1) / num_faded)[:, None]
    num_padded = round(_PADDING_MS * 1e-3 * input_rate)
    potential = np.pad(potential, ((num_padded, num_padded), (0, 0)))

    num_output = round(len(potential) * output_rate / input_rate)
    spectrum = np.fft.rfft(potential, axis=0)[: num_output // 2 + 1]
    if band_hz is not None:
        frequencies = np.arange(len(spectrum)) * input_rate / len(potential)
        if causal_order is None:
            spectrum *= filter_gain(frequencies, output_rate, band_hz)[:, None]
        else:
            spectrum *= _causal_response(frequencies, output_rate, band_hz, causal_order)[:, None]
    return np.fft.irfft(spectrum, num_output, axis=0) * (num_output / len(potential))


def filter_gain(frequencies: np.ndarray, sampling_rate: float, band_hz: tuple[float, float]) -> np.ndarray:
    """Factor on the amplitude at each frequency (Hz) of the zero-phase filter that `record_potential` describes.

    At low sampling rates the band ends at 0.45 of the rate, as it does when a recording is prepared for sorting.
    """
    from scipy.signal import butter, sosfreqz

    sections = butter(_FILTER_ORDER, _possible_band(band_hz, sampling_rate), "bandpass", fs=sampling_rate, output="sos")
    _, response = sosfreqz(sections, worN=np.minimum(frequencies, sampling_rate / 2), fs=sampling_rate)
    return np.abs(response) ** 2


def _causal_response(
    frequencies: np.ndarray, sampling_rate: float, band_hz: tuple[float, float], order: int
) -> np.ndarray:
    """Complex response of a causal high-pass of `order` and a zero-phase low-pass."""
    from scipy.signal import butter, sosfreqz

    frequencies = np.minimum(frequencies, sampling_rate / 2)
    low_hz, high_hz = _possible_band(band_hz, sampling_rate)
    high_pass = butter(order, low_hz, btype="highpass", fs=sampling_rate, output="sos")
    low_pass = butter(_FILTER_ORDER, high_hz, btype="lowpass", fs=sampling_rate, output="sos")
    _, causal = sosfreqz(high_pass, worN=frequencies, fs=sampling_rate)
    _, response = sosfreqz(low_pass, worN=frequencies, fs=sampling_rate)
    return causal * np.abs(response) ** 2


def _possible_band(band_hz: tuple[float, float], sampling_rate: float) -> tuple[float, float]:
    """End a band below half the sampling rate, where filters lose their meaning."""
    return band_hz[0], min(band_hz[1], HIGHEST_SHARE_OF_RATE * sampling_rate)
