import logging

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.blocks import split_into_blocks
from huidurep_hf.recording.preprocessing.artifacts import find_artifact_samples, periods_to_blank
from huidurep_hf.recording.scan import prepare, scan
from huidurep_hf.recording.settings import DetectionSettings, PreprocessingSettings

RATE = 30000
ONES = np.ones(4, dtype="float32")


def noise(num_samples=2 * RATE, num_channels=4, seed=0):
    return np.random.default_rng(seed).normal(size=(num_samples, num_channels)).astype("float32")


def find(recording, noise_levels, threshold):
    """Periods and step, from the samples of each block."""
    samples = [[] for _ in range(recording.get_num_segments())]
    for block in split_into_blocks(recording):
        traces = recording.get_traces(block.segment, block.start, block.stop)
        samples[block.segment].append(block.start + find_artifact_samples(traces, noise_levels, threshold))
    return periods_to_blank(recording, samples, PreprocessingSettings(artifact_threshold=threshold))


def test_what_is_large_everywhere_is_found_with_its_surroundings(make_recording):
    first, second = noise(), noise()
    first[10000:10030] -= 200
    first[10400] += 200  # within 20 ms: one stretch
    first[0] = first[-1] = 200
    second[29990:30010] = -200  # at the edge of two blocks
    periods, step = find(make_recording(traces=[first, second]), ONES, 50.0)
    found = [tuple(int(value) for value in period) for period in periods]
    assert found == [(0, 0, 301), (0, 9700, 10701), (0, 2 * RATE - 301, 2 * RATE), (1, 29690, 30310)]
    assert step.startswith("blanked 4 artifacts (above 50 SDs")


@pytest.mark.parametrize("num_channels", [1, 3])
def test_few_channels_cannot_tell_artifacts_from_neurons(num_channels):
    traces = noise(num_channels=num_channels)
    traces[10000] = 1000
    periods, step = find(NumpyRecording([traces], RATE), np.ones(num_channels), 50.0)
    assert len(periods) == 0 and step is None


def test_large_neurons_and_large_channels_stay(make_recording):
    traces = noise()
    traces[10000:10030, :3] -= 200
    traces[20000:20030] -= 45
    recording = make_recording(traces=[traces])
    assert find(recording, ONES, 50.0)[1] is None
    traces[10000:10030, 3] -= 200
    assert find(make_recording(traces=[traces]), ONES, 50.0)[1] is not None
    assert find(make_recording(traces=[traces]), ONES, 0.0)[1] is None


def test_many_are_left_with_a_warning(make_recording, caplog):
    traces = noise()
    traces[::3000] = 200
    recording = make_recording(traces=[traces])
    with caplog.at_level(logging.WARNING, logger="huidurep_hf"):
        periods, step = find(recording, ONES, 50.0)
    assert len(periods) == 0 and step is None
    assert "20 artifacts" in caplog.text and "none is blanked" in caplog.text


def test_blanked_traces_are_zero_there_and_the_same_elsewhere(make_recording):
    traces = noise()
    plain = prepare(make_recording(traces=[traces.copy()])).recording.get_traces()
    traces[10000:10015] -= 1000
    prepared = prepare(make_recording(traces=[traces]))
    blanked = prepared.recording.get_traces()
    is_blank = (blanked == 0).all(axis=1)
    assert 600 < is_blank.sum() < 900 and is_blank[9750:10250].all()
    # The filter still rings there, with less than the noise.
    assert np.abs(blanked - plain)[~is_blank].max() < prepared.noise_levels.min()
    assert any("blanked 1 artifacts" in step for step in prepared.steps)


def test_peaks_of_an_artifact_are_none(make_recording):
    traces = noise()
    traces[10000:10015] -= 1000
    # A spike beside it, and one far away.
    for sample in (10200, 40000):
        traces[sample : sample + 15, 1] -= 30
    recording = make_recording(traces=[traces])
    detection = DetectionSettings(detect_threshold=8)
    _, peaks = scan(recording, PreprocessingSettings(), detection)
    assert np.abs(peaks["sample_index"] - 40007).max() < 15 and len(peaks) >= 1
    _, peaks = scan(recording, PreprocessingSettings(artifact_threshold=0), detection)
    assert np.abs(peaks["sample_index"] - 10007).min() < 15


def test_what_channels_share_is_seen_before_the_reference(make_recording):
    traces = noise(num_channels=16)
    traces[10000:10015] -= np.linspace(800, 1200, 16)
    prepared = prepare(make_recording(traces=[traces], num_channels=16))
    assert any("blanked 1 artifacts" in step for step in prepared.steps)
