"""Times on a recording's own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


def times_of_samples(recording: BaseRecording, segment_index: np.ndarray, sample_index: np.ndarray) -> np.ndarray:
    """Times of samples, by the start times or the time vectors of the segments.

    Args:
        recording: SpikeInterface recording.
        segment_index, sample_index: `(num_samples,)`, in any order.

    Returns:
        `(num_samples,)` float64, s.
    """
    times = np.empty(len(sample_index), dtype="float64")
    for segment in np.unique(segment_index):
        rows = segment_index == segment
        times[rows] = recording.sample_index_to_time(sample_index[rows], segment_index=int(segment))
    return times


def recorded_s(recording: BaseRecording) -> float:
    """Duration of all samples of a SpikeInterface recording, s; pauses of its clock do not count."""
    return recording.get_total_samples() / recording.get_sampling_frequency()
