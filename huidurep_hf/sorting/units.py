"""From embedded spikes to units: cluster, merge, remove duplicates."""

import logging
from dataclasses import dataclass

import numpy as np

from ..clustering.assignment import assign, drop_small
from ..clustering.features import build_features
from ..clustering.local import cluster_locally, neighborhoods_of_spikes
from ..clustering.merging import find_duplicates, merge_units
from ..clustering.mixture import cluster_mixture

logger = logging.getLogger("huidurep_hf")

TEMPLATE_MS_BEFORE, TEMPLATE_MS_AFTER = 1.0, 2.0
MAX_MISALIGNMENT_MS = 0.3
MAX_SPIKES_PER_TEMPLATE = 500
# Between shanks that share nominal positions, far more than any spread within a shank.
SHANK_OFFSET_UM = 1000.0


@dataclass(frozen=True)
class Units:
    """To which unit each detected event belongs.

    Attributes:
        units: `(num_events,)` int64 unit from 0, -1 for events of no unit.
        samples: `(num_events,)` int64 times in samples; events of one unit share one alignment.
        probabilities: `(num_events,)` float32 that the event belongs to its unit and to no other of its neighbourhood.
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
    merged, samples = merge_clusters(clusters, peaks, prepared, parameters)
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
        return assign(features, labels, min_cluster_size=1, outlier_quantile=1.0)
    return cluster_locally(
        features,
        neighborhoods_of_spikes(peaks["channel_index"], prepared.groups),
        method=parameters.clustering,
        # Half a unit may be seen from each of two channels; the whole is judged after merging.
        min_cluster_size=max(parameters.min_spikes_per_unit // 2, 2),
        min_valley=parameters.min_valley,
        seed=parameters.seed,
    )


def merge_clusters(labels, peaks, prepared, parameters):
    """Join clusters that are one unit seen from two neighbourhoods, and bring their spikes to one alignment.

    Args:
        labels: `(num_spikes,)` from 0, -1 for outliers.
        peaks: structured array of the same spikes.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `(labels, samples)`: `(num_spikes,)` int64 labels without gaps; `(num_spikes,)` int64 times in samples.
    """
    samples = peaks["sample_index"].astype("int64")
    if parameters.num_units is not None or labels.max(initial=-1) < 1:
        return labels, samples
    templates = average_templates(labels, samples, peaks, prepared, parameters.seed)
    max_shift = int(MAX_MISALIGNMENT_MS * prepared.recording.get_sampling_frequency() / 1000)
    merged, shifts = merge_units(labels, templates, max_distance=parameters.merge_distance, max_shift=max_shift)
    logger.info("merge: %d clusters -> %d units", labels.max() + 1, merged.max() + 1)
    last_sample = np.array([prepared.recording.get_num_samples(i) - 1 for i in range(len(prepared.segment_indices))])
    return merged, np.clip(samples + shifts, 0, last_sample[peaks["segment_index"]])


def average_templates(labels, samples, peaks, prepared, seed=0):
    """Average the traces around at most 500 spikes of each cluster.

    Args:
        labels: `(num_spikes,)` from 0 without gaps, -1 for outliers.
        samples: `(num_spikes,)` times in samples.
        peaks: structured array of the same spikes.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
        seed: of the choice of spikes.

    Returns:
        `(num_units, num_samples, num_channels)` float32 on all channels, in noise units; 1 ms before to 2 ms after.
    """
    from spikeinterface.core import estimate_templates
    from spikeinterface.core.base import minimum_spike_dtype

    if labels.max(initial=-1) < 0:
        return np.zeros((0, 0, len(prepared.noise_levels)), dtype="float32")
    recording = prepared.recording
    rate = recording.get_sampling_frequency()
    num_before, num_after = int(TEMPLATE_MS_BEFORE * rate / 1000), int(TEMPLATE_MS_AFTER * rate / 1000)
    num_samples = np.array([recording.get_num_samples(i) for i in range(recording.get_num_segments())])
    is_inside = (samples >= num_before) & (samples < num_samples[peaks["segment_index"]] - num_after)
    rng = np.random.default_rng(seed)
    chosen = []
    for unit in range(labels.max(initial=-1) + 1):
        members = np.flatnonzero((labels == unit) & is_inside)
        chosen.append(rng.permutation(members)[:MAX_SPIKES_PER_TEMPLATE])
    chosen = np.concatenate(chosen)
    chosen = chosen[np.lexsort((samples[chosen], peaks["segment_index"][chosen]))]
    spikes = np.zeros(len(chosen), dtype=minimum_spike_dtype)
    spikes["sample_index"] = samples[chosen]
    spikes["segment_index"] = peaks["segment_index"][chosen]
    spikes["unit_index"] = labels[chosen]
    unit_ids = np.arange(labels.max() + 1)
    templates = estimate_templates(
        recording, spikes, unit_ids, num_before, num_after, return_in_uV=False, n_jobs=1, progress_bar=False
    )
    # A unit of which every spike is cut off by the ends of the recording has no template.
    return np.nan_to_num(templates) / prepared.noise_levels


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
