"""The draw of what is larger or smaller by a factor: sizes, durations, conductances."""

from __future__ import annotations

import numpy as np


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform between those of two positive bounds, in their unit."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
