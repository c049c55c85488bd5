"""Cluster the spikes of each peak channel by themselves.

Their embeddings describe the same contacts in the same order; those of another peak channel do not.
"""

from __future__ import annotations

import numpy as np

from ...workers import Workers
from ..merging.valley import valley_depth
from ..parameters import SortingParameters
from .density import cluster_density
from .features import reduce_locally
from .gaussian_labels import assign, drop_small
from .mixture import split_by_mixture
from .settings import DensitySettings


def cluster_locally(
    features: np.ndarray,
    peak_channels: np.ndarray,
    parameters: SortingParameters,
    workers: Workers | None = None,
) -> np.ndarray:
    """Cluster the spikes of each peak channel; clusters of different channels get different labels.

    Args:
        features: `(num_spikes, num_features)`.
        peak_channels: `(num_spikes,)` peak channel of each spike.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`]; `clustering` says whether into more Gaussians
            than there can be neurons, to be merged later, or into dense regions, split again until nothing splits.
        workers: who share the channels.

    Returns:
        `(num_spikes,)` int64 labels from 0, -1 for outliers.
    """

    density = parameters.density
    min_cluster_size = max(int(density.min_dense_size * parameters.min_spikes_per_unit), 2)

    def cluster_channel(members: np.ndarray) -> np.ndarray:
        if parameters.clustering != "hdbscan":
            return split_by_mixture(features[members], parameters.mixture, parameters.seed)
        local = split_by_density(features[members], density, min_cluster_size, parameters.min_valley)
        reduced = reduce_locally(features[members], density.num_density_components)
        return assign(reduced, local, density, min_cluster_size=min_cluster_size)[0]

    members_of = [np.flatnonzero(peak_channels == channel) for channel in np.unique(peak_channels)]
    labels = np.full(len(features), -1, dtype="int64")
    num_labels = 0
    for members, local in zip(members_of, (workers or Workers()).map(cluster_channel, members_of)):
        labels[members] = np.where(local >= 0, local + num_labels, -1)
        num_labels += local.max(initial=-1) + 1
    return labels


def split_by_density(
    features: np.ndarray, settings: DensitySettings, min_cluster_size: int, min_valley: float, depth: int = 0
) -> np.ndarray:
    """Cluster by density, then each cluster again in its own principal components, until nothing splits.

    Args:
        features: `(num_spikes, num_features)`.
        settings: [`~huidurep_hf.sorting.clustering.settings.DensitySettings`].
        min_cluster_size: smallest cluster.
        min_valley: depth of the valley, 0 to 1, that keeps two clusters apart.
        depth: how often these spikes have been split already.

    Returns:
        `(num_spikes,)` int64 labels from 0, -1 for sparse spikes.
    """
    reduced = reduce_locally(features, settings.num_density_components)
    labels = cluster_density(reduced, settings, min_cluster_size=min_cluster_size)
    labels = merge_without_valley(reduced, labels, settings, min_valley)
    num_clusters = labels.max(initial=-1) + 1
    if num_clusters < 2 or depth == settings.max_split_depth:
        return labels
    result = np.full(len(features), -1, dtype="int64")
    num_labels = 0
    for cluster in range(num_clusters):
        members = np.flatnonzero(labels == cluster)
        parts = split_by_density(features[members], settings, min_cluster_size, min_valley, depth + 1)
        if parts.max(initial=-1) < 1:
            parts = np.zeros(len(members), dtype="int64")
        result[members] = np.where(parts >= 0, parts + num_labels, -1)
        num_labels += parts.max() + 1
    return result


def merge_without_valley(
    features: np.ndarray, labels: np.ndarray, settings: DensitySettings, min_valley: float
) -> np.ndarray:
    """Merge clusters, the least separated pair first, until every pair has a valley between it.

    Args:
        features: `(num_spikes, num_features)`.
        labels: `(num_spikes,)` from 0, -1 for none.
        settings: [`~huidurep_hf.sorting.clustering.settings.DensitySettings`].
        min_valley: depth of a valley that keeps two clusters apart.

    Returns:
        `(num_spikes,)` int64 labels from 0 without gaps.
    """
    labels = drop_small(labels, 1)
    depths = {}
    while True:
        clusters = range(labels.max(initial=-1) + 1)
        for first in clusters:
            for second in range(first + 1, len(clusters)):
                if (first, second) not in depths:
                    pair = features[labels == first], features[labels == second]
                    depths[first, second] = valley_depth(*pair, settings.discriminant_ridge)
        if not depths:
            return labels
        (first, second), depth = min(depths.items(), key=lambda item: item[1])
        if depth >= min_valley:
            return labels
        labels[labels == second] = first
        labels, depths = _renumber(labels, depths, first, second)


def _renumber(
    labels: np.ndarray, depths: dict[tuple[int, int], float], changed: int, removed: int
) -> tuple[np.ndarray, dict[tuple[int, int], float]]:
    """Close the gap of a removed label and forget the depths of the changed one."""
    labels = np.where(labels > removed, labels - 1, labels)
    kept = {}
    for (first, second), depth in depths.items():
        if not {first, second} & {changed, removed}:
            kept[first - (first > removed), second - (second > removed)] = depth
    return labels, kept
