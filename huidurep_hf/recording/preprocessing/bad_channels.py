"""Which channels and segments of a recording can be used at all."""

from __future__ import annotations

import numpy as np

from ..settings import BadChannelSettings
from .noise_sample import SD_PER_MAD, column_medians, row_medians


def classify_channels_by_noise(noise_levels: np.ndarray, settings: BadChannelSettings) -> dict[str, np.ndarray]:
    """Find bad channels (silent, dead or noisy) by the noise of the filtered traces.

    The rule compares channels with their median, so it fails when most of them are bad.

    Args:
        noise_levels: `(num_channels,)`, any unit.
        settings: [`~huidurep_hf.recording.settings.BadChannelSettings`].

    Returns:
        `dict`: reason ("silent", "dead", "noisy") -> array of channel indices, empty reasons left out.
    """
    noise_levels = np.asarray(noise_levels, dtype="float64")
    is_silent = ~(noise_levels > 0)
    typical = np.median(noise_levels[~is_silent]) if (~is_silent).any() else 0.0
    is_dead = ~is_silent & (noise_levels < settings.max_noise_ratio_of_dead * typical)
    is_noisy = ~is_silent & (noise_levels > settings.min_noise_ratio_of_noisy * typical)
    reasons = {"silent": is_silent, "dead": is_dead, "noisy": is_noisy}
    return {reason: np.flatnonzero(mask) for reason, mask in reasons.items() if mask.any()}


def find_copies(traces: np.ndarray, settings: BadChannelSettings) -> dict[int, int]:
    """Find channels that record the same as an earlier one: two routes of one electrode, wires that touch.

    Args:
        traces: `(num_samples, num_channels)` float32 filtered noise and spikes.
        settings: [`~huidurep_hf.recording.settings.BadChannelSettings`].

    Returns:
        `dict`: channel -> the first channel that it is a copy of.
    """
    # Neither what all channels share nor a few large artifacts make two channels one.
    shared = row_medians(traces)[:, None] if traces.shape[1] >= settings.min_channels_for_copy_median else 0
    own, traces = _clipped(traces - shared, settings.copy_clip_sd), _clipped(traces, settings.copy_clip_sd)
    own /= np.maximum(np.sqrt(np.square(own).mean(axis=0)), np.finfo("float32").tiny)
    is_same = (own.T @ own) / len(own) >= settings.min_correlation_of_copies
    # Where most channels are one, their median is that one, and nothing is left to correlate.
    products = (traces.T @ traces) / len(traces)
    powers = np.diag(products)
    differences = np.maximum(powers[:, None] + powers[None] - 2 * products, 0)
    max_difference = np.square(settings.max_difference_of_copies)
    is_equal = differences < max_difference * np.minimum(powers[:, None], powers[None])
    copies = {}
    for channel in np.flatnonzero(powers > 0):
        for is_one in (is_same, is_equal):
            earlier = [other for other in np.flatnonzero(is_one[channel, :channel]) if other not in copies]
            if earlier:
                copies[int(channel)] = int(earlier[0])
                break
    return copies


def _clipped(traces: np.ndarray, clip_sd: float) -> np.ndarray:
    limits = clip_sd * SD_PER_MAD * column_medians(np.abs(traces))
    return np.clip(traces, -limits, limits)
