"""Join units that are one neuron, by their templates in tissue that moves.

Clusters are found in traces that were moved back, where one neuron may look like two: at some displacements it lies
between contacts. In the traces as recorded each unit has its templates for every state of the tissue, and these tell:
of one neuron they are alike in all states, and no valley lies between the spikes along what they differ by.
"""

import logging

import numpy as np

from ..clustering.merging import join_pairs, template_distances
from ..clustering.separation import valley_depth_on_line
from ..recording.chunks import on_one_time_line
from .refractoriness import fire_independently
from .spike_waveforms import SpikeWaveforms, choose_spikes

logger = logging.getLogger("huidurep_hf")

# Units whose templates differ by more than this share of the larger's energy are two.
MAX_RELATIVE_DISTANCE = 0.8
MAX_MISALIGNMENT_MS = 0.5
MAX_SPIKES_PER_TEST = 200
# Spikes are compared in the states in which two units differ most, so much of the time together.
SHARE_OF_TIME = 0.5
MIN_SPIKES_PER_TEST = 5


def join_in_motion(matched, templates, recorded, *, min_valley, seed=0):
    """Join units between which there is no valley in the traces as recorded, unless they fire as two neurons do.

    Args:
        matched: structured array of matched spikes, as [`~huidurep_hf.sorting.matching.match_templates`] gives them.
        templates: [`~huidurep_hf.sorting.unit_templates.UnitTemplates`] with which they were found.
        recorded: whitened [`~huidurep_hf.recording.preparation.PreparedRecording`], as recorded.
        min_valley: depth of the valley, 0 to 1, that keeps two units apart.
        seed: of the choice of spikes.

    Returns:
        Structured array of the same spikes, sorted by segment and sample: joined units have the number and the channel
        of the first of them, and one alignment.
    """
    rate = recorded.recording.get_sampling_frequency()
    distances, lags = template_distances(_over_states(templates), round(MAX_MISALIGNMENT_MS * 1e-3 * rate))
    pairs = np.argwhere(np.triu(distances < MAX_RELATIVE_DISTANCE, k=1))
    pairs = pairs[np.argsort(distances[pairs[:, 0], pairs[:, 1]], kind="stable")]
    units = np.append(matched["cluster_index"], len(templates) - 1)
    spikes = [chosen[chosen < len(matched)] for chosen in choose_spikes(units, MAX_SPIKES_PER_TEST, seed)]
    times = on_one_time_line(matched["sample_index"], matched["segment_index"], recorded.recording)
    is_one = np.zeros(distances.shape, dtype=bool)
    for first, second in pairs:
        trains = [np.sort(times[matched["cluster_index"] == unit]) for unit in (first, second)]
        if not fire_independently(*trains, rate):
            depth = valley_between(first, second, lags[first, second], spikes, matched, templates, recorded)
            is_one[first, second] = is_one[second, first] = depth < min_valley
    linked = link_pairs(pairs, is_one)
    logger.info("match: %d of %d units are joined, alike in motion", len(linked), len(templates))
    joined_units, shifts = join_pairs(len(templates), linked, lags[linked[:, 0], linked[:, 1]])
    first_of = np.unique(joined_units, return_index=True)[1][joined_units]
    joined = matched.copy()
    num_samples = np.array([recorded.recording.get_num_samples(i) for i in range(len(recorded.segment_indices))])
    moved = matched["sample_index"] + shifts[matched["cluster_index"]]
    joined["sample_index"] = np.clip(moved, 0, num_samples[matched["segment_index"]] - 1)
    joined["cluster_index"] = first_of[matched["cluster_index"]]
    joined["channel_index"] = templates.channels[joined["cluster_index"]]
    return joined[np.lexsort((joined["cluster_index"], joined["sample_index"], joined["segment_index"]))]


def link_pairs(pairs, is_one):
    """Choose pairs to be joined, so that in a group of joined units each two are one.

    Args:
        pairs: `(num_pairs, 2)` units, the most alike first.
        is_one: `(num_units, num_units)` bool, symmetric.

    Returns:
        `(num_linked, 2)` int64 of the pairs.
    """
    group_of = [{unit} for unit in range(len(is_one))]
    linked = []
    for first, second in pairs:
        one, other = group_of[first], group_of[second]
        if one is not other and is_one[np.ix_(list(one), list(other))].all():
            linked.append((first, second))
            for unit in one | other:
                group_of[unit] = one
            one |= other
    return np.array(linked, dtype="int64").reshape(-1, 2)


def valley_between(first, second, lag, spikes, matched, templates, recorded):
    """Depth of the valley between the spikes of two units, along what their templates differ by.

    Args:
        first, second: units.
        lag: samples to add to the second's spike times to align them with the first's.
        spikes: for each unit the indices of some of its spikes.
        matched, templates, recorded: as for [`join_in_motion`].

    Returns:
        `float`, 0 to 1, as [`~huidurep_hf.clustering.separation.valley_depth_on_line`]; 1 where there are too few
        spikes to tell.
    """
    one, other = templates.waveforms[:, first], np.roll(templates.waveforms[:, second], -lag, axis=1)
    difference = other - one
    # Spikes that differ by a part of a sample in time are no two units.
    slope = np.gradient(one + other, axis=1)
    share = (difference * slope).sum(axis=(1, 2)) / np.maximum(np.square(slope).sum(axis=(1, 2)), 1e-12)
    difference = difference - share[:, None, None] * slope
    tells = _states_that_tell(np.square(difference).sum(axis=(1, 2)), templates.states.shares())
    peak_channels = np.ptp(one + other, axis=1).argmax(axis=1)
    lines = []
    for unit, shift in ((first, 0), (second, lag)):
        placed = matched[spikes[unit]]
        placed["sample_index"] += shift
        states = templates.states_of(placed)
        placed, states = placed[tells[states]], states[tells[states]]
        # Both are looked at on the same channels.
        placed["channel_index"] = peak_channels[states]
        lines.append(_along(placed, states, 0.5 * (one + other), difference, templates.num_before, recorded))
    if min(len(line) for line in lines) < MIN_SPIKES_PER_TEST:
        return 1.0
    return valley_depth_on_line(*lines)


def _over_states(templates):
    """`(num_units, num_samples, num_states * num_channels)`, each state by its share of the time."""
    weights = np.sqrt(templates.states.shares()).astype("float32")
    weighted = templates.waveforms * weights[:, None, None, None]
    return weighted.transpose(1, 2, 0, 3).reshape(len(templates), templates.waveforms.shape[2], -1)


def _states_that_tell(differences, shares):
    """Bool for each state: those that differ most, until they make up half of the time."""
    order = np.argsort(-differences, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    tells = np.zeros(len(differences), dtype=bool)
    tells[order] = before < SHARE_OF_TIME
    return tells


def _along(spikes, states, middle, difference, num_before, recorded):
    """How far each spike lies from the middle of two templates along what they differ by, SDs of the noise."""
    waveforms = SpikeWaveforms.cut(recorded, spikes)
    start = num_before - waveforms.num_before
    inner = slice(start, start + waveforms.num_samples)
    line = np.zeros(len(spikes))
    for state in np.unique(states):
        own = np.flatnonzero(states == state)
        near = waveforms.channels[waveforms.peak_channels[own[0]]]
        near = near[near >= 0]
        direction = difference[state, inner][:, near]
        cut = waveforms.aligned_on(own, np.zeros(len(own), dtype="int64"), near)
        projections = np.tensordot(cut - middle[state, inner][:, near], direction, axes=([1, 2], [0, 1]))
        line[own] = projections / max(np.linalg.norm(direction), 1e-9)
    return line
