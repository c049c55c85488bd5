"""Match the clusters' templates with the whole recording, and find which matched spike is which detected peak."""

import logging

import numpy as np

from ...recording.spikes.neighborhood import find_neighborhoods
from ...recording.spikes.waveforms import iterate_waveforms
from ..clustering.assignment import drop_small
from ..merging.units import join_matched
from ..rejection.collisions import find_collisions
from ..rejection.noise_units import is_supported
from ..rejection.residual_units import find_remains
from ..templates.averages import average_templates, signed
from ..templates.estimation import find_templates, visible_part
from ..templates.unit_templates import NUM_MATCHING_CHANNELS
from .bursts import add_weakened_spikes
from .engine import match_templates

logger = logging.getLogger("huidurep_hf")

# A matched spike and a detected peak this close, in each other's neighbourhood, are one event.
SAME_EVENT_MS = 0.4
MAX_MATCHES = 3


def match_events(clusters, peaks, prepared, whitened, parameters):
    """Find the spikes of every cluster in the whole recording.

    Args:
        clusters: [`~huidurep_hf.sorting.clustering.clusters.Clusters`], at least one.
        peaks: structured array of the clustered peaks.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        whitened: the same, whitened.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `(events, detected, labels, samples)`, sorted by segment and detected sample: structured array of the peaks and
        of the spikes found beside them; `(num_events,)` index of the detected peak, -1 for the others; `(num_events,)`
        cluster, -1 for none; `(num_events,)` times in samples.
    """
    rate = whitened.recording.get_sampling_frequency()
    neighborhoods = find_neighborhoods(whitened.positions, whitened.groups, NUM_MATCHING_CHANNELS)
    labels = clusters.labels
    if parameters.num_units is None:
        labels = _without_collisions(clusters, peaks, whitened, neighborhoods, parameters.seed)
    templates = find_templates(labels, clusters.samples, peaks, whitened, parameters.seed)
    matched = match_templates(whitened.as_recorded, templates)
    max_gap = round(SAME_EVENT_MS * 1e-3 * rate)

    def pair(matched):
        return pair_events(peaks, clusters.samples, matched, neighborhoods, max_gap)

    if parameters.num_units is not None:
        if len(np.unique(matched["cluster_index"])) < len(templates):
            logger.info("match: not every unit asked for is found by its template; clusters are left as they are")
            return peaks, np.arange(len(peaks)), clusters.labels, clusters.samples
    else:
        matched, templates = _without_false_units(matched, templates, pair, prepared, whitened, parameters)
        matched = add_weakened_spikes(matched, templates, whitened.as_recorded)
        matched = join_matched(
            matched, templates, whitened.as_recorded, min_valley=parameters.min_valley, seed=parameters.seed
        )
    logger.info("match: %d spikes of %d units", len(matched), len(np.unique(matched["cluster_index"])))
    peak_of_match = pair(matched)
    labels = np.full(len(peaks), -1, dtype="int64")
    samples = peaks["sample_index"].astype("int64")
    is_detected = peak_of_match >= 0
    labels[peak_of_match[is_detected]] = matched["cluster_index"][is_detected]
    samples[peak_of_match[is_detected]] = matched["sample_index"][is_detected]
    alone = matched[~is_detected]
    added = np.zeros(len(alone), dtype=peaks.dtype)
    for name in ("sample_index", "segment_index", "channel_index"):
        added[name] = alone[name]
    added["amplitude"] = _amplitudes(alone, prepared)
    events = np.concatenate([peaks, added])
    detected = np.concatenate([np.arange(len(peaks)), np.full(len(added), -1)])
    labels = np.concatenate([labels, alone["cluster_index"]])
    samples = np.concatenate([samples, alone["sample_index"]])
    order = np.lexsort((events["channel_index"], events["sample_index"], events["segment_index"]))
    return events[order], detected[order], labels[order], samples[order]


def _without_collisions(clusters, peaks, whitened, neighborhoods, seed):
    """Labels without clusters that are sums of others, numbered anew."""
    templates = average_templates(clusters.labels, clusters.samples, peaks, whitened, seed)
    counts = np.bincount(clusters.labels[clusters.labels >= 0], minlength=len(templates))
    visible = visible_part(templates, counts, neighborhoods)
    is_collision = find_collisions(clusters.labels, clusters.samples, peaks, visible, neighborhoods, whitened, seed)
    logger.info("match: %d of %d clusters are collisions of others", is_collision.sum(), len(templates))
    return drop_small(np.where(np.append(is_collision, True)[clusters.labels], -1, clusters.labels), 1)


