"""Walk through a recording in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


CHUNK_BYTES = 64 * 2**20


def chunk_size_of(recording: BaseRecording) -> int:
    """Number of samples whose float32 traces over all channels fill about 64 MiB, at most 10 s, at least 1000.

    Args:
        recording: SpikeInterface recording.

    Returns:
        `int`: samples.
    """
    bounded_by_memory = CHUNK_BYTES // (4 * max(recording.get_num_channels(), 1))
    bounded_by_time = int(10 * recording.get_sampling_frequency())
    return max(1000, min(bounded_by_memory, bounded_by_time))


def iterate_chunks(recording: BaseRecording) -> Iterator[tuple[int, int, int]]:
    """Yield `(segment_index, start, end)` in samples, covering every segment once and in order."""
    chunk_size = chunk_size_of(recording)
    for segment_index in range(recording.get_num_segments()):
        num_samples = recording.get_num_samples(segment_index)
        for start in range(0, num_samples, chunk_size):
            yield segment_index, start, min(start + chunk_size, num_samples)


def segment_starts(recording: BaseRecording, gap: int = 0) -> np.ndarray:
    """First sample of each segment where they follow one another, `(num_segments,)` int64.

    Args:
        recording: SpikeInterface recording.
        gap: samples between two segments.
    """
    num_samples = [recording.get_num_samples(segment) + gap for segment in range(recording.get_num_segments())]
    return np.cumsum([0, *num_samples[:-1]]).astype("int64")


def on_one_time_line(samples: np.ndarray, segments: np.ndarray, recording: BaseRecording) -> np.ndarray:
    """Times in samples, the segments one after the other with a gap of a second.

    Args:
        samples, segments: `(num_spikes,)`.
        recording: SpikeInterface recording.

    Returns:
        `(num_spikes,)` int64.
    """
    starts = segment_starts(recording, gap=round(recording.get_sampling_frequency()))
    return samples.astype("int64") + starts[segments]
