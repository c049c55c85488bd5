import numpy as np
import pytest

from huidurep_hf.recording.preprocessing.noise_levels import estimate_noise_levels, without_silence
from huidurep_hf.recording.preprocessing.preparation import prepare
from huidurep_hf.recording.preprocessing.whitening import whiten

RATE = 30000


def traces_of(seconds, seed=0):
    """Noise that two channels share in part."""
    random = np.random.default_rng(seed)
    own = random.normal(size=(seconds * RATE, 4))
    own[:, 1] += 0.5 * own[:, 0]
    return own.astype("float32")


@pytest.mark.parametrize("part", [(2, 5), (0, 8)])
def test_silent_stretches_are_no_noise(make_recording, part):
    traces = traces_of(10)
    whole = prepare(make_recording(traces=[traces.copy()]))
    traces[slice(*(RATE * second for second in part))] = 0
    blanked = prepare(make_recording(traces=[traces]))
    np.testing.assert_allclose(blanked.noise_levels, whole.noise_levels, rtol=0.05)
    assert any("silent stretches" in step for step in blanked.steps)
    # Noise of a whitened recording has an SD of 1 along any direction, and its channels are independent.
    heard = whiten(blanked).recording.get_traces(start_frame=int(8.5 * RATE))
    expected = whiten(whole).recording.get_traces(start_frame=int(8.5 * RATE))
    np.testing.assert_allclose(heard.std(axis=0), expected.std(axis=0), rtol=0.05)
    assert abs(np.corrcoef(heard.T)[0, 1]) < 0.05


def test_a_recording_without_silence_is_measured_as_it_is(make_recording):
    recording = prepare(make_recording(traces=[traces_of(2)])).recording
    assert without_silence(recording, 0) is recording


def test_short_and_single_channel_stillness_is_no_silence(make_recording):
    traces = traces_of(2)
    traces[20000:20150] = 0
    traces[:, 3] = 0
    recording = make_recording(traces=[traces])
    assert without_silence(recording, 0) is recording


def test_a_recording_of_nearly_nothing_is_measured_as_it_is(make_recording):
    traces = np.zeros((2 * RATE, 4), dtype="float32")
    traces[1000:1100] = 5.0
    assert (estimate_noise_levels(make_recording(traces=[traces]), 0) == 0).all()
