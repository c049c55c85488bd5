"""Samples that are NaN or infinite: a few are interpolated, channels with many are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

from ..chunks import iterate_chunks

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment


def count_non_finite(recording: BaseRecording) -> np.ndarray:
    """Count the samples of each channel that are NaN or infinite, reading the whole recording once.

    One such sample makes the filter fill seconds of its channel with NaN, so a part of the recording is not enough.
    Integer recordings cannot hold any and are not read.

    Args:
        recording: SpikeInterface recording, any dtype.

    Returns:
        `(num_channels,)` int64.
    """
    counts = np.zeros(recording.get_num_channels(), dtype="int64")
    if np.issubdtype(recording.get_dtype(), np.integer):
        return counts
    for segment, start, end in iterate_chunks(recording):
        counts += (~np.isfinite(recording.get_traces(segment, start, end))).sum(axis=0)
    return counts


class FiniteRecording(BasePreprocessor):
    """Traces whose NaN and infinite samples are interpolated, channel by channel, between the finite ones around them.

    Args:
        recording: SpikeInterface recording of floats.
        margin_s: read beyond what is asked for, s.
    """

    def __init__(self, recording: BaseRecording, margin_s: float):
        super().__init__(recording)
        for parent in recording.segments:
            self.add_recording_segment(FiniteSegment(parent, round(margin_s * recording.get_sampling_frequency())))
        self._kwargs = {"recording": recording, "margin_s": margin_s}


class FiniteSegment(BasePreprocessorSegment):
    """A segment of [`FiniteRecording`]."""

    def __init__(self, parent: BaseRecordingSegment, margin: int):
        super().__init__(parent)
        self.margin = margin

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return finite traces, `(num_samples, num_channels)`."""
        traces = self._read(start_frame, end_frame, channel_indices)
        is_finite = np.isfinite(traces)
        if is_finite.all():
            return traces
        first, last = max(start_frame - self.margin, 0), min(end_frame + self.margin, self.get_num_samples())
        traces = self._read(first, last, channel_indices).copy()
        is_finite, samples = np.isfinite(traces), np.arange(last - first)
        for channel in np.flatnonzero(~is_finite.all(axis=0)):
            own = is_finite[:, channel]
            # A stretch without any finite sample is silent.
            traces[~own, channel] = np.interp(samples[~own], samples[own], traces[own, channel]) if own.any() else 0
        return traces[start_frame - first : end_frame - first]

    def _read(self, start: int, end: int, channels: np.ndarray | slice | None) -> np.ndarray:
        return self.parent_recording_segment.get_traces(start, end, slice(None) if channels is None else channels)
