import numpy as np
import pytest

from huidurep_hf.recording.blocks import Block, read_with_margin, split_into_blocks


def test_blocks_cover_every_segment_once(make_recording):
    recording = make_recording(traces=[np.zeros((n, 4), dtype="float32") for n in (70_000, 30_000, 0, 10)])
    blocks = split_into_blocks(recording)
    assert blocks == [(0, 0, 30_000), (0, 30_000, 60_000), (0, 60_000, 70_000), (1, 0, 30_000), (3, 0, 10)]
    halves = split_into_blocks(recording, 0.5)
    assert len(halves) == 5 + 2 + 1 and halves[1] == Block(0, 15_000, 30_000)
    # Never shorter than a sample.
    assert len(split_into_blocks(make_recording(num_samples=7), 1e-9)) == 7


@pytest.mark.parametrize(
    ("block", "start", "stop"),
    [((0, 1000, 2000), 950, 2050), ((0, 20, 2000), 0, 2050), ((0, 2900, 3000), 2850, 3000), ((1, 0, 40), 0, 40)],
)
def test_margins_end_with_the_segment(make_recording, block, start, stop):
    rng = np.random.default_rng(0)
    traces = [rng.normal(size=(num_samples, 4)).astype("float32") for num_samples in (3000, 40)]
    read, first = read_with_margin(make_recording(traces=traces), Block(*block), 50)
    assert first == start
    np.testing.assert_array_equal(read, traces[block[0]][start:stop])
