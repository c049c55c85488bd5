"""From the spike times of a sorting or of ground truth to peaks: the channel and sample of each spike's own trough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..settings import AlignmentSettings
from .waveforms import iterate_waveforms

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from .neighborhood import Neighborhoods


PEAK_DTYPE = [("sample_index", "int64"), ("channel_index", "int64"), ("segment_index", "int64")]


def find_main_channels(
    recording: BaseRecording,
    spikes: np.ndarray,
    num_units: int,
    noise_levels: np.ndarray,
    settings: AlignmentSettings | None = None,
) -> np.ndarray:
    """Return the channel on which each unit's mean waveform has its largest trough, relative to the noise.

    Args:
        recording: prepared SpikeInterface recording.
        spikes: structured array `(num_spikes,)` with `sample_index`, `unit_index` and `segment_index`.
        num_units: units of the sorting.
        noise_levels: `(num_channels,)`, in the unit of the traces.
        settings: [`~huidurep_hf.recording.settings.AlignmentSettings`]; the defaults if left out.

    Returns:
        `(num_units,)` int64; 0 for units without a spike away from the ends of its segment.
    """
    settings = settings or AlignmentSettings()
    reach = round(settings.peak_search_ms * recording.get_sampling_frequency() / 1000)
    main_channels = np.zeros(num_units, dtype="int64")
    for unit in range(num_units):
        of_unit = spikes[spikes["unit_index"] == unit][: settings.spikes_for_main_channel]
        windows = [
            recording.get_traces(int(spike["segment_index"]), start, start + 2 * reach + 1)
            for spike in of_unit
            if (start := int(spike["sample_index"]) - reach) >= 0
        ]
        windows = [window for window in windows if len(window) == 2 * reach + 1]
        if windows:
            main_channels[unit] = (np.mean(windows, axis=0) / noise_levels).min(axis=0).argmin()
    return main_channels


def align_spikes(
    recording: BaseRecording,
    spikes: np.ndarray,
    main_channels: np.ndarray,
    neighborhoods: Neighborhoods,
    noise_levels: np.ndarray,
    settings: AlignmentSettings | None = None,
) -> np.ndarray:
    """Find the largest trough of each spike near its stated time and near its unit.

    Args:
        recording: prepared SpikeInterface recording.
        spikes: as in [`find_main_channels`], sorted by segment and sample.
        main_channels: `(num_units,)` of [`find_main_channels`].
        neighborhoods: [`~huidurep_hf.recording.spikes.neighborhood.Neighborhoods`] in which to look.
        noise_levels: `(num_channels,)`, in the unit of the traces.
        settings: as for [`find_main_channels`].

    Returns:
        Structured array `(num_spikes,)` of `sample_index`, `channel_index`, `segment_index` in the order of the
        spikes; no longer sorted where troughs of near spikes change places.
    """
    settings = settings or AlignmentSettings()
    reach = round(settings.peak_search_ms * recording.get_sampling_frequency() / 1000)
    peaks = np.zeros(len(spikes), dtype=PEAK_DTYPE)
    peaks["segment_index"] = spikes["segment_index"]
    peaks["sample_index"] = spikes["sample_index"]
    peaks["channel_index"] = main_channels[spikes["unit_index"]]
    found = peaks.copy()
    batches = iterate_waveforms(recording, peaks, neighborhoods, noise_levels, num_before=reach, num_after=reach + 1)
    for batch in batches:
        rows = slice(batch.first, batch.first + len(batch.waveforms))
        windows = np.where(batch.mask[:, None, :], batch.waveforms / batch.noise_levels[:, None, :], np.inf)
        sample, neighbor = np.divmod(windows.reshape(len(windows), -1).argmin(axis=1), windows.shape[2])
        found["sample_index"][rows] += sample - reach
        found["channel_index"][rows] = neighborhoods.channel_indices[peaks["channel_index"][rows], neighbor]
    return found
