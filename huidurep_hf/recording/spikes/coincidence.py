"""Spikes of one train that come with those of another."""

from __future__ import annotations

import numpy as np


def is_coincident(times: np.ndarray, others: np.ndarray, max_gap: int) -> np.ndarray:
    """Find the spikes that have one of another train within a gap, `(num_times,)` bool.

    Args:
        times: samples, in any order.
        others: samples of the other train, ascending.
        max_gap: samples by which the two may differ.
    """
    return np.searchsorted(others, times + max_gap, side="right") > np.searchsorted(others, times - max_gap)
