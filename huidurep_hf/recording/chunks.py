"""Walk through a recording in pieces of bounded size."""

import numpy as np

CHUNK_BYTES = 64 * 2**20


def chunk_size_of(recording):
    """Number of samples whose float32 traces over all channels fill about 64 MiB, at most 10 s, at least 1000.

    Args:
        recording: SpikeInterface recording.

    Returns:
        `int`: samples.
    """
    bounded_by_memory = CHUNK_BYTES // (4 * max(recording.get_num_channels(), 1))
    bounded_by_time = int(10 * recording.get_sampling_frequency())
    return max(1000, min(bounded_by_memory, bounded_by_time))


def iterate_chunks(recording):
    """Yield `(segment_index, start, end)` in samples, covering every segment once and in order."""
    chunk_size = chunk_size_of(recording)
    for segment_index in range(recording.get_num_segments()):
        num_samples = recording.get_num_samples(segment_index)
        for start in range(0, num_samples, chunk_size):
            yield segment_index, start, min(start + chunk_size, num_samples)


def on_one_time_line(samples, segments, recording):
    """Times in samples, the segments one after the other with a gap of a second.

    Args:
        samples, segments: `(num_spikes,)`.
        recording: SpikeInterface recording.

    Returns:
        `(num_spikes,)` int64.
    """
    num_samples = [recording.get_num_samples(segment) for segment in range(recording.get_num_segments())]
    gaps = np.arange(len(num_samples)) * round(recording.get_sampling_frequency())
    starts = np.concatenate([[0], np.cumsum(num_samples)[:-1]]) + gaps
    return samples.astype("int64") + starts.astype("int64")[segments]
