"""Find the spikes that bursts have weakened.

Within a burst a neuron's spikes become smaller (to 60 % and less in pyramidal cells). Template matching asks for most
of a template, so that it misses the later spikes of small units. Looking for smaller spikes everywhere would take
spikes of other neurons; here they are looked for in units that are seen to burst, right after a spike of the unit, and
where no spike of another unit has been found.
"""

import logging

import numpy as np

from .engine import match_templates

logger = logging.getLogger("huidurep_hf")

# What is left of a spike late in a burst.
WEAKENED = 0.65
# Less evidence is asked for than elsewhere: a burst goes on far more often than a unit fires by itself. Chosen on
# development recordings.
MIN_GAIN_IN_BURST = 14.0
# Intervals within bursts; at the lower end the dead time of two templates on one spike.
BURST_INTERVAL_MS = (1.5, 12.0)
# A unit bursts where it has this many such intervals, and this many times what chance gives at its rate (1.5 and 3
# tried: with 3, fast units that burst are not seen to).
MIN_INTERVALS = 20
MIN_RATIO = 1.5
# A spike of another unit this close leaves remains that a small template could take for a spike.
APART_MS = 0.5


def add_weakened_spikes(matched, templates, whitened):
    """Match again with weakened templates of bursting units beside the others, and keep what continues a burst.

    Args:
        matched: structured array of matched spikes, as [`~huidurep_hf.sorting.matching.engine.match_templates`] gives
            them.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`] with which they were found.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], as recorded.

    Returns:
        Structured array of the same kind: `matched` and the spikes found beside it.
    """
    rate = whitened.recording.get_sampling_frequency()
    num_samples = [whitened.recording.get_num_samples(i) for i in range(len(whitened.segment_indices))]
    bursting = find_bursting_units(matched, len(templates), num_samples, rate)
    if len(bursting) == 0:
        return matched
    again = match_templates(whitened, templates.with_weakened(bursting, WEAKENED), MIN_GAIN_IN_BURST)
    unit = np.concatenate([np.arange(len(templates)), bursting])
    weakened = again[again["cluster_index"] >= len(templates)]
    weakened["cluster_index"] = unit[weakened["cluster_index"]]
    weakened = weakened[is_apart(weakened, matched, templates, round(APART_MS * 1e-3 * rate))]
    weakened = weakened[continues_burst(weakened, matched, rate)]
    logger.info("match: %d weakened spikes of %d bursting units", len(weakened), len(bursting))
    together = np.concatenate([matched, weakened])
    return together[np.lexsort((together["cluster_index"], together["sample_index"], together["segment_index"]))]


def find_bursting_units(matched, num_units, num_samples, sampling_rate):
    """Find units with many more intervals of a burst's length than a Poisson train of their rate would have.

    Args:
        matched: structured array of spikes, sorted by segment and sample.
        num_units: units, numbered from 0.
        num_samples: of each segment.
        sampling_rate: Hz.

    Returns:
        `(num_bursting,)` int64.
    """
    low, high = (ms * 1e-3 * sampling_rate for ms in BURST_INTERVAL_MS)
    bursting = []
    for unit in range(num_units):
        spikes = matched[matched["cluster_index"] == unit]
        same_segment = np.diff(spikes["segment_index"]) == 0
        intervals = np.diff(spikes["sample_index"].astype("int64"))[same_segment]
        num_within = np.sum((intervals >= low) & (intervals <= high))
        per_sample = len(spikes) / sum(num_samples)
        by_chance = len(intervals) * (np.exp(-per_sample * low) - np.exp(-per_sample * high))
        if num_within >= MIN_INTERVALS and num_within > MIN_RATIO * by_chance:
            bursting.append(unit)
    return np.array(bursting, dtype="int64")


def is_apart(spikes, others, templates, max_gap):
    """Tell which spikes have none of the others within a number of samples, of any unit that shares channels.

    Args:
        spikes, others: structured arrays, sorted by segment and sample.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`].
        max_gap: samples.

    Returns:
        `(num_spikes,)` bool.
    """
    on_channel = templates.waveforms.any(axis=(0, 2)).astype("float32")
    shares = on_channel @ on_channel.T > 0
    apart = np.ones(len(spikes), dtype=bool)
    for segment in np.unique(spikes["segment_index"]):
        mine = np.flatnonzero(spikes["segment_index"] == segment)
        theirs = others[others["segment_index"] == segment]
        times = theirs["sample_index"].astype("int64")
        own_times = spikes["sample_index"][mine].astype("int64")
        starts = np.searchsorted(times, own_times - max_gap, side="left")
        stops = np.searchsorted(times, own_times + max_gap, side="right")
        for index, start, stop in zip(mine, starts, stops):
            near = theirs["cluster_index"][start:stop]
            apart[index] = not shares[spikes["cluster_index"][index], near].any()
    return apart


def continues_burst(weakened, matched, sampling_rate):
    """Tell which weakened spikes follow a spike of their unit, or a weakened one that does, within a burst's interval.

    Args:
        weakened, matched: structured arrays, sorted by segment and sample.
        sampling_rate: Hz.

    Returns:
        `(num_weakened,)` bool.
    """
    low, high = (ms * 1e-3 * sampling_rate for ms in BURST_INTERVAL_MS)
    continues = np.zeros(len(weakened), dtype=bool)
    both = np.concatenate([matched, weakened])
    index = np.concatenate([np.full(len(matched), -1), np.arange(len(weakened))])
    order = np.lexsort((both["sample_index"], both["segment_index"], both["cluster_index"]))
    last, last_key = -np.inf, None
    for spike, weak in zip(both[order], index[order]):
        key = (spike["cluster_index"], spike["segment_index"])
        if key != last_key:
            last, last_key = -np.inf, key
        interval = spike["sample_index"] - last
        if weak >= 0:
            continues[weak] = low <= interval <= high
            if not continues[weak]:
                continue
        last = spike["sample_index"]
    return continues
