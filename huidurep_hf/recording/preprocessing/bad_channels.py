"""Which channels and segments of a recording can be used at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..chunks import iterate_chunks

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


DEAD_NOISE_RATIO = 0.05
NOISY_NOISE_RATIO = 20.0


def find_non_finite_channels(recording: BaseRecording) -> dict[int, tuple[int, int]]:
    """Find the channels with NaN or infinite samples, reading the whole recording once, in chunks.

    One such sample makes the filter fill seconds of its channel with NaN, so sampling is not enough. Integer
    recordings cannot hold any and are not read.

    Args:
        recording: SpikeInterface recording, any dtype.

    Returns:
        `dict`: channel index -> (segment, sample) of its first non-finite sample.
    """
    found = {}
    if np.issubdtype(recording.get_dtype(), np.integer):
        return found
    for segment_index, start, end in iterate_chunks(recording):
        traces = recording.get_traces(segment_index=segment_index, start_frame=start, end_frame=end)
        is_bad = ~np.isfinite(traces)
        if not is_bad.any():
            continue
        for channel in np.flatnonzero(is_bad.any(axis=0)):
            found.setdefault(int(channel), (segment_index, start + int(is_bad[:, channel].argmax())))
    return found


def classify_channels_by_noise(noise_levels: np.ndarray) -> dict[str, np.ndarray]:
    """Find bad channels (silent, dead or noisy) by the noise of the filtered traces.

    A tenth of a probe's typical noise still is a working channel; a twentieth, or twenty times as much, is not.
    The rule compares channels with their median, so it fails when most of them are bad.

    Args:
        noise_levels: `(num_channels,)`, any unit.

    Returns:
        `dict`: reason ("silent", "dead", "noisy") -> array of channel indices, empty reasons left out.
    """
    noise_levels = np.asarray(noise_levels, dtype="float64")
    is_silent = ~(noise_levels > 0)
    typical = np.median(noise_levels[~is_silent]) if (~is_silent).any() else 0.0
    is_dead = ~is_silent & (noise_levels < DEAD_NOISE_RATIO * typical)
    is_noisy = ~is_silent & (noise_levels > NOISY_NOISE_RATIO * typical)
    reasons = {"silent": is_silent, "dead": is_dead, "noisy": is_noisy}
    return {reason: np.flatnonzero(mask) for reason, mask in reasons.items() if mask.any()}
