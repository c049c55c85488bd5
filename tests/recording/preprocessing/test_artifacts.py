import logging

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.preprocessing.artifacts import blank_artifacts, find_artifacts
from huidurep_hf.recording.preprocessing.preparation import prepare

RATE = 30000
ONES = np.ones(4, dtype="float32")


def noise(num_samples=2 * RATE, num_channels=4, seed=0):
    return np.random.default_rng(seed).normal(size=(num_samples, num_channels)).astype("float32")


def test_what_is_large_everywhere_is_found_with_its_surroundings(make_recording):
    first, second = noise(), noise()
    first[10000:10030] -= 200
    first[10400] += 200  # within 20 ms: one stretch
    first[0] = first[-1] = 200
    second[30000] = -200
    periods = find_artifacts(make_recording(traces=[first, second]), ONES, 50.0)
    found = [tuple(int(value) for value in period) for period in periods]
    assert found == [(0, 0, 301), (0, 9700, 10701), (0, 2 * RATE - 301, 2 * RATE), (1, 29700, 30301)]


@pytest.mark.parametrize("num_channels", [1, 3])
def test_few_channels_cannot_tell_artifacts_from_neurons(num_channels):
    traces = noise(num_channels=num_channels)
    traces[10000] = 1000
    recording = NumpyRecording([traces], RATE)
    kept, step = blank_artifacts(recording, np.ones(num_channels), 50.0)
    assert kept is recording and step is None


def test_large_neurons_and_large_channels_stay(make_recording):
    traces = noise()
    traces[10000:10030, :3] -= 200
    traces[20000:20030] -= 45
    recording = make_recording(traces=[traces])
    assert blank_artifacts(recording, ONES, 50.0)[1] is None
    traces[10000:10030, 3] -= 200
    assert blank_artifacts(make_recording(traces=[traces]), ONES, 50.0)[1] is not None
    assert blank_artifacts(make_recording(traces=[traces]), ONES, 0.0)[1] is None


def test_many_are_left_with_a_warning(make_recording, caplog):
    traces = noise()
    traces[::3000] = 200
    recording = make_recording(traces=[traces])
    with caplog.at_level(logging.WARNING, logger="huidurep_hf"):
        assert blank_artifacts(recording, ONES, 50.0)[0] is recording
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


def test_what_channels_share_is_seen_before_the_reference(make_recording):
    traces = noise(num_channels=16)
    traces[10000:10015] -= np.linspace(800, 1200, 16)
    prepared = prepare(make_recording(traces=[traces], num_channels=16))
    assert any("blanked 1 artifacts" in step for step in prepared.steps)