def pair_events(peaks, samples, matched, neighborhoods, max_gap):
    """Find for each matched spike the detected peak that it is, the nearest in time first.

    Args:
        peaks: structured array of detected peaks, sorted by segment and sample.
        samples: `(num_peaks,)` their times after alignment.
        matched: structured array of matched spikes.
        neighborhoods: [`~huidurep_hf.recording.spikes.neighborhood.Neighborhoods`]: how far a peak may lie from a unit.
        max_gap: samples by which the two may differ.

    Returns:
        `(num_matched,)` int64 index of the peak, each at most once; -1 where there is none.
    """
    found = np.full(len(matched), -1, dtype="int64")
    num_channels = len(neighborhoods.channel_indices)
    is_near = np.zeros((num_channels, num_channels), dtype=bool)
    rows, columns = np.nonzero(neighborhoods.mask)
    is_near[rows, neighborhoods.channel_indices[rows, columns]] = True
    candidates = []
    for segment in np.unique(matched["segment_index"]):
        of_peaks = np.flatnonzero(peaks["segment_index"] == segment)
        of_peaks = of_peaks[np.argsort(samples[of_peaks], kind="stable")]
        of_matched = np.flatnonzero(matched["segment_index"] == segment)
        times = matched["sample_index"][of_matched].astype("int64")
        starts = np.searchsorted(samples[of_peaks], times - max_gap, side="left")
        stops = np.searchsorted(samples[of_peaks], times + max_gap, side="right")
        spans = np.repeat(np.arange(len(times)), stops - starts)
        offsets = np.arange(len(spans)) - np.repeat(np.cumsum(stops - starts) - (stops - starts), stops - starts)
        candidates.append(np.stack([of_matched[spans], of_peaks[starts[spans] + offsets]], axis=1))
    if not candidates:
        return found
    candidates = np.concatenate(candidates)
    spike, peak = candidates.T
    close = is_near[matched["channel_index"][spike], peaks["channel_index"][peak]]
    spike, peak = spike[close], peak[close]
    gaps = np.abs(matched["sample_index"][spike].astype("int64") - samples[peak])
    is_taken = np.zeros(len(peaks), dtype=bool)
    for index in np.argsort(gaps, kind="stable"):
        if found[spike[index]] < 0 and not is_taken[peak[index]]:
            found[spike[index]] = peak[index]
            is_taken[peak[index]] = True
    return found


def _without_false_units(matched, templates, pair, prepared, whitened, parameters):
    """Spikes and templates without those that find noise or remains; matched again, as these took spikes of others."""
    for _ in range(MAX_MATCHES):
        is_noise = ~is_supported(matched, templates, whitened.as_recorded, parameters.seed)
        depths = _depths(matched, len(templates), prepared, parameters)
        is_rest = find_remains(matched["cluster_index"], pair(matched) >= 0, depths, parameters.detect_threshold)
        is_kept = ~(is_noise | is_rest)
        if is_kept.all():
            break
        logger.info("match: %d of %d clusters are noise", is_noise.sum(), len(templates))
        logger.info("match: %d of %d clusters are remains of others", is_rest.sum(), len(templates))
        templates = templates.chosen(is_kept)
        matched = match_templates(whitened.as_recorded, templates)
    return matched, templates


def _depths(matched, num_units, prepared, parameters):
    """Trough of each unit's average spike (peak, where those are detected), `(num_units,)` SDs of the noise."""
    samples = matched["sample_index"].astype("int64")
    averages = average_templates(matched["cluster_index"], samples, matched, prepared, parameters.seed)
    # No match at all leaves averages of no samples.
    depths = signed(averages, parameters.peak_sign).max(axis=(1, 2), initial=0)
    return np.pad(depths, (0, num_units - len(depths)))


def _amplitudes(spikes, prepared):
    """Traces at the peak channel of each spike, sorted by segment and sample; read in one pass."""
    own_channel = find_neighborhoods(prepared.positions, prepared.groups, 1)
    amplitudes = np.zeros(len(spikes), dtype="float32")
    batches = iterate_waveforms(
        prepared.recording, spikes, own_channel, prepared.noise_levels, num_before=0, num_after=1
    )
    for batch in batches:
        amplitudes[batch.first : batch.first + len(batch.waveforms)] = batch.waveforms[:, 0, 0]
    return amplitudes
