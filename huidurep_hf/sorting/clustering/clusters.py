"""From embedded spikes to clusters: split around each contact by the embedding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...workers import Workers
from ..parameters import SortingParameters
from ..spikes import Spikes
from .assignment import assign, drop_small
from .features import build_features, build_natural_features
from .kmeans import cluster_kmeans
from .local import cluster_locally
from .mixture import cluster_mixture

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
    found = cluster_locally(
        spike_features(spikes, shanks),
        spikes["channel_index"],
        method="hdbscan" if parameters.clustering == "hdbscan" else "gmm",
        # Half a unit may be seen from each of two channels; the whole is judged after merging.
        min_cluster_size=max(parameters.min_spikes_per_unit // 2, 2),
        min_valley=parameters.min_valley,
        seed=parameters.seed,
        workers=workers,
    )
    return spikes.with_columns(cluster=drop_small(found, max(parameters.min_spikes_per_unit // 4, 2)))


def _cluster_given_number(spikes: Spikes, shanks: np.ndarray, parameters: SortingParameters) -> np.ndarray:
    """Clusters, exactly as many as asked for: by k-means, or the published mixture."""
    if parameters.clustering == "gmm":
        features = spike_features(spikes, shanks)
        found = cluster_mixture(features, parameters.num_units, parameters.seed)
        return assign(features, found, min_cluster_size=1)[0]
    features = spike_features(spikes, shanks, build=build_natural_features)
    return cluster_kmeans(features, parameters.num_units, parameters.seed)


def spike_features(spikes: Spikes, shanks: np.ndarray, build: Callable[..., np.ndarray] = build_features) -> np.ndarray:
    """Embedding, location and amplitude of each spike, `(num_spikes, embedding_size + 3)`.

    Args:
        spikes: with `embedding`, `location_um` and `size`.
        shanks: `(num_channels,)` shank of each channel.
        build: how they are combined, see [`~huidurep_hf.sorting.clustering.features`].
    """
    shank_of_spike = shanks[spikes["channel_index"]]
    locations = spikes["location_um"] + np.stack([SHANK_OFFSET_UM * shank_of_spike, 0 * shank_of_spike], axis=1)
    return build(spikes["embedding"], locations, spikes["size"])
