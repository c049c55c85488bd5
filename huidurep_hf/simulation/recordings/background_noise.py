"""Background noise of a simulated recording: stationary, shared between neighbouring contacts, stronger at low rates.

A stand-in for the sum of many distant neurons and the electrode's own thermal noise, with no local field potential.
Real noise is not stationary and holds small spikes; ours only has its covariance over space and its spectrum.
"""

from __future__ import annotations

import numpy as np

from ..electrodes.amplifier import NOMINAL_BAND_HZ, filter_gain

SHARED_FRACTION = 0.6
SHARED_LENGTH_UM = 60.0
"""Contacts `d` µm apart have noise correlated by 0.6 exp(-d / 60 µm); the rest of it is each contact's own."""

SHELF_HZ = (500.0, 2500.0)
"""Flat below the first frequency, falling as 1/f² in power to the second, flat (thermal) above."""

_BLOCK_SAMPLES = 30_000
_SETTLING_SAMPLES = 1000


def spatial_correlation(contacts: np.ndarray) -> np.ndarray:
    """Correlation of the noise between contacts `(num_contacts, 2)` (µm), `(num_contacts, num_contacts)`."""
    distances = np.linalg.norm(contacts[:, None] - contacts[None], axis=2)
    return SHARED_FRACTION * np.exp(-distances / SHARED_LENGTH_UM) + (1 - SHARED_FRACTION) * np.eye(len(contacts))


def generate_noise(
    num_samples: int, contacts: np.ndarray, sampling_rate: float, noise_level_uv: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw noise for a whole recording.

    White Gaussian noise is mixed over space by the Cholesky factor of its correlation, then shaped in time by a filter
    with one pole and one zero (the shelf `SHELF_HZ`), whose gain in the band follows from its frequency response.

    Args:
        num_samples: length.
        contacts: `(num_contacts, 2)`, µm.
        sampling_rate: Hz.
        noise_level_uv: standard deviation on every channel after a band-pass of 300-6000 Hz, µV.
        rng: source of the noise.

    Returns:
        `(num_samples, num_contacts)` float32, µV.
    """
    from scipy.signal import lfilter

    zero_and_pole = _shelf(sampling_rate)
    scale = noise_level_uv / _band_deviation(*zero_and_pole, sampling_rate)
    mixing = (scale * np.linalg.cholesky(spatial_correlation(contacts)).T).astype(np.float32)
    numerator, denominator = (np.array(values, dtype=np.float32) for values in zero_and_pole)

    noise = np.empty((num_samples, len(contacts)), dtype=np.float32)
    state = np.zeros((1, len(contacts)), dtype=np.float32)
    # The filter starts at rest: what comes out while it settles is thrown away.
    for start in range(-_SETTLING_SAMPLES, num_samples, _BLOCK_SAMPLES):
        stop = min(start + _BLOCK_SAMPLES, num_samples)
        white = rng.standard_normal((stop - start, len(contacts)), dtype=np.float32)
        coloured, state = lfilter(numerator, denominator, white @ mixing, axis=0, zi=state)
        noise[max(start, 0) : stop] = coloured[max(-start, 0) :]
    return noise


def _shelf(sampling_rate: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Numerator and denominator of the shelf's filter, pole and zero mapped to the z plane by exp(-2 pi f / rate)."""
    pole, zero = np.exp(-2 * np.pi * np.array(SHELF_HZ) / sampling_rate)
    return (1.0, -zero), (1.0, -pole)


def _band_deviation(
    numerator: tuple[float, float], denominator: tuple[float, float], sampling_rate: float, num_frequencies: int = 4096
) -> float:
    """Standard deviation of filtered white noise of deviation 1, after the nominal band-pass: Parseval's theorem."""
    from scipy.signal import freqz

    frequencies, response = freqz(numerator, denominator, worN=num_frequencies, fs=sampling_rate)
    return float(np.sqrt(np.mean(np.abs(response * filter_gain(frequencies, sampling_rate, NOMINAL_BAND_HZ)) ** 2)))
