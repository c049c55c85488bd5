"""Blank what is far too large, on far too many channels, to be a neuron: stimulation, movement, electrical knocks.

A few of them spoil a sort: they are detected, ring in the filter, and make units of their own and templates that
match others' spikes.
"""

import logging

import numpy as np

from ..chunks import iterate_chunks

logger = logging.getLogger("huidurep_hf")

# The loudest neurons of simulated tetrodes in little noise reach 75 on all four contacts. Fewer contacts than four
# cannot tell the two apart.
THRESHOLD = 150.0
MIN_CHANNELS = 4
# The band-pass rings for about so long.
MARGIN_MS = 10.0
# Where more would have to go, something else is the matter, and the recording is left as it is.
MAX_SHARE = 0.1


def blank_artifacts(recording, noise_levels, threshold=THRESHOLD):
    """Set artifacts and 10 ms around them to zero.

    Args:
        recording: filtered SpikeInterface recording.
        noise_levels: `(num_channels,)` SD of the noise, in the unit of the traces.
        threshold: an artifact is a sample that is larger than this, in SDs of the noise and of whatever sign, on a
            quarter of the channels, four at least. 0 for none.

    Returns:
        `(recording, step)`: the recording, the given one if there is nothing to blank, and what was done in words, or
        `None`. Where artifacts would take more than a tenth of the recording, nothing is blanked, with a warning.
    """
    from spikeinterface.preprocessing import silence_periods

    if threshold == 0 or len(noise_levels) < MIN_CHANNELS:
        return recording, None
    periods = find_artifacts(recording, noise_levels, threshold)
    if len(periods) == 0:
        return recording, None
    share = (periods["end_sample_index"] - periods["start_sample_index"]).sum() / recording.get_total_samples()
    if share > MAX_SHARE:
        logger.warning(
            "%d artifacts (above %g SDs of the noise on a quarter of the channels) would take %.0f %% of the time, so "
            "none is blanked. Remove them first, by spikeinterface.preprocessing.remove_artifacts for example.",
            len(periods),
            threshold,
            100 * share,
        )
        return recording, None
    step = (
        f"blanked {len(periods)} artifacts (above {threshold:g} SDs on a quarter of the channels, {MARGIN_MS:g} ms"
        f" around each): {100 * share:.2g} % of the recording"
    )
    logger.warning("%s", step[0].upper() + step[1:])
    return silence_periods(recording, periods=periods, mode="zeros"), step


def find_artifacts(recording, noise_levels, threshold):
    """Find artifacts, reading the recording once.

    Args:
        recording, noise_levels, threshold: as for [`blank_artifacts`].

    Returns:
        Structured array of SpikeInterface's periods (`segment_index`, `start_sample_index`, `end_sample_index`), with
        the 10 ms around, in order and apart.
    """
    needed = max(MIN_CHANNELS, -(-len(noise_levels) // 4))
    samples = [[np.zeros(0, dtype="int64")] for _ in range(recording.get_num_segments())]
    for segment, start, end in iterate_chunks(recording):
        traces = recording.get_traces(segment_index=segment, start_frame=start, end_frame=end)
        is_large = np.abs(traces) > threshold * noise_levels
        samples[segment].append(start + np.flatnonzero(is_large.sum(axis=1) >= needed))
    return np.concatenate([_periods(recording, segment, np.concatenate(own)) for segment, own in enumerate(samples)])


def _periods(recording, segment, samples):
    """Join samples, in order, of which the surroundings touch."""
    from spikeinterface.core.base import base_period_dtype

    margin = round(MARGIN_MS * 1e-3 * recording.get_sampling_frequency())
    is_first = np.diff(samples, prepend=-np.inf) > 2 * margin
    is_last = np.diff(samples, append=np.inf) > 2 * margin
    periods = np.zeros(is_first.sum(), dtype=base_period_dtype)
    periods["segment_index"] = segment
    periods["start_sample_index"] = np.maximum(samples[is_first] - margin, 0)
    periods["end_sample_index"] = np.minimum(samples[is_last] + margin + 1, recording.get_num_samples(segment))
    return periods
