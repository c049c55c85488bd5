"""Find the spikes of reduced amplitude within bursts.

Within a burst a neuron's spikes become smaller (to 60 % and less in pyramidal cells). Template matching asks for most
of a template, so that it misses the later spikes of small units. Looking for smaller spikes everywhere would take
spikes of other neurons; here they are looked for in units that are seen to burst, right after a spike of the unit, and
where no spike of another unit has been found.
"""

import numba
import numpy as np

from ..spikes import Spikes
from .settings import BurstSettings


def find_bursting_units(
    matched: Spikes, num_units: int, num_samples: int, sampling_rate: float, settings: BurstSettings
) -> np.ndarray:
    """Find units with many more intervals of a burst's length than a Poisson train of their rate would have.

    Args:
        matched: spikes in order, with `unit_index`.
        num_units: units, numbered from 0.
        num_samples: that were matched, all segments together.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.sorting.matching.settings.BurstSettings`].

    Returns:
        `(num_bursting,)` int64.
    """
    low, high = _interval(settings, sampling_rate)
    bursting = []
    for unit in range(num_units):
        spikes = matched[matched["unit_index"] == unit]
        same_segment = np.diff(spikes["segment_index"]) == 0
        intervals = np.diff(spikes["sample_index"])[same_segment]
        num_within = np.sum((intervals >= low) & (intervals <= high))
        per_sample = len(spikes) / num_samples
        by_chance = len(intervals) * (np.exp(-per_sample * low) - np.exp(-per_sample * high))
        if num_within >= settings.min_burst_intervals and num_within > settings.min_burst_ratio * by_chance:
            bursting.append(unit)
    return np.array(bursting, dtype="int64")


def without_isolated(spikes: Spikes, sampling_rate: float, settings: BurstSettings) -> Spikes:
    """Leave out weakened spikes that do not continue a burst.

    One is kept where it follows a spike of its unit, or a weakened one that is kept, within the interval of a burst.

    Args:
        spikes: in order, with `unit_index` and `is_weakened`.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.sorting.matching.settings.BurstSettings`].
    """
    low, high = _interval(settings, sampling_rate)
    num_units = spikes["unit_index"].max(initial=-1) + 1
    kept = _continues(
        spikes["segment_index"],
        spikes["sample_index"],
        spikes["unit_index"],
        spikes["is_weakened"],
        num_units,
        low,
        high,
    )
    return spikes if kept.all() else spikes[kept]


def _interval(settings: BurstSettings, sampling_rate: float) -> tuple[float, float]:
    """Shortest and longest interval in a burst, samples."""
    low, high = settings.min_burst_interval_ms, settings.max_burst_interval_ms
    return low * 1e-3 * sampling_rate, high * 1e-3 * sampling_rate


@numba.njit(cache=True, nogil=True)
def _continues(
    segments: np.ndarray,
    samples: np.ndarray,
    units: np.ndarray,
    is_weakened: np.ndarray,
    num_units: int,
    low: float,
    high: float,
) -> np.ndarray:
    kept = np.ones(len(samples), dtype=np.bool_)
    last_sample, last_segment = np.zeros(num_units), np.full(num_units, -1)
    for spike in range(len(samples)):
        unit = units[spike]
        if is_weakened[spike]:
            interval = samples[spike] - last_sample[unit]
            kept[spike] = last_segment[unit] == segments[spike] and low <= interval <= high
        if kept[spike]:
            last_sample[unit], last_segment[unit] = samples[spike], segments[spike]
    return kept
