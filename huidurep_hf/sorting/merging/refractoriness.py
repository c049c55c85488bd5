"""Distinguish two neurons from one by their spike times: a neuron does not fire again within its refractory period."""

from __future__ import annotations

import numpy as np

from .settings import RefractorySettings


def fire_independently(
    first: np.ndarray, second: np.ndarray, sampling_rate: float, settings: RefractorySettings
) -> bool:
    """Decide whether two trains have the coincidences, at refractory lags, that two neurons would have.

    Args:
        first, second: sorted int64 sample indices of the two; segments far apart on one time line.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.sorting.merging.settings.RefractorySettings`].

    Returns:
        bool; False also where there are too few spikes to decide.
    """
    coincidences, expected = _coincidences(first, second, sampling_rate, settings)
    return (
        expected >= settings.min_expected_coincidences_of_two
        and coincidences > settings.min_coincidence_ratio_of_two * expected
    )


def fire_as_one(first: np.ndarray, second: np.ndarray, sampling_rate: float, settings: RefractorySettings) -> bool:
    """Decide whether two trains keep each other's refractory period, as parts of one neuron's train do.

    Args:
        first, second, sampling_rate, settings: as for [`fire_independently`].

    Returns:
        bool; False also where there are too few spikes to decide.
    """
    coincidences, expected = _coincidences(first, second, sampling_rate, settings)
    return (
        expected >= settings.min_expected_coincidences_of_one
        and coincidences < settings.max_coincidence_ratio_of_one * expected
    )


def _coincidences(
    first: np.ndarray, second: np.ndarray, sampling_rate: float, settings: RefractorySettings
) -> tuple[float, float]:
    """Number of pairs of spikes at refractory lags, and the number expected by chance."""
    low, high = settings.min_refractory_lag_ms, settings.max_refractory_lag_ms
    start, stop = settings.min_baseline_lag_ms, settings.max_baseline_lag_ms
    expected = _count(first, second, start, stop, sampling_rate) * (high - low) / (stop - start)
    return _count(first, second, low, high, sampling_rate), expected


def _count(first: np.ndarray, second: np.ndarray, low_ms: float, high_ms: float, sampling_rate: float) -> float:
    """Number of pairs of spikes whose lag, either way, is between two limits."""
    low, high = (round(ms * 1e-3 * sampling_rate) for ms in (low_ms, high_ms))
    before = np.searchsorted(second, first - low, side="right") - np.searchsorted(second, first - high, side="left")
    after = np.searchsorted(second, first + high, side="right") - np.searchsorted(second, first + low, side="left")
    return float(before.sum() + after.sum())
