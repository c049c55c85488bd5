"""Distinguish two neurons from one by their spike times: a neuron does not fire again within its refractory period."""

from __future__ import annotations

import numpy as np

# Shorter lags are within the sweep in which detection keeps one peak, longer ones occur in bursts of one neuron.
REFRACTORY_MS = (0.7, 2.0)
# Chance is what is found at these lags, so that slow changes of the rates do not count; beyond bursts.
SHOULDER_MS = (15.0, 50.0)
# Two independent trains coincide as often as chance would have it. Fewer expected coincidences than this are no
# basis for a decision.
MIN_EXPECTED = 8.0
# Merging by times alone takes more: of two neurons that keep out of each other's way as much as any pair seen on
# development recordings (0.3 to 0.4 of the coincidences of chance), few have none where 10 are expected.
MIN_EXPECTED_OF_ONE = 10.0
# A cluster of one neuron holds some spikes of others, two neurons with common drive may avoid each other a little.
MIN_RATIO = 0.35


def fire_independently(first: np.ndarray, second: np.ndarray, sampling_rate: float) -> bool:
    """Decide whether two trains have the coincidences, at refractory lags, that two neurons would have.

    Args:
        first, second: sorted int64 sample indices of the two; segments far apart on one time line.
        sampling_rate: Hz.

    Returns:
        bool; False also where there are too few spikes to decide.
    """
    coincidences, expected = _coincidences(first, second, sampling_rate)
    return expected >= MIN_EXPECTED and coincidences > MIN_RATIO * expected


def fire_as_one(first: np.ndarray, second: np.ndarray, sampling_rate: float, max_ratio: float) -> bool:
    """Decide whether two trains keep each other's refractory period, as parts of one neuron's train do.

    Args:
        first, second, sampling_rate: as for [`fire_independently`].
        max_ratio: largest ratio of coincidences at refractory lags to those expected by chance for one neuron.

    Returns:
        bool; False also where there are too few spikes to decide.
    """
    coincidences, expected = _coincidences(first, second, sampling_rate)
    return expected >= MIN_EXPECTED_OF_ONE and coincidences < max_ratio * expected


def _coincidences(first: np.ndarray, second: np.ndarray, sampling_rate: float) -> tuple[float, float]:
    """Number of pairs of spikes at refractory lags, and the number expected by chance."""
    low, high = REFRACTORY_MS
    start, stop = SHOULDER_MS
    expected = _count(first, second, start, stop, sampling_rate) * (high - low) / (stop - start)
    return _count(first, second, low, high, sampling_rate), expected


def _count(first: np.ndarray, second: np.ndarray, low_ms: float, high_ms: float, sampling_rate: float) -> float:
    """Number of pairs of spikes whose lag, either way, is between two limits."""
    low, high = (round(ms * 1e-3 * sampling_rate) for ms in (low_ms, high_ms))
    before = np.searchsorted(second, first - low, side="right") - np.searchsorted(second, first - high, side="left")
    after = np.searchsorted(second, first + high, side="right") - np.searchsorted(second, first + low, side="left")
    return float(before.sum() + after.sum())
