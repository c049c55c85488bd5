"""Clusters as dense regions, their number found: HDBSCAN (Campello et al. 2013)."""

from __future__ import annotations

import numpy as np

from .settings import DensitySettings


def cluster_density(features: np.ndarray, settings: DensitySettings, *, min_cluster_size: int) -> np.ndarray:
    """Cluster spikes by density; sparse spikes between the clusters stay unlabelled.

    Args:
        features: `(num_spikes, num_features)`.
        settings: [`~huidurep_hf.sorting.clustering.settings.DensitySettings`].
        min_cluster_size: smallest cluster.

    Returns:
        `(num_spikes,)` int64 labels from 0, -1 for sparse spikes. Spikes without any structure are one cluster; fewer
        spikes than the smallest cluster are all -1.
    """
    import hdbscan

    if len(features) < max(min_cluster_size, settings.density_neighbors + 1):
        return np.full(len(features), -1, dtype="int64")
    clusterer = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=settings.density_neighbors,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    )
    # Letting HDBSCAN choose one cluster makes it miss neighbours; excess splits are merged again by their valley.
    labels = clusterer.fit_predict(features).astype("int64")
    return labels if labels.max() >= 0 else np.zeros(len(features), dtype="int64")
