"""Move the traces of a probe back, each shank by itself.

SpikeInterface's interpolation takes all contacts of a recording for one shank: it would mix shanks whose contacts stand
at the same nominal places, and take the end of a short shank for a gap that the longer one beside it fills.
"""

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment


class MovedShanksRecording(BasePreprocessor):
    """Traces moved back by interpolation between the contacts of each shank.

    Args:
        recording: SpikeInterface recording.
        motion: SpikeInterface `Motion`, of all shanks.
        groups: `(num_channels,)` shank of each channel.
    """

    def __init__(self, recording, motion, groups):
        from spikeinterface.sortingcomponents.motion import InterpolateMotionRecording

        super().__init__(recording, dtype="float32")
        channels = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        shanks = [
            InterpolateMotionRecording(
                recording.select_channels(recording.channel_ids[own]),
                motion,
                border_mode="force_extrapolate",
                spatial_interpolation_method="kriging",
                sigma_um=20.0,
                p=2,
                dtype="float32",
            )
            for own in channels
        ]
        for index, parent in enumerate(recording.segments):
            parts = [(own, shank.segments[index]) for own, shank in zip(channels, shanks)]
            self.add_recording_segment(MovedShanksSegment(parent, parts))
        self._kwargs = {"recording": recording, "motion": motion, "groups": groups}


class MovedShanksSegment(BasePreprocessorSegment):
    """A segment of [`MovedShanksRecording`].

    Args:
        parent_recording_segment: of the recording as it was.
        parts: for each shank its channels `(num_own,)` and its moved segment.
    """

    def __init__(self, parent_recording_segment, parts):
        super().__init__(parent_recording_segment)
        self.parts = parts

    def get_traces(self, start_frame, end_frame, channel_indices):
        """Return moved traces, `(num_samples, num_channels)`."""
        num_channels = sum(len(channels) for channels, _ in self.parts)
        traces = np.empty((end_frame - start_frame, num_channels), dtype="float32")
        for channels, segment in self.parts:
            traces[:, channels] = segment.get_traces(start_frame, end_frame, None)
        return traces if channel_indices is None else traces[:, channel_indices]
