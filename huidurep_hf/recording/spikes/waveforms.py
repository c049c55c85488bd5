"""Cut spikes out of a recording, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numba
import numpy as np

from ..chunks import chunk_size_of

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ...workers import Workers
    from .neighborhood import Neighborhoods


# Reading a window by itself takes as long as reading so many windows' length on.
MAX_GAP_IN_WINDOWS = 20
# Spikes that are cut at once.
BATCH_SIZE = 512


class PeakTable(Protocol):
    """A structured array of peaks, or a table of spikes: columns by name, rows by slice."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any) -> Any: ...


@dataclass(frozen=True)
class WaveformBatch:
    """Spikes `first` to `first + num_spikes` of the peaks that were asked for.

    Attributes:
        first: index of the first spike.
        waveforms: `(num_spikes, num_samples, num_channels)` float32, in the unit of the traces, 0 where padded.
        positions: `(num_spikes, num_channels, 2)` float32, µm relative to the peak channel.
        mask: `(num_spikes, num_channels)` bool, False for padding.
        noise_levels: `(num_spikes, num_channels)` float32, in the unit of the traces, 1 where padded.
    """

    first: int
    waveforms: np.ndarray
    positions: np.ndarray
    mask: np.ndarray
    noise_levels: np.ndarray


def iterate_waveforms(
    recording: BaseRecording,
    peaks: PeakTable,
    neighborhoods: Neighborhoods,
    noise_levels: np.ndarray,
    *,
    num_before: int,
    num_after: int,
    batch_size: int = BATCH_SIZE,
) -> Iterator[WaveformBatch]:
    """Stream the waveforms of peaks, reading each stretch of traces once.

    Memory is bounded by one chunk of traces (64 MiB) and one batch, whatever the length of the recording.

    Args:
        recording: prepared SpikeInterface recording.
        peaks: table with `segment_index`, `sample_index`, `channel_index`, sorted by segment and sample.
        neighborhoods: [`Neighborhoods`] of the recording's channels.
        noise_levels: `(num_channels,)`, in the unit of the traces.
        num_before, num_after: samples of the recording before and from the peak on; `num_samples` is their sum and
            the peak is sample `num_before`. Samples beyond the ends of a segment are 0.
        batch_size: most spikes in one batch.

    Yields:
        [`WaveformBatch`] in the order of the peaks; nothing for no peaks.
    """
    num_samples = num_before + num_after
    for first, last in batch_ranges(recording, peaks, batch_size):
        batch = peaks[first:last]
        channels = neighborhoods.channel_indices[batch["channel_index"]]
        mask = channels >= 0
        times, segment = batch["sample_index"].astype("int64"), int(batch["segment_index"][0])
        waveforms = np.empty((last - first, num_samples, channels.shape[1]), dtype="float32")
        # Where spikes are far apart, what lies between them is not read.
        breaks = np.flatnonzero(np.diff(times) > MAX_GAP_IN_WINDOWS * num_samples) + 1
        for run in np.split(np.arange(last - first), breaks):
            start = times[run[0]] - num_before
            traces = _padded_traces(recording, segment, int(start), int(times[run[-1]]) + num_after)
            own = slice(run[0], run[-1] + 1)
            _cut(traces, times[own] - num_before - start, channels[own], waveforms[own])
        yield WaveformBatch(
            first=first,
            waveforms=waveforms,
            positions=neighborhoods.positions[batch["channel_index"]],
            mask=mask,
            noise_levels=np.where(mask, noise_levels[channels], 1).astype("float32"),
        )


def cut_waveforms(
    recording: BaseRecording,
    peaks: PeakTable,
    neighborhoods: Neighborhoods,
    noise_levels: np.ndarray,
    *,
    num_before: int,
    num_after: int,
    workers: Workers,
) -> np.ndarray:
    """Cut the waveforms of all peaks, shared among workers.

    Args:
        recording, peaks, neighborhoods, noise_levels, num_before, num_after: as of [`iterate_waveforms`].
        workers: who share the batches.

    Returns:
        `(num_peaks, num_samples, num_neighbors)` float32, in the unit of the traces, 0 where padded.
    """
    shape = len(peaks), num_before + num_after, neighborhoods.channel_indices.shape[1]
    waveforms = np.empty(shape, dtype="float32")

    def cut(span: tuple[int, int]) -> None:
        own = slice(*span)
        window = {"num_before": num_before, "num_after": num_after}
        (batch,) = iterate_waveforms(recording, peaks[own], neighborhoods, noise_levels, **window)
        waveforms[own] = batch.waveforms

    for _ in workers.map(cut, batch_ranges(recording, peaks, BATCH_SIZE)):
        pass
    return waveforms


def batch_ranges(recording: BaseRecording, peaks: PeakTable, batch_size: int) -> list[tuple[int, int]]:
    """Cut peaks, sorted by segment and sample, into batches: each within one segment and one chunk of traces.

    Args:
        recording: SpikeInterface recording.
        peaks: table of peaks.
        batch_size: most spikes in one batch.

    Returns:
        `(first, last)` of each batch.
    """
    max_span = chunk_size_of(recording)
    segments, samples = peaks["segment_index"], peaks["sample_index"]
    ranges, first = [], 0
    while first < len(peaks):
        stop = min(first + batch_size, len(peaks))
        is_near = (segments[first:stop] == segments[first]) & (samples[first:stop] - samples[first] < max_span)
        last = stop if is_near.all() else first + int(is_near.argmin())
        ranges.append((first, last))
        first = last
    return ranges


@numba.njit(cache=True, nogil=True)
def _cut(traces: np.ndarray, firsts: np.ndarray, channels: np.ndarray, waveforms: np.ndarray) -> None:
    """Copy the traces from each first sample on, on the channels of each spike; 0 for padded channels.

    Args:
        traces: `(num_samples, num_channels)`.
        firsts: `(num_spikes,)` int64.
        channels: `(num_spikes, num_neighbors)` int64, -1 for padding.
        waveforms: `(num_spikes, num_window_samples, num_neighbors)`, which is written.
    """
    for spike in range(len(firsts)):
        for sample in range(waveforms.shape[1]):
            own = traces[firsts[spike] + sample]
            for place in range(channels.shape[1]):
                channel = channels[spike, place]
                waveforms[spike, sample, place] = own[channel] if channel >= 0 else 0


def _padded_traces(recording: BaseRecording, segment_index: int, start: int, end: int) -> np.ndarray:
    num_samples = recording.get_num_samples(segment_index)
    inside = slice(max(start, 0), min(end, num_samples))
    traces = recording.get_traces(segment_index=segment_index, start_frame=inside.start, end_frame=inside.stop)
    if (inside.start, inside.stop) == (start, end):
        # No copy of what may be minutes of traces in memory, of which few samples are taken.
        return traces
    return np.pad(traces, ((inside.start - start, end - inside.stop), (0, 0)))
