import numpy as np
import pytest
import spikeinterface.preprocessing as preprocessing

from huidurep_hf.recording.preprocessing.phase_shift import align_sampling_times
from huidurep_hf.recording.scan import prepare

RATE, MARGIN_MS = 30_000.0, 10.0
SHIFTS = np.tile(np.arange(12) / 13, 3)[:32]
STEP = "channels sampled in turns brought to one time"


@pytest.fixture
def sampled_in_turns(make_recording):
    """32 channels that all pick up the same 5 kHz hum, beside noise of their own, each sampled a little later."""
    times = np.arange(30_000)[:, None] + SHIFTS[None, :]
    hum = 10 * np.sin(2 * np.pi * 5000 / RATE * times)
    own = np.random.default_rng(0).normal(size=hum.shape)
    recording = make_recording(num_channels=32, traces=[(hum + own).astype("float32")])
    recording.set_property("inter_sample_shift", SHIFTS)
    return recording


@pytest.mark.slow
def test_the_reference_takes_away_what_channels_share(sampled_in_turns):
    aligned = prepare(sampled_in_turns)
    assert STEP in aligned.steps
    assert aligned.noise_levels.max() < 1.0
    sampled_in_turns.delete_property("inter_sample_shift")
    as_sampled = prepare(sampled_in_turns)
    assert STEP not in as_sampled.steps
    assert as_sampled.noise_levels.max() > 3.0


def test_channels_end_at_the_time_of_the_first(sampled_in_turns):
    inner = slice(3000, -3000)
    traces = align_sampling_times(sampled_in_turns, MARGIN_MS).get_traces()[inner]
    hum = 10 * np.sin(2 * np.pi * 5000 / RATE * np.arange(30_000))[inner]
    amplitudes = traces.T @ hum / (hum @ hum)
    np.testing.assert_allclose(amplitudes, 1.0, atol=0.01)


def test_no_recording_is_shifted_twice(sampled_in_turns):
    shifted = preprocessing.phase_shift(sampled_in_turns)
    assert align_sampling_times(shifted, MARGIN_MS) is shifted
    referenced = preprocessing.common_reference(shifted)
    assert align_sampling_times(referenced, MARGIN_MS) is referenced
    filtered = preprocessing.bandpass_filter(sampled_in_turns)
    assert align_sampling_times(filtered, MARGIN_MS) is filtered


def test_a_channel_of_unknown_time_stays_as_it_is(sampled_in_turns):
    sampled_in_turns.set_property("inter_sample_shift", np.append(SHIFTS[:-1], np.nan))
    traces = align_sampling_times(sampled_in_turns, MARGIN_MS).get_traces()
    inner = slice(3000, -3000)
    np.testing.assert_allclose(traces[inner, -1], sampled_in_turns.get_traces()[inner, -1], atol=1e-2)


def test_channels_sampled_at_once_are_not_touched(make_recording):
    recording = make_recording(num_channels=4)
    assert align_sampling_times(recording, MARGIN_MS) is recording
    recording.set_property("inter_sample_shift", np.full(4, 0.5))
    assert align_sampling_times(recording, MARGIN_MS) is recording
