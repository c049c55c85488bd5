"""Join units that are one neuron, by the spikes that matching has found.

Where clusters were joined, half of a unit's spikes were missing and some were another's. Now that all are there, three
things tell that two units alike are one. They keep each other's refractory period, as two neurons do not. And where
the tissue moves they replace each other, or there is no valley between them in the traces as recorded.
"""

import logging

import numpy as np

from ...recording.chunks import on_one_time_line
from ..templates.spike_waveforms import choose_spikes
from .drift_exclusivity import count_in_states, replace_each_other
from .refractoriness import fire_as_one, fire_independently
from .template_distance import join_pairs, template_distances
from .valley_under_drift import valley_in_motion

logger = logging.getLogger("huidurep_hf")

# Units whose templates differ by more than this share of the larger's energy are two.
MAX_RELATIVE_DISTANCE = 0.8
# By their times alone none are joined that differ by more than this.
MAX_DISTANCE_BY_TIMES = 0.5
MAX_MISALIGNMENT_MS = 0.5
MAX_SPIKES_PER_TEST = 200


def join_matched(matched, templates, recorded, *, min_valley, seed=0):
    """Join units that are alike and fire as one, or that motion alone keeps apart.

    Args:
        matched: structured array of matched spikes, as [`~huidurep_hf.sorting.matching.engine.match_templates`] gives
            them.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`] with which they were found.
        recorded: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], as recorded.
        min_valley: the dial from split (0) to merged (1): depth of the valley that keeps two units apart, three times
            the share of the coincidences of two neurons that does, and how little they need replace each other.
        seed: of the choice of spikes.

    Returns:
        Structured array of the same spikes, sorted by segment and sample: joined units have the number and the channel
        of the first of them, and one alignment.
    """
    if len(templates) < 2:
        return matched
    rate = recorded.recording.get_sampling_frequency()
    distances, lags = template_distances(_over_states(templates), round(MAX_MISALIGNMENT_MS * 1e-3 * rate))
    has_spikes = np.bincount(matched["cluster_index"], minlength=len(templates)) > 0
    is_near = (distances < MAX_RELATIVE_DISTANCE) & has_spikes[:, None] & has_spikes[None, :]
    pairs = np.argwhere(np.triu(is_near, k=1))
    pairs = pairs[np.argsort(distances[pairs[:, 0], pairs[:, 1]], kind="stable")]
    spikes = choose_spikes(matched["cluster_index"], MAX_SPIKES_PER_TEST, seed, len(templates))
    times = on_one_time_line(matched["sample_index"], matched["segment_index"], recorded.recording)
    in_motion = len(templates.states) > 1
    if in_motion:
        counts = count_in_states(matched, matched["cluster_index"], len(templates), templates.states)
    trains = [np.sort(times[matched["cluster_index"] == unit]) for unit in range(len(templates))]

    def are_one(first, second):
        distance, lag = distances[first, second], lags[first, second]
        trains_of_pair = trains[first], trains[second] + lag
        if fire_independently(*trains_of_pair, rate):
            return False
        if distance < MAX_DISTANCE_BY_TIMES and fire_as_one(*trains_of_pair, rate, min_valley / 3):
            return True
        if not in_motion:
            return False
        if replace_each_other(counts[first], counts[second], distance, min_valley):
            return True
        return valley_in_motion(first, second, lag, spikes, matched, templates, recorded) < min_valley

    is_one = np.zeros(distances.shape, dtype=bool)
    for first, second in pairs:
        is_one[first, second] = is_one[second, first] = are_one(first, second)
    linked = link_pairs(pairs, is_one)
    logger.info("match: %d of %d units are joined with others", len(linked), len(templates))
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


def _over_states(templates):
    """`(num_units, num_samples, num_states * num_channels)`, each state by its share of the time."""
    weights = np.sqrt(templates.states.shares()).astype("float32")
    weighted = templates.waveforms * weights[:, None, None, None]
    return weighted.transpose(1, 2, 0, 3).reshape(len(templates), templates.waveforms.shape[2], -1)
