"""Estimate the motion of tissue along the probe, over all segments of a recording as over one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..chunks import segment_starts
from ..times import recorded_s

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording
    from spikeinterface.core.motion import Motion

    from ..preprocessing.preparation import PreparedRecording
    from ..settings import MotionEstimationSettings


def estimate_motion(
    prepared: PreparedRecording, peaks: np.ndarray, locations_um: np.ndarray, settings: MotionEstimationSettings
) -> Motion:
    """Estimate motion by DREDge (Windolf et al. 2025), rigid on a short probe.

    The shanks of a probe move as one, so their spikes are taken together, by depth.

    SpikeInterface estimates the motion of one segment. Several are put one after the other for it, as if no time had
    passed between them: it is the same tissue, and where it was in each, as seen from the others, counts.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        peaks: structured array of peaks in it, sorted by segment and sample.
        locations_um: `(num_peaks, 2)` where the spikes are, µm on the probe.
        settings: [`~huidurep_hf.recording.settings.MotionEstimationSettings`].

    Returns:
        SpikeInterface `Motion`, of each segment.
    """
    from spikeinterface.core import concatenate_recordings
    from spikeinterface.sortingcomponents.motion import estimate_motion as estimate_of_one_segment

    recording = prepared.recording
    whole, bin_s = recording, motion_bin_s(recording, settings)
    # Bins are counted by the clock, which may stand still for hours within a segment, too.
    if recording.get_num_segments() > 1 or recording.has_time_vector():
        whole = concatenate_recordings([recording])
        peaks = _on_one_segment(peaks, recording)
    locations = np.zeros(len(peaks), dtype=[("x", "float64"), ("y", "float64")])
    locations["x"], locations["y"] = locations_um.T
    window_um = settings.motion_window_um
    is_short = np.ptp(prepared.positions[:, 1]) < 2 * window_um
    motion = estimate_of_one_segment(
        whole,
        peaks,
        locations,
        method="dredge_ap",
        direction="y",
        bin_s=bin_s,
        win_shape="gaussian",
        win_step_um=window_um,
        win_scale_um=window_um,
        rigid=bool(is_short),
        # Spikes at one depth in one bin are averaged, whatever their number.
        avg_in_bin=True,
        histogram_time_smooth_s=settings.motion_smoothing_s,
        histogram_depth_smooth_um=settings.motion_smoothing_um,
    )
    return motion if whole is recording else _of_segments(motion, recording, bin_s)


def motion_bin_s(recording: BaseRecording, settings: MotionEstimationSettings) -> float:
    """Time bin of the motion, s: longer in a long recording, as the estimate holds all pairs of bins in memory."""
    return max(settings.motion_bin_s, recorded_s(recording) / settings.max_motion_bins)


def _on_one_segment(peaks: np.ndarray, recording: BaseRecording) -> np.ndarray:
    peaks = peaks.copy()
    peaks["sample_index"] += segment_starts(recording)[peaks["segment_index"]]
    peaks["segment_index"] = 0
    return peaks


def _of_segments(motion: Motion, recording: BaseRecording, bin_s: float) -> Motion:
    """The motion of segments that followed one another, in the time of each."""
    from spikeinterface.core.motion import Motion

    rate = recording.get_sampling_frequency()
    displacements, times = [], []
    for segment, start in enumerate(segment_starts(recording)):
        num_samples = recording.get_num_samples(segment)
        num_bins = max(round(num_samples / rate / bin_s), 2)
        centers = (np.arange(num_bins) + 0.5) * num_samples / num_bins
        found = motion.get_displacement_at_time_and_depth((start + centers) / rate, motion.spatial_bins_um, grid=True)
        displacements.append(found.T)
        times.append(np.asarray(recording.sample_index_to_time(centers.astype("int64"), segment_index=segment)))
    return Motion(displacements, times, motion.spatial_bins_um, direction=motion.direction)
