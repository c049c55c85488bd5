"""The valley between two clusters, on the line that separates them best."""

from __future__ import annotations

import numpy as np

# Points at which the density is compared.
NUM_BINS = 200
# Of more spikes the density is that of so many of their quantiles.
MAX_POINTS = 2000


def valley_depth(first: np.ndarray, second: np.ndarray, ridge: float) -> float:
    """Measure the gap between two clusters on their linear discriminant.

    Both clusters are projected onto the direction that separates their means best (Fisher 1936).

    Args:
        first, second: `(num_spikes, num_features)` spikes of each cluster.
        ridge: share of the mean variance within the clusters that is added to their covariance.

    Returns:
        `float`, as [`valley_depth_on_line`].
    """
    if len(first) == 0 or len(second) == 0:
        return 0.0
    return valley_depth_on_line(*_project(first, second, ridge))


def valley_depth_on_line(first: np.ndarray, second: np.ndarray) -> float:
    """Measure the gap between two sets of numbers.

    Both sets weigh alike; the density of the whole, smoothed by Silverman's rule, is compared at its lowest point
    between the two medians with the lower of the two peaks.

    Args:
        first, second: `(num_spikes,)`.

    Returns:
        `float` between 0 (one mode, or no spikes) and 1 (nothing between them).
    """
    if len(first) == 0 or len(second) == 0:
        return 0.0
    low, high = np.median(first), np.median(second)
    if not high > low:
        return 0.0
    grid = np.linspace(low, high, NUM_BINS)
    density = _density(first, grid) + _density(second, grid)
    split = int(density.argmin())
    lower_peak = min(density[: split + 1].max(), density[split:].max())
    return float(1 - density[split] / lower_peak) if lower_peak > 0 else 0.0


def _project(first: np.ndarray, second: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of both clusters, `(num_spikes,)` each, on their regularised linear discriminant."""
    difference = second.mean(axis=0) - first.mean(axis=0)
    within = np.cov(first.T, bias=True).reshape(len(difference), -1) + np.cov(second.T, bias=True).reshape(
        len(difference), -1
    )
    # Directions with almost no variance would otherwise win by chance.
    added = 1e-9 + ridge * np.trace(within) / len(within)
    direction = np.linalg.solve(within + added * np.eye(len(within)), difference)
    return first @ direction, second @ direction


def _density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Kernel density of values at the points of a grid, `(num_points,)`."""
    quartiles = np.percentile(values, [25, 75])
    scale = min(values.std(), (quartiles[1] - quartiles[0]) / 1.34) or values.std() or 1e-12
    bandwidth = 0.9 * scale * len(values) ** -0.2
    if len(values) > MAX_POINTS:
        values = np.quantile(values, np.linspace(0, 1, MAX_POINTS))
    return np.exp(-0.5 * np.square((grid[:, None] - values[None, :]) / bandwidth)).mean(axis=1) / bandwidth
