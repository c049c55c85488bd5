"""From embedded spikes to units: cluster, merge, remove duplicates."""

import logging
from dataclasses import dataclass

import numpy as np

from ..clustering.assignment import assign, drop_small
from ..clustering.features import build_features
from ..clustering.local import cluster_locally
from ..clustering.merging import find_duplicates
from ..clustering.mixture import cluster_mixture
from .merging import merge_clusters
from .templates import average_templates

logger = logging.getLogger("huidurep_hf")

# Between shanks that share nominal positions, far more than any spread within a shank.
SHANK_OFFSET_UM = 1000.0


@dataclass(frozen=True)
class Units:
    """To which unit each detected event belongs.

    Attributes:
        units: `(num_events,)` int64 unit from 0, -1 for events of no unit.
        samples: `(num_events,)` int64 times in samples; events of one unit share one alignment.
        probabilities: `(num_events,)` float32 that the event belongs to its unit and to no other of its peak channel.
        became: `(num_events,)` str: "unit", "duplicate", "small cluster" or "noise".
        templates: `(num_units, num_samples, num_channels)` float32, noise units.
    """

    units: np.ndarray
    samples: np.ndarray
    probabilities: np.ndarray
    became: np.ndarray
    templates: np.ndarray


def find_units(spikes, peaks, prepared, parameters):
    """Cluster, merge, remove duplicates and small clusters.

    Args:
        spikes: [`~huidurep_hf.sorting.embedding.EmbeddedSpikes`].
        peaks: structured array of the same events.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        [`Units`], ordered along the probe.
    """
    clusters, probabilities = cluster_spikes(spikes, peaks, prepared, parameters)
    if parameters.num_units is None:
        merged, samples = merge_clusters(clusters, peaks, prepared, parameters)
    else:
        merged, samples = clusters, peaks["sample_index"].astype("int64")
    is_duplicate = mark_duplicates(samples, merged, peaks, prepared, parameters.duplicate_ms)
    units = np.where(is_duplicate, -1, merged)
    if parameters.num_units is None:
        units = drop_small(units, parameters.min_spikes_per_unit)
    units = order_along_probe(units, spikes, peaks, prepared)
    became = np.select([units >= 0, is_duplicate, merged >= 0], ["unit", "duplicate", "small cluster"], "noise")
    templates = average_templates(units, samples, peaks, prepared, parameters.seed)
    return Units(units, samples, np.where(units >= 0, probabilities, 0), became, templates)


def cluster_spikes(spikes, peaks, prepared, parameters):
    """Give each spike a cluster.

    Args:
        spikes: [`~huidurep_hf.sorting.embedding.EmbeddedSpikes`].
        peaks: structured array of the same spikes.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `(labels, probabilities)`: `(num_spikes,)` int64 from 0, -1 for outliers; `(num_spikes,)` float32.
    """
    if len(peaks) == 0:
        return np.zeros(0, dtype="int64"), np.zeros(0, dtype="float32")
    shank_of_spike = prepared.groups[peaks["channel_index"]]
    locations = spikes.locations_um + np.stack([SHANK_OFFSET_UM * shank_of_spike, 0 * shank_of_spike], axis=1)
    features = build_features(spikes.embeddings, locations, spikes.amplitudes)
    if parameters.num_units is not None:
        labels = cluster_mixture(features, num_units=parameters.num_units, seed=parameters.seed)
        return assign(features, labels, min_cluster_size=1)
    return cluster_locally(
        features,
        peaks["channel_index"],
        method=parameters.clustering,
        # Half a unit may be seen from each of two channels; the whole is judged after merging.
        min_cluster_size=max(parameters.min_spikes_per_unit // 2, 2),
        min_valley=parameters.min_valley,
        seed=parameters.seed,
    )


def order_along_probe(labels, spikes, peaks, prepared):
    """Number units by shank, then from the bottom of the probe to its top.

    Args:
        labels: `(num_spikes,)` from 0 without gaps, -1 for outliers.
        spikes: [`~huidurep_hf.sorting.embedding.EmbeddedSpikes`].
        peaks: structured array of the same spikes.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].

    Returns:
        `(num_spikes,)` int64, the same units with their new numbers.
    """
    num_units = labels.max(initial=-1) + 1
    shank_of_spike = prepared.groups[peaks["channel_index"]] if num_units else None
    keys = np.zeros((num_units, 3))
    for unit in range(num_units):
        members = labels == unit
        keys[unit] = [shank_of_spike[members].min(), *np.median(spikes.locations_um[members], axis=0)[::-1]]
    new_labels = np.full(num_units + 1, -1, dtype="int64")
    new_labels[np.lexsort(keys.T[::-1])] = np.arange(num_units)
    return new_labels[labels]


def mark_duplicates(samples, labels, peaks, prepared, duplicate_ms):
    """Mark spikes that were detected twice in one unit, segment by segment.

    Args:
        samples: `(num_spikes,)` aligned times in samples.
        labels: `(num_spikes,)` from 0, -1 for outliers.
        peaks: structured array of the same spikes.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
        duplicate_ms: spikes of one unit at most this far apart are one spike.

    Returns:
        `(num_spikes,)` bool.
    """
    is_duplicate = np.zeros(len(samples), dtype=bool)
    if len(samples) == 0:
        return is_duplicate
    max_gap = int(duplicate_ms * prepared.recording.get_sampling_frequency() / 1000)
    for segment in np.unique(peaks["segment_index"]):
        inside = np.flatnonzero(peaks["segment_index"] == segment)
        is_duplicate[inside] = find_duplicates(samples[inside], labels[inside], peaks["amplitude"][inside], max_gap)
    return is_duplicate
