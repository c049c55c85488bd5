"""Recognise the later, smaller spikes of a neuron's bursts, where they are a unit of their own.

In a regular burst each spike is smaller than the last by about the same share, so that there are valleys between the
spikes of a large unit. The smaller ones have the shape of the larger, and nearly all of them follow one within a burst.
"""

from __future__ import annotations

import numpy as np

from ..matching.settings import BurstSettings
from .settings import UnitMergingSettings


def continue_bursts(
    larger: np.ndarray,
    smaller: np.ndarray,
    cosine: float,
    sampling_rate: float,
    bursts: BurstSettings,
    settings: UnitMergingSettings,
) -> bool:
    """Decide whether the smaller unit holds the later spikes of the larger one's bursts.

    Args:
        larger, smaller: sorted int64 sample indices of the two trains; segments far apart on one time line.
        cosine: of the angle between their templates; 1 for one that is the other made smaller.
        sampling_rate: Hz.
        bursts: shortest and longest interval of a burst.
        settings: [`~huidurep_hf.sorting.merging.settings.UnitMergingSettings`].
    """
    if cosine < settings.min_burst_cosine or len(larger) == 0 or len(smaller) == 0:
        return False
    low, high = (ms * 1e-3 * sampling_rate for ms in (bursts.min_burst_interval_ms, bursts.max_burst_interval_ms))
    num_before = np.searchsorted(larger, smaller - low, side="right") - np.searchsorted(larger, smaller - high)
    return bool(np.mean(num_before > 0) >= settings.min_burst_share)
