"""Periodic signals in the spikes' band, such as harmonics of mains: found in the spectrum, fitted and subtracted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

from ..settings import LineSettings
from .noise_sample import SD_PER_MAD, column_medians

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment

# Multiples of these are mains.
MAINS_HZ = (50.0, 60.0)


def find_lines(
    recording: BaseRecording, settings: LineSettings, silent_levels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the lines in the spectrum of a recording.

    Args:
        recording: SpikeInterface recording, filtered.
        settings: [`~huidurep_hf.recording.settings.LineSettings`].
        silent_levels: `(num_channels,)` SD of the noise; windows in which it is no larger are left out.

    Returns:
        `(frequencies, powers)`: Hz, and power over that of the noise without lines, each `(num_lines,)`.
    """
    from scipy.ndimage import maximum_filter1d
    from scipy.signal import periodogram

    nothing = np.zeros(0), np.zeros(0)
    rate = recording.get_sampling_frequency()
    size = round(settings.line_window_s * rate)
    places = [
        (segment, start)
        for segment in range(recording.get_num_segments())
        for start in range(0, recording.get_num_samples(segment) - size + 1, size)
    ]
    if not places:
        return nothing
    chosen = np.unique(np.linspace(0, len(places) - 1, settings.max_line_windows).round().astype("int64"))
    ids = recording.channel_ids
    channels = np.unique(np.linspace(0, len(ids) - 1, settings.max_line_channels).round().astype("int64"))
    least = 0.0 if silent_levels is None else silent_levels[channels]
    clip_sd, width = settings.line_clip_sd, round(settings.line_spike_ms * 2e-3 * rate)
    clipped, between = 0.0, 0.0
    for segment, start in (places[i] for i in chosen):
        traces = recording.get_traces(segment, start, start + size, channel_ids=list(ids[channels]))
        levels = SD_PER_MAD * column_medians(np.abs(traces))
        is_silent = levels <= least
        if is_silent.all():
            continue
        # Channels of more noise do not count more.
        traces = traces[:, ~is_silent] / levels[~is_silent]
        frequencies, found = periodogram(np.clip(traces, -clip_sd, clip_sd), rate, window="hann", axis=0)
        clipped = clipped + found.mean(axis=1)
        is_spike = maximum_filter1d((np.abs(traces) > clip_sd).astype("uint8"), width, axis=0)
        found = periodogram(np.where(is_spike, 0, traces), rate, window="hann", axis=0)[1]
        between = between + found.mean(axis=1)
    if np.ndim(clipped) == 0:
        return nothing
    # A neuron that fires like a clock has lines as well, but not between its spikes. Mains may be all edges.
    found, powers = _lines_of(frequencies, between, settings)
    of_edges, powers_of_edges = _lines_of(frequencies, clipped, settings)
    errors = np.array([np.abs(of_edges - mains * np.round(of_edges / mains)) for mains in MAINS_HZ])
    is_mains = errors < settings.max_mains_error_hz + settings.max_mains_relative_error * of_edges
    is_mains = is_mains[is_mains.sum(axis=1).argmax()]
    # Every second line of a clock of 25 or 30 Hz is one of mains as well.
    is_mains &= len(of_edges) > 0 and is_mains.mean() > settings.min_share_of_mains
    is_new = np.array([np.abs(found - one).min(initial=np.inf) > 2 * frequencies[1] for one in of_edges], dtype=bool)
    is_added = is_mains & is_new
    found, powers = np.append(found, of_edges[is_added]), np.append(powers, powers_of_edges[is_added])
    order = np.argsort(found)
    return found[order], powers[order]


def _lines_of(frequencies: np.ndarray, density: np.ndarray, settings: LineSettings) -> tuple[np.ndarray, np.ndarray]:
    """Lines of one spectrum: frequencies, Hz, and powers over that of the rest."""
    from scipy.ndimage import median_filter

    step = frequencies[1]
    background = median_filter(density, round(settings.line_background_hz / step), mode="nearest")
    total = background.sum()
    if not total > 0:
        return np.zeros(0), np.zeros(0)
    is_top = np.r_[False, (density[1:-1] >= density[:-2]) & (density[1:-1] > density[2:]), False]
    tops = np.flatnonzero(is_top & (density > settings.min_line_ratio * background))
    # A Hann window spreads a line over four bins.
    powers = np.array([(density - background)[max(top - 2, 0) : top + 3].sum() / total for top in tops])
    is_line = powers > settings.min_line_power
    tops, powers = tops[is_line], powers[is_line]
    low, middle, high = (np.log(np.maximum(density[tops + offset], 1e-300)) for offset in (-1, 0, 1))
    offsets = 0.5 * (low - high) / np.minimum(low - 2 * middle + high, -1e-9)
    return frequencies[tops] + step * np.clip(offsets, -0.5, 0.5), powers


class LinesRemovedRecording(BasePreprocessor):
    """Traces less sinusoids of given frequencies, fitted to each stretch that is read; their size may drift.

    Args:
        recording: SpikeInterface recording, float32.
        frequencies: Hz.
        min_fit_s: they are fitted to at least this much of the traces, s.
    """

    def __init__(self, recording: BaseRecording, frequencies: list[float], min_fit_s: float):
        super().__init__(recording)
        rate = recording.get_sampling_frequency()
        for parent in recording.segments:
            self.add_recording_segment(LinesRemovedSegment(parent, tuple(frequencies), rate, min_fit_s))
        self._kwargs = {"recording": recording, "frequencies": list(frequencies), "min_fit_s": min_fit_s}


class LinesRemovedSegment(BasePreprocessorSegment):
    """A segment of [`LinesRemovedRecording`]."""

    def __init__(self, parent: BaseRecordingSegment, frequencies: tuple[float, ...], rate: float, min_fit_s: float):
        super().__init__(parent)
        self.frequencies, self.rate, self.min_fit_size = frequencies, rate, round(min_fit_s * rate)

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return traces without lines, `(num_samples, num_channels)` float32."""
        missing = max(self.min_fit_size - (end_frame - start_frame), 0)
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
