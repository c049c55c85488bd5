import logging
from collections import namedtuple

import numpy as np
import pytest

from huidurep_hf.recording import trace_copy
from huidurep_hf.recording.blocks import Block, split_into_blocks
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.trace_copy import DiskCopy, MemoryCopy, copy_blocks, make_copy
from huidurep_hf.workers import Workers


@pytest.fixture
def recording(make_recording):
    rng = np.random.default_rng(0)
    traces = [rng.normal(size=(n, 4)).astype("float32") * [1, 10, 100, 1000] for n in (40_000, 25_000)]
    recording = make_recording(traces=[each.astype("float32") for each in traces])
    recording.set_property("group", np.array([0, 0, 1, 1]))
    recording.set_property("colour", np.array(["red", "green", "blue", "grey"]))
    recording.annotate(session="yesterday")
    recording.set_times(5.0 + np.arange(25_000) / 30_000, segment_index=1)
    return recording


LEVELS = np.array([1, 10, 100, 1000], dtype="float32")


def fill(copy, recording):
    for block in split_into_blocks(recording):
        copy.write(block, recording.get_traces(block.segment, block.start, block.stop))
    return copy.recording()


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_a_copy_is_the_recording(recording, tmp_path, kind):
    copied = fill(
        MemoryCopy(recording) if kind == "memory" else DiskCopy(recording, LEVELS, tmp_path, "copy"), recording
    )
    assert copied.get_dtype() == np.float32
    assert list(copied.channel_ids) == list(recording.channel_ids)
    np.testing.assert_array_equal(copied.get_channel_locations(), recording.get_channel_locations())
    assert copied.get_channel_groups().tolist() == [0, 0, 1, 1]
    assert copied.get_property("colour").tolist() == ["red", "green", "blue", "grey"]
    assert copied.get_annotation("session") == "yesterday"
    for segment in range(2):
        np.testing.assert_allclose(copied.get_times(segment), recording.get_times(segment), rtol=0, atol=1e-9)
        found, given = (each.get_traces(segment_index=segment) for each in (copied, recording))
        assert found.dtype == np.float32
        if kind == "memory":
            np.testing.assert_array_equal(found, given)
        else:
            # Half a step.
            np.testing.assert_allclose(found / LEVELS, given / LEVELS, rtol=0, atol=1.001 / 64)
    part = copied.get_traces(segment_index=1, start_frame=700, end_frame=900, channel_ids=copied.channel_ids[[3, 1]])
    np.testing.assert_array_equal(part, copied.get_traces(segment_index=1)[700:900][:, [3, 1]])


def test_large_spikes_and_channels_of_no_noise_survive(make_recording, tmp_path):
    traces = np.zeros((3000, 4), dtype="float32")
    traces[1000, :3] = [-100.03, 150.0, 900.0]
    # Beyond what is kept.
    traces[2000, 1:3] = [1e5, -1e6]
    recording = make_recording(traces=[traces])
    copied = fill(DiskCopy(recording, np.array([1.0, 1.0, 1.0, 0.0]), tmp_path, "copy"), recording).get_traces()
    assert np.isfinite(copied).all()
    np.testing.assert_allclose(copied, np.clip(traces, -1024, 1024), atol=0.04)


def test_where_traces_go(recording, tmp_path, monkeypatch, caplog):
    assert isinstance(make_copy(recording, LEVELS, None, "copy"), MemoryCopy)
    assert isinstance(make_copy(recording, LEVELS, tmp_path, "copy"), MemoryCopy)
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", 0)
    assert make_copy(recording, LEVELS, None, "copy") is None
    assert isinstance(make_copy(recording, LEVELS, tmp_path, "copy"), DiskCopy)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 2 * 4 * 65_000
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(trace_copy.shutil, "disk_usage", lambda folder: usage(free=600_000))
    with caplog.at_level(logging.WARNING, logger="huidurep_hf"):
        # A copy that was begun takes the room that is missing now.
        assert isinstance(make_copy(recording, LEVELS, tmp_path, "copy"), DiskCopy)
        assert make_copy(recording, LEVELS, tmp_path, "other") is None
        assert "are filtered anew in each pass" in caplog.text
        # What is not written takes no room: 520,000 bytes in all, and 480,000 may be taken.
        assert isinstance(make_copy(recording, LEVELS, tmp_path, "part", num_samples=60_000), DiskCopy)
        assert make_copy(recording, LEVELS, tmp_path, "larger part", num_samples=60_001) is None
        # Finished parts of a run follow from its traces, which a copy would round.
        monkeypatch.setattr(trace_copy.shutil, "disk_usage", lambda folder: usage(free=1e12))
        assert make_copy(recording, LEVELS, tmp_path, "other") is None
    assert "began without a copy" in caplog.text


def test_segments_without_a_start_time_beside_others(make_recording, tmp_path):
    recording = make_recording(traces=[np.zeros((3000, 4), dtype="float32")] * 2)
    recording.shift_times(100.0, segment_index=1)
    for copied in (MemoryCopy(recording), DiskCopy(recording, LEVELS, tmp_path, "copy")):
        assert [copied.recording().get_start_time(segment) for segment in range(2)] == [0.0, 100.0]


@pytest.mark.parametrize("max_bytes", [2**29, 0])
def test_blocks_are_copied_with_their_margins(recording, tmp_path, monkeypatch, max_bytes):
    prepared = prepare(recording)
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", max_bytes)
    # The first two share a margin.
    blocks = [Block(0, 0, 9_000), Block(0, 11_000, 20_000), Block(0, 30_000, 33_000), Block(1, 5_000, 10_000)]
    copied = copy_blocks(prepared, blocks, tmp_path, Workers(2))
    is_copied = [np.zeros(num_samples, dtype=bool) for num_samples in (40_000, 25_000)]
    for block in blocks:
        is_copied[block.segment][max(block.start - 1500, 0) : block.stop + 1500] = True
    for segment, inside in enumerate(is_copied):
        found, given = (each.recording.get_traces(segment_index=segment) for each in (copied, prepared))
        assert not found[~inside].any()
        in_sds = (found - given)[inside] / prepared.noise_levels
        assert np.abs(in_sds).max() < (1e-3 if max_bytes else 1.001 / 64)
        np.testing.assert_array_equal(copied.recording.get_times(segment), prepared.recording.get_times(segment))


def test_without_room_blocks_are_not_copied(recording, monkeypatch):
    prepared = prepare(recording)
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", 0)
    assert copy_blocks(prepared, [Block(0, 0, 10_000)], None, Workers(2)) is prepared
