"""Correct the traces of a drifting probe by interpolation between contacts, each shank by itself.

SpikeInterface's interpolation takes all contacts of a recording for one shank: it would mix shanks whose contacts stand
at the same nominal places, and take the end of a short shank for a gap that the longer one beside it fills.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment
    from spikeinterface.core.motion import Motion


# Kriging by the squared distance, as in Kilosort; beyond the last contacts it extrapolates.
KERNEL = {"method": "kriging", "p": 2, "force_extrapolate": True}
# Number of kernels kept: one pass needs those of neighbouring bins of the motion again and again.
MAX_KERNELS = 256


class InterpolatedShanksRecording(BasePreprocessor):
    """Traces corrected for motion by interpolation between the contacts of each shank.

    Args:
        recording: SpikeInterface recording.
        motion: SpikeInterface `Motion`, of all shanks.
        shank_of_channel: `(num_channels,)` shank of each channel.
        sigma_um: distance over which the weights of contacts fall off, µm.
    """

    def __init__(self, recording: BaseRecording, motion: Motion, shank_of_channel: np.ndarray, sigma_um: float):
        super().__init__(recording, dtype="float32")
        locations = recording.get_channel_locations()
        shanks = [np.flatnonzero(shank_of_channel == shank) for shank in np.unique(shank_of_channel)]
        for index, parent in enumerate(recording.segments):
            self.add_recording_segment(InterpolatedShanksSegment(parent, motion, index, locations, shanks, sigma_um))
        # A motion cannot be written as JSON.
        self._serializability["json"] = False
        self._kwargs = {
            "recording": recording,
            "motion": motion,
            "shank_of_channel": shank_of_channel,
            "sigma_um": sigma_um,
        }


class InterpolatedShanksSegment(BasePreprocessorSegment):
    """A segment of [`InterpolatedShanksRecording`].

    Args:
        parent_recording_segment: of the recording as it was.
        motion: SpikeInterface `Motion`.
        index: of the segment.
        locations: `(num_channels, 2)` of the contacts, um.
        shanks: for each shank its channels `(num_own,)`.
        sigma_um: distance over which the weights of contacts fall off, µm.
    """

    def __init__(
        self,
        parent_recording_segment: BaseRecordingSegment,
        motion: Motion,
        index: int,
        locations: np.ndarray,
        shanks: list[np.ndarray],
        sigma_um: float,
    ):
        super().__init__(parent_recording_segment)
        self.motion, self.index, self.locations, self.shanks = motion, index, locations, shanks
        self.sigma_um = sigma_um
        self.centers = np.asarray(motion.temporal_bins_s[index])
        # A bin ends half-way to the next.
        self.edges = 0.5 * (self.centers[1:] + self.centers[:-1])
        self._kernel = lru_cache(MAX_KERNELS)(self._compute_kernel)

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return corrected traces, `(num_samples, num_channels)`."""
        traces = self.parent_recording_segment.get_traces(start_frame, end_frame, slice(None))
        traces = traces.astype("float32", copy=False)
        times = self.parent_recording_segment.sample_index_to_time(np.arange(start_frame, start_frame + len(traces)))
        bins = np.searchsorted(self.edges, times, side="right")
        starts = np.concatenate([[0], np.flatnonzero(np.diff(bins)) + 1, [len(traces)]])
        corrected = np.empty_like(traces)
        for start, stop in zip(starts[:-1], starts[1:]):
            if stop > start:
                np.matmul(traces[start:stop], self._kernel(int(bins[start])), out=corrected[start:stop])
        return corrected if channel_indices is None else corrected[:, channel_indices]

    def _compute_kernel(self, bin_: int) -> np.ndarray:
        """Matrix of one bin of the motion, `(num_channels, num_channels)` float32."""
        from spikeinterface.preprocessing.preprocessing_tools import get_spatial_interpolation_kernel

        kernel = np.zeros((len(self.locations), len(self.locations)), dtype="float32")
        for own in self.shanks:
            here, depth = self.locations[own], self.motion.dim
            displaced = here.copy()
            displaced[:, depth] += self.motion.get_displacement_at_time_and_depth(
                np.full(len(own), self.centers[bin_]), here[:, depth], segment_index=self.index
            )
            weights = get_spatial_interpolation_kernel(here, displaced, sigma_um=self.sigma_um, **KERNEL)
            kernel[np.ix_(own, own)] = weights
        return kernel
