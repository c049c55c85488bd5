"""Periodic signals in the spikes' band, such as harmonics of mains: found in the spectrum, fitted and subtracted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment

# The spectrum is that of windows of 4 s, a quarter of a Hz fine, at most six of them, on at most 24 channels.
WINDOW_S, MAX_WINDOWS, MAX_CHANNELS = 4.0, 6, 24
# Without a line the density is as in the median of so many Hz around.
BACKGROUND_HZ = 60.0
# The mean over windows and channels of noise alone is never so far above it.
MIN_RATIO = 12.0
# A line is fitted to at least this much, so that it does not fit a spike.
MIN_FIT_S = 0.5


def find_lines(recording: BaseRecording, min_power: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the lines in the spectrum of a recording.

    Args:
        recording: SpikeInterface recording, filtered.
        min_power: of a line, over that of all the noise.

    Returns:
        `(frequencies, powers)`: Hz, and power over that of the noise without lines, each `(num_lines,)`.
    """
    from scipy.ndimage import median_filter
    from scipy.signal import periodogram

    nothing = np.zeros(0), np.zeros(0)
    rate = recording.get_sampling_frequency()
    size = round(WINDOW_S * rate)
    places = [
        (segment, start)
        for segment in range(recording.get_num_segments())
        for start in range(0, recording.get_num_samples(segment) - size + 1, size)
    ]
    if not places:
        return nothing
    chosen = np.unique(np.linspace(0, len(places) - 1, MAX_WINDOWS).round().astype("int64"))
    ids = recording.channel_ids
    channels = ids[np.unique(np.linspace(0, len(ids) - 1, MAX_CHANNELS).round().astype("int64"))]
    density = 0.0
    for segment, start in (places[i] for i in chosen):
        traces = recording.get_traces(segment, start, start + size, channel_ids=list(channels))
        frequencies, found = periodogram(traces, rate, window="hann", axis=0)
        # Channels of more noise do not count more.
        density = density + (found / np.maximum(np.median(found, axis=0), np.finfo("float32").tiny)).mean(axis=1)
    step = frequencies[1]
    background = median_filter(density, round(BACKGROUND_HZ / step), mode="nearest")
    total = background.sum()
    if not total > 0:
        return nothing
    is_top = np.r_[False, (density[1:-1] >= density[:-2]) & (density[1:-1] > density[2:]), False]
    tops = np.flatnonzero(is_top & (density > MIN_RATIO * background))
    # A Hann window spreads a line over four bins.
    powers = np.array([(density - background)[max(top - 2, 0) : top + 3].sum() / total for top in tops])
    tops, powers = tops[powers > min_power], powers[powers > min_power]
    low, middle, high = (np.log(np.maximum(density[tops + offset], 1e-300)) for offset in (-1, 0, 1))
    offsets = 0.5 * (low - high) / np.minimum(low - 2 * middle + high, -1e-9)
    return frequencies[tops] + step * np.clip(offsets, -0.5, 0.5), powers


class LinesRemovedRecording(BasePreprocessor):
    """Traces less sinusoids of given frequencies, fitted to each stretch that is read; their size may drift.

    Args:
        recording: SpikeInterface recording, float32.
        frequencies: Hz.
    """

    def __init__(self, recording: BaseRecording, frequencies: list[float]):
        super().__init__(recording)
        rate = recording.get_sampling_frequency()
        for parent in recording.segments:
            self.add_recording_segment(LinesRemovedSegment(parent, tuple(frequencies), rate))
        self._kwargs = {"recording": recording, "frequencies": list(frequencies)}


class LinesRemovedSegment(BasePreprocessorSegment):
    """A segment of [`LinesRemovedRecording`]."""

    def __init__(self, parent: BaseRecordingSegment, frequencies: tuple[float, ...], rate: float):
        super().__init__(parent)
        self.frequencies, self.rate = frequencies, rate

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return traces without lines, `(num_samples, num_channels)` float32."""
        missing = max(round(MIN_FIT_S * self.rate) - (end_frame - start_frame), 0)
        first = max(start_frame - -(-missing // 2), 0)
        last = min(first + end_frame - start_frame + missing, self.get_num_samples())
        channels = slice(None) if channel_indices is None else channel_indices
        traces = self.parent_recording_segment.get_traces(first, last, channels).astype("float32", copy=False)
        waves, fit = _waves(self.frequencies, self.rate, last - first)
        cleaned = traces - waves @ (fit @ traces)
        return cleaned[start_frame - first : end_frame - first]


@lru_cache(maxsize=8)
def _waves(frequencies: tuple[float, ...], rate: float, num_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Sinusoids `(num_samples, 4 * num_lines)`, half of them rising from -1 to 1, and the matrix that fits them."""
    times = np.arange(num_samples) / rate
    phases = 2 * np.pi * times[:, None] * np.array(frequencies)
    waves = np.concatenate([np.cos(phases), np.sin(phases)], axis=1)
    rising = np.linspace(-1, 1, num_samples)[:, None] if num_samples > 1 else np.zeros((num_samples, 1))
    waves = np.concatenate([waves, rising * waves], axis=1)
    # Lines closer to each other than a stretch can separate share what they have in common.
    normal = waves.T @ waves + 1e-6 * num_samples * np.eye(waves.shape[1])
    return waves.astype("float32"), np.linalg.solve(normal, waves.T).astype("float32")
