"""Move the traces of a probe back, each shank by itself.

SpikeInterface's interpolation takes all contacts of a recording for one shank: it would mix shanks whose contacts stand
at the same nominal places, and take the end of a short shank for a gap that the longer one beside it fills.
"""

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

# Kriging by the squared distance over 20 um, as Kilosort has it; beyond the last contacts it goes on as it can.
KERNEL = {"sigma_um": 20.0, "p": 2, "force_extrapolate": True}


class MovedShanksRecording(BasePreprocessor):
    """Traces moved back by interpolation between the contacts of each shank.

    Args:
        recording: SpikeInterface recording.
        motion: SpikeInterface `Motion`, of all shanks.
        groups: `(num_channels,)` shank of each channel.
    """

    def __init__(self, recording, motion, groups):
        super().__init__(recording, dtype="float32")
        locations = recording.get_channel_locations()
        shanks = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        for index, parent in enumerate(recording.segments):
            self.add_recording_segment(MovedShanksSegment(parent, motion, index, locations, shanks))
        # A motion cannot be written as JSON.
        self._serializability["json"] = False
        self._kwargs = {"recording": recording, "motion": motion, "groups": groups}


class MovedShanksSegment(BasePreprocessorSegment):
    """A segment of [`MovedShanksRecording`].

    Args:
        parent_recording_segment: of the recording as it was.
        motion: SpikeInterface `Motion`.
        index: of the segment.
        locations: `(num_channels, 2)` of the contacts, um.
        shanks: for each shank its channels `(num_own,)`.
    """

    def __init__(self, parent_recording_segment, motion, index, locations, shanks):
        super().__init__(parent_recording_segment)
        self.motion, self.index, self.locations, self.shanks = motion, index, locations, shanks
        # A bin ends half-way to the next. SpikeInterface 0.105.3 leaves the edge between two bins, where there are no
        # more, to what was in memory.
        centers = np.asarray(motion.temporal_bins_s[index])
        self.bins = {
            "interpolation_time_bin_centers_s": centers,
            "interpolation_time_bin_edges_s": np.r_[centers[0], 0.5 * (centers[1:] + centers[:-1]), centers[-1]],
        }

    def get_traces(self, start_frame, end_frame, channel_indices):
        """Return moved traces, `(num_samples, num_channels)`."""
        from spikeinterface.sortingcomponents.motion.motion_interpolation import interpolate_motion_on_traces

        traces = self.parent_recording_segment.get_traces(start_frame, end_frame, slice(None))
        traces = traces.astype("float32", copy=False)
        times = self.parent_recording_segment.sample_index_to_time(np.arange(start_frame, start_frame + len(traces)))
        moved = np.empty_like(traces)
        for own in self.shanks:
            moved[:, own] = interpolate_motion_on_traces(
                traces[:, own],
                times,
                self.locations[own],
                self.motion,
                segment_index=self.index,
                spatial_interpolation_kwargs=KERNEL,
                **self.bins,
            )
        return moved if channel_indices is None else moved[:, channel_indices]
