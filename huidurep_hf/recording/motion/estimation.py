"""Estimate the motion of tissue along the probe, over all segments of a recording as over one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..chunks import segment_starts

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording
    from spikeinterface.core.motion import Motion

    from ..preprocessing.preparation import PreparedRecording


# Windows in which a long probe's motion may differ; a shorter probe has one.
WINDOW_UM = 400.0
# Time bin of the motion; a segment has two at least.
BIN_S = 1.0
# A bin of a second holds a hundred spikes where neurons are few. In images as DREDge makes them by default (smoothed
# over 1 s and 1 um) some bins look as if the tissue had jumped by a row of contacts. They do not where images are
# smoothed so far, and spikes at one depth in one bin are averaged.
IMAGE = {"avg_in_bin": True, "histogram_time_smooth_s": 2.0, "histogram_depth_smooth_um": 5.0}


def estimate_motion(prepared: PreparedRecording, peaks: np.ndarray, locations_um: np.ndarray) -> Motion:
    """Estimate motion by DREDge (Windolf et al. 2025), rigid on a short probe.

    The shanks of a probe move as one, so their spikes are taken together, by depth.

    SpikeInterface estimates the motion of one segment. Several are put one after the other for it, as if no time had
    passed between them: it is the same tissue, and where it was in each, as seen from the others, counts.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        peaks: structured array of peaks in it, sorted by segment and sample.
        locations_um: `(num_peaks, 2)` where the spikes are, µm on the probe.

    Returns:
        SpikeInterface `Motion`, of each segment.
    """
    from spikeinterface.core import concatenate_recordings
    from spikeinterface.sortingcomponents.motion import estimate_motion as estimate_of_one_segment

    recording = prepared.recording
    whole = recording
    if recording.get_num_segments() > 1:
        whole = concatenate_recordings([recording])
        peaks = _on_one_segment(peaks, recording)
    locations = np.zeros(len(peaks), dtype=[("x", "float64"), ("y", "float64")])
    locations["x"], locations["y"] = locations_um.T
    is_short = np.ptp(prepared.positions[:, 1]) < 2 * WINDOW_UM
    windows = {"win_shape": "gaussian", "win_step_um": WINDOW_UM, "win_scale_um": WINDOW_UM, "rigid": bool(is_short)}
    motion = estimate_of_one_segment(
        whole, peaks, locations, method="dredge_ap", direction="y", bin_s=BIN_S, **windows, **IMAGE
    )
    return motion if whole is recording else _of_segments(motion, recording)


def _on_one_segment(peaks: np.ndarray, recording: BaseRecording) -> np.ndarray:
    peaks = peaks.copy()
    peaks["sample_index"] += segment_starts(recording)[peaks["segment_index"]]
    peaks["segment_index"] = 0
    return peaks


def _of_segments(motion: Motion, recording: BaseRecording) -> Motion:
    """The motion of segments that followed one another, in the time of each."""
    from spikeinterface.core.motion import Motion

    rate = recording.get_sampling_frequency()
    displacements, times = [], []
    for segment, start in enumerate(segment_starts(recording)):
        num_samples = recording.get_num_samples(segment)
        num_bins = max(round(num_samples / rate / BIN_S), 2)
        centers = (np.arange(num_bins) + 0.5) * num_samples / num_bins
        found = motion.get_displacement_at_time_and_depth((start + centers) / rate, motion.spatial_bins_um, grid=True)
        displacements.append(found.T)
        times.append(np.asarray(recording.sample_index_to_time(centers.astype("int64"), segment_index=segment)))
    return Motion(displacements, times, motion.spatial_bins_um, direction=motion.direction)
