"""From embedded spikes to clusters: split around each contact by the embedding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...workers import Workers
from ..parameters import SortingParameters
from ..spikes import Spikes
from .features import build_features, build_natural_features
from .gaussian_labels import assign, drop_small
from .kmeans import cluster_kmeans
from .local import cluster_locally
from .mixture import cluster_mixture
from .settings import FeatureSettings

# Between shanks that share nominal positions, far more than the width of any shank.
SHANK_OFFSET_UM = 1000.0


def split_by_embedding(
    spikes: Spikes, shanks: np.ndarray, parameters: SortingParameters, workers: Workers | None = None
) -> Spikes:
    """Split spikes around each contact into more clusters than there are neurons; or all into as many as asked for.

    Args:
        spikes: in order, with `embedding`, `location_um` and `size`.
        shanks: `(num_channels,)` shank of each channel.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the channels.

    Returns:
        The table with `cluster` `(num_spikes,)` int64 from 0 without gaps, -1 for spikes of no cluster.
    """
    if len(spikes) == 0:
        return spikes.with_columns(cluster=np.zeros(0, dtype="int64"))
    if parameters.num_units is not None:
        return spikes.with_columns(cluster=_cluster_given_number(spikes, shanks, parameters))
    features = spike_features(spikes, shanks, parameters.features)
    found = cluster_locally(features, spikes["channel_index"], parameters, workers)
    min_size = max(int(parameters.cluster.min_size_before_merging * parameters.min_spikes_per_unit), 2)
    return spikes.with_columns(cluster=drop_small(found, min_size))


def _cluster_given_number(spikes: Spikes, shanks: np.ndarray, parameters: SortingParameters) -> np.ndarray:
    """Clusters, exactly as many as asked for: by k-means, or the published mixture."""
    if parameters.clustering == "gmm":
        features = spike_features(spikes, shanks, parameters.features)
        found = cluster_mixture(features, parameters.num_units, parameters.mixture, parameters.seed)
        return assign(features, found, parameters.density, min_cluster_size=1)[0]
    features = spike_features(spikes, shanks, parameters.features, build=build_natural_features)
    num_starts = parameters.mixture.num_kmeans_starts
    return cluster_kmeans(features, parameters.num_units, num_starts=num_starts, seed=parameters.seed)


def spike_features(
    spikes: Spikes,
    shanks: np.ndarray,
    settings: FeatureSettings,
    build: Callable[..., np.ndarray] = build_features,
) -> np.ndarray:
    """Embedding, location and amplitude of each spike, `(num_spikes, embedding_size + 3)`.

    Args:
        spikes: with `embedding`, `location_um` and `size`.
        shanks: `(num_channels,)` shank of each channel.
        settings: [`~huidurep_hf.sorting.clustering.settings.FeatureSettings`].
        build: how they are combined, see [`~huidurep_hf.sorting.clustering.features`].
    """
    shank_of_spike = shanks[spikes["channel_index"]]
    locations = spikes["location_um"] + np.stack([SHANK_OFFSET_UM * shank_of_spike, 0 * shank_of_spike], axis=1)
    return build(spikes["embedding"], locations, spikes["size"], settings)
