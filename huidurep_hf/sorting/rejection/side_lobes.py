"""Distinguish units from the side lobes of very large spikes.

The band-pass of a spike rings for some milliseconds on both sides, and a spike's after-potential is longer than a
template. A spike of 40 SDs of the noise leaves deflections of 3 to 7 SDs outside the template's window. They are
detected, and make units whose spikes lie at fixed lags from the large ones.
"""

from __future__ import annotations

import numpy as np

from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.spikes.neighborhood import find_neighborhoods
from ...workers import Workers
from ..parameters import SortingParameters
from ..spikes import Spikes
from ..templates.averages import average_templates

# Lags between samples of a lobe and of a spike are this exact, samples.
_LAG_TOLERANCE = 2


def is_side_lobe_unit(
    matched: Spikes,
    averages: np.ndarray,
    prepared: PreparedRecording,
    parameters: SortingParameters,
    workers: Workers,
) -> np.ndarray:
    """Find units most of whose spikes lie where the average of a much larger unit has the same waveform.

    The larger unit is averaged over spikes that none of a similar size is near: a burst is not taken for a lobe.

    Args:
        matched: spikes in order, with `unit_index`.
        averages: `(num_units, num_samples, num_channels)` average of each unit, SDs of the noise.
        prepared: the recording.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        `(num_units,)` bool.
    """
    settings, rate = parameters.side_lobes, prepared.recording.get_sampling_frequency()
    num_units, num_samples = averages.shape[:2]
    sizes = np.abs(averages).max(axis=(1, 2), initial=0)
    channels = np.abs(averages).max(axis=1, initial=0).argmax(axis=1) if num_units else np.zeros(0, dtype="int64")
    num_channels = parameters.templates.num_template_channels
    neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, num_channels)
    is_near = {
        large: np.isin(channels, neighborhoods.channel_indices[channels[large]])
        for large in np.flatnonzero(sizes >= settings.min_size_with_lobes)
    }
    is_small = {large: near & (sizes < settings.max_lobe_size * sizes[large]) for large, near in is_near.items()}
    small = {large: np.flatnonzero(is_one) for large, is_one in is_small.items()}
    small = {large: others for large, others in small.items() if len(others)}
    if not small:
        return np.zeros(num_units, dtype=bool)
    reach = round(settings.max_lobe_lag_ms * 1e-3 * rate)
    min_lag = round(settings.min_lobe_lag_ms * 1e-3 * rate)
    alone = np.full(len(matched), -1)
    for large in small:
        alone[_alone(matched, large, is_near[large] & ~is_small[large], reach + num_samples)] = large
    samples = matched["sample_index"]
    wide = average_templates(
        alone, samples, matched, prepared, parameters.templates, parameters.seed, workers, margin=reach
    )
    counts = np.bincount(alone[alone >= 0], minlength=num_units)
    lags = np.arange(-reach, reach + 1)
    explained = np.zeros(len(matched), dtype=bool)
    for large, others in small.items():
        if counts[large] < settings.min_spikes_with_lobes:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(wide[large], num_samples, axis=0)
        for unit in others:
            share = np.einsum("lcs,sc->l", windows, averages[unit]) / max(np.square(averages[unit]).sum(), 1e-9)
            lobes = lags[(share >= settings.min_lobe_share) & (np.abs(lags) >= min_lag)]
            explained |= _follows(matched, unit, large, lobes)
    units = matched["unit_index"]
    num_explained = np.bincount(units, weights=explained, minlength=num_units)
    return num_explained > settings.min_explained_spikes * np.maximum(np.bincount(units, minlength=num_units), 1)


def _alone(matched: Spikes, unit: int, others: np.ndarray, reach: int) -> np.ndarray:
    """Rows of a unit's spikes without another spike of these units within reach (samples), `(num_alone,)`."""
    rows = np.flatnonzero(others[matched["unit_index"]])
    times = _time_line(matched)[rows]
    gaps = np.diff(times, prepend=-np.inf, append=np.inf)
    is_alone = (gaps[:-1] > reach) & (gaps[1:] > reach)
    return rows[is_alone & (matched["unit_index"][rows] == unit)]


def _follows(matched: Spikes, unit: int, large: int, lags: np.ndarray) -> np.ndarray:
    """Which spikes of a unit lie at one of these lags (samples) from a spike of a larger one, `(num_matched,)` bool."""
    is_near = np.zeros(len(matched), dtype=bool)
    times, units = _time_line(matched), matched["unit_index"]
    own, of_large = np.flatnonzero(units == unit), times[units == large]
    if len(lags) == 0 or len(of_large) == 0:
        return is_near
    places = np.unique(lags[:, None] + np.arange(-_LAG_TOLERANCE, _LAG_TOLERANCE + 1))
    for shift in places:
        is_near[own] |= np.isin(times[own], of_large + shift)
    return is_near


def _time_line(matched: Spikes) -> np.ndarray:
    """Samples with segments far apart, `(num_matched,)` int64."""
    apart = matched["sample_index"].max(initial=0) + 10**6
    return matched["segment_index"].astype("int64") * apart + matched["sample_index"]
