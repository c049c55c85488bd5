"""Traces that are filtered when they are read, and read once by a pass that needs them twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment


class LastReadRecording(BasePreprocessor):
    """A recording that keeps what each thread has read last, for as long as the thread runs.

    Args:
        recording: SpikeInterface recording.
    """

    def __init__(self, recording: BaseRecording):
        super().__init__(recording)
        for parent in recording.segments:
            self.add_recording_segment(LastReadSegment(parent))
        self._kwargs = {"recording": recording}


class LastReadSegment(BasePreprocessorSegment):
    """A segment of [`LastReadRecording`]."""

    def __init__(self, parent: BaseRecordingSegment):
        super().__init__(parent)
        self.last = threading.local()

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return traces, `(num_samples, num_channels)`; all channels are read, and kept."""
        start, traces = getattr(self.last, "read", (0, None))
        if traces is None or start_frame < start or end_frame > start + len(traces):
            start, traces = start_frame, self.parent_recording_segment.get_traces(start_frame, end_frame, slice(None))
            # Whoever writes into them would change them for the next reader.
            traces = traces.view()
            traces.flags.writeable = False
            self.last.read = start, traces
        found = traces[start_frame - start : end_frame - start]
        return found if channel_indices is None else found[:, channel_indices]
