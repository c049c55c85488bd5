"""Clusters around means: the spikes of a whole probe in a given number of units."""

from __future__ import annotations

import numpy as np


def cluster_kmeans(features: np.ndarray, num_units: int, seed: int = 0, *, num_starts: int) -> np.ndarray:
    """Cluster spikes by k-means, the tightest of several starts.

    Args:
        features: `(num_spikes, num_features)` of which distances mean something, as
            [`~huidurep_hf.sorting.clustering.features.build_natural_features`] gives them.
        num_units: number of clusters.
        seed: of the starting points.
        num_starts: the tightest clusters of so many starts are taken.

    Returns:
        `(num_spikes,)` int64 labels from 0. Where there are too few spikes for `num_units` clusters, as many as the
        spikes allow.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(features) == 0:
        return np.zeros(0, dtype="int64")
    means = KMeans(min(num_units, len(features)), n_init=num_starts, random_state=seed)
    # As elsewhere: matrices this small lose more time to waiting threads than they win.
    with threadpool_limits(1):
        return means.fit_predict(features).astype("int64")
