"""The fixed grid on which every pass reads a recording.

A pass computes each block by itself, so that its result does not depend on how many workers share the blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


BLOCK_S = 1.0


class Block(NamedTuple):
    """One stretch of one segment, samples `start` to `stop`."""

    segment: int
    start: int
    stop: int


def block_size_of(recording: BaseRecording, seconds: float = BLOCK_S) -> int:
    """Samples of a block of a SpikeInterface recording."""
    return max(round(seconds * recording.get_sampling_frequency()), 1)


def split_into_blocks(recording: BaseRecording, seconds: float = BLOCK_S) -> list[Block]:
    """Cut every segment of a SpikeInterface recording into blocks of the same length; the last may be shorter."""
    size = block_size_of(recording, seconds)
    return [
        Block(segment, start, min(start + size, num_samples))
        for segment in range(recording.get_num_segments())
        for num_samples in [recording.get_num_samples(segment)]
        for start in range(0, num_samples, size)
    ]


def rows_of_segment(segments: np.ndarray, segment: int) -> slice:
    """Rows of a table, sorted by segment, that lie in one segment.

    Args:
        segments: `(num_rows,)`.
        segment: its index.
    """
    # Of the column's own type: numpy would copy the whole column to compare it with another.
    first, last = np.searchsorted(segments, np.array([segment, segment + 1], dtype=segments.dtype))
    return slice(int(first), int(last))


def rows_in_block(segments: np.ndarray, samples: np.ndarray, block: Block, margin: int = 0) -> slice:
    """Rows of a table, sorted by segment and sample, that lie in a block or within a margin of it.

    Args:
        segments, samples: `(num_rows,)`.
        block: the block.
        margin: samples on both sides.
    """
    own = rows_of_segment(segments, block.segment)
    inside = np.searchsorted(samples[own], [block.start - margin, block.stop + margin])
    return slice(own.start + int(inside[0]), own.start + int(inside[1]))


def read_with_margin(recording: BaseRecording, block: Block, margin: int) -> tuple[np.ndarray, int]:
    """Read a block and `margin` samples on both sides, cut at the ends of the segment.

    Returns:
        `(traces, start)`: `(num_samples, num_channels)`, and the sample of the segment that the first row is.
    """
    start = max(block.start - margin, 0)
    stop = min(block.stop + margin, recording.get_num_samples(block.segment))
    return recording.get_traces(segment_index=block.segment, start_frame=start, end_frame=stop), start
