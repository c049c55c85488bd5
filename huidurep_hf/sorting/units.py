"""From clusters to units: their spikes over the whole recording, and what became of every event."""

import logging
from dataclasses import dataclass

import numpy as np

from .clustering.assignment import drop_small
from .matching.matched_events import match_events
from .matching.probabilities import spike_probabilities
from .merging.drift_fragments import with_pieces_joined
from .merging.template_distance import find_duplicates
from .rejection.residual_units import find_remains
from .templates.averages import average_templates, signed, template_window

logger = logging.getLogger("huidurep_hf")

MAX_MOVE_MS = 0.6
# A unit below this is noise, or too far away to be told from others as far.
MIN_SNR = 2.0


@dataclass(frozen=True)
class Units:
    """To which unit each event belongs.

    Attributes:
        peaks: structured array of the events, sorted by segment and sample: the detected peaks, and the spikes that
            template matching found beside them.
        detected: `(num_events,)` int64 index of the detected peak, -1 for a spike found by template matching alone.
        units: `(num_events,)` int64 unit from 0, -1 for events of no unit.
        samples: `(num_events,)` int64 times in samples; events of one unit share one alignment.
        probabilities: `(num_events,)` float32 that the event belongs to its unit, and not to another near it or to
            noise; 0 for events of no unit.
        became: `(num_events,)` str: "unit", "duplicate", "small cluster" or "noise".
        templates: `(num_units, num_samples, num_channels)` float32, noise units.
    """

    peaks: np.ndarray
    detected: np.ndarray
    units: np.ndarray
    samples: np.ndarray
    probabilities: np.ndarray
    became: np.ndarray
    templates: np.ndarray


def find_units(clusters, peaks, prepared, whitened, parameters):
    """Find the spikes of every cluster in the whole recording, remove duplicates and small units.

    Args:
        clusters: [`~huidurep_hf.sorting.clustering.clusters.Clusters`].
        peaks: structured array of the clustered peaks.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        whitened: the same, whitened.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        [`Units`], numbered by shank and from the bottom of the probe to its top.
    """
    if prepared.motion is not None and parameters.num_units is None:
        clusters = with_pieces_joined(clusters, peaks, whitened, parameters.seed)
    detected = np.arange(len(peaks))
    labels, samples = clusters.labels, clusters.samples
    if parameters.template_matching == "on" and labels.max(initial=-1) >= 0:
        peaks, detected, labels, samples = match_events(clusters, peaks, prepared, whitened, parameters)
    is_duplicate = mark_duplicates(samples, labels, peaks, prepared, parameters.duplicate_ms)
    units = np.where(is_duplicate, -1, labels)
    if parameters.num_units is None:
        units = drop_small(units, parameters.min_spikes_per_unit)
    is_small = (units < 0) & (labels >= 0)
    units = order_along_probe(units, peaks, prepared)
    samples = to_extremum(samples, units, peaks, prepared, parameters)
    templates = average_templates(units, samples, peaks, prepared, parameters.seed)
    if parameters.num_units is None and len(templates):
        is_false = find_false_units(units, detected >= 0, templates, parameters)
        units = drop_small(np.where(is_false[units] & (units >= 0), -1, units), 1)
        templates = templates[~is_false]
    became = np.select([units >= 0, is_duplicate, is_small], ["unit", "duplicate", "small cluster"], "noise")
    probabilities = spike_probabilities(units, samples, peaks, whitened, parameters.seed)
    return Units(peaks, detected, units, samples, probabilities, became, templates)


def find_false_units(units, is_detected, templates, parameters):
    """Find units that are too faint to be told from noise, and what is left of others' spikes.

    Args:
        units: `(num_events,)` from 0 without gaps, -1 for events of no unit.
        is_detected: `(num_events,)` bool, whether the event is a detected peak.
        templates: `(num_units, num_samples, num_channels)`, SDs of the noise.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`], for sign and threshold of detection.

    Returns:
        `(num_units,)` bool.
    """
    is_faint = np.abs(templates).max(axis=(1, 2)) < MIN_SNR
    is_spike = units >= 0
    depths = signed(templates, parameters.peak_sign).max(axis=(1, 2))
    # Matching has looked for them already, before units were joined and spikes found twice were dropped.
    is_rest = find_remains(units[is_spike], is_detected[is_spike], depths, parameters.detect_threshold)
    logger.info("match: %d of %d units are faint, %d remains of others", is_faint.sum(), len(templates), is_rest.sum())
    return is_faint | is_rest


def order_along_probe(labels, peaks, prepared):
    """Number units by shank, then from the bottom of the probe to its top.

    Args:
        labels: `(num_events,)` from 0 without gaps, -1 for events of no unit.
        peaks: structured array of the same events.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].

    Returns:
        `(num_events,)` int64, the same units with their new numbers.
    """
    num_units = labels.max(initial=-1) + 1
    keys = np.zeros((num_units, 3))
    for unit in range(num_units):
        channels = peaks["channel_index"][labels == unit]
        keys[unit] = [prepared.groups[channels].min(), *prepared.positions[channels].mean(axis=0)[::-1]]
    new_labels = np.full(num_units + 1, -1, dtype="int64")
    new_labels[np.lexsort(keys.T[::-1])] = np.arange(num_units)
    return new_labels[labels]


def to_extremum(samples, units, peaks, prepared, parameters):
    """Move the times of each unit's spikes to the extremum of its average at its largest channel.

    Joined clusters share the alignment of the first of them, which may be a later deflection or another channel's.

    Args:
        samples: `(num_events,)` times in samples.
        units: `(num_events,)` from 0 without gaps, -1 for events of no unit.
        peaks: structured array of the same events.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`], for the sign and the seed.

    Returns:
        `(num_events,)` int64.
    """
    if units.max(initial=-1) < 0:
        return samples
    rate = prepared.recording.get_sampling_frequency()
    templates = average_templates(units, samples, peaks, prepared, parameters.seed)
    num_before, _ = template_window(rate)
    max_shift = min(max(round(MAX_MOVE_MS * 1e-3 * rate), 1), num_before)
    near = templates[:, num_before - max_shift : num_before + max_shift + 1]
    moves = signed(near, parameters.peak_sign).max(axis=2).argmax(axis=1) - max_shift
    num_samples = np.array([prepared.recording.get_num_samples(i) for i in range(len(prepared.segment_indices))])
    moved = samples + np.where(units >= 0, moves[units], 0)
    return np.clip(moved, 0, num_samples[peaks["segment_index"]] - 1)


def mark_duplicates(samples, labels, peaks, prepared, duplicate_ms):
    """Mark spikes that were found twice in one unit, segment by segment.

    Args:
        samples: `(num_events,)` aligned times in samples.
        labels: `(num_events,)` from 0, -1 for events of no unit.
        peaks: structured array of the same events.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        duplicate_ms: spikes of one unit at most this far apart are one spike.

    Returns:
        `(num_events,)` bool.
    """
    is_duplicate = np.zeros(len(samples), dtype=bool)
    if len(samples) == 0:
        return is_duplicate
    max_gap = int(duplicate_ms * prepared.recording.get_sampling_frequency() / 1000)
    for segment in np.unique(peaks["segment_index"]):
        inside = np.flatnonzero(peaks["segment_index"] == segment)
        is_duplicate[inside] = find_duplicates(samples[inside], labels[inside], peaks["amplitude"][inside], max_gap)
    return is_duplicate
