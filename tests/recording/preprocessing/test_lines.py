import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.preprocessing.lines import LinesRemovedRecording, find_lines
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.settings import LineSettings

RATE = 30000.0
ANY_POWER = LineSettings(min_line_power=0.0)


def recording_of(signal, seconds=30, num_channels=4):
    times = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 10, (len(times), num_channels))
    traces = noise + signal(times)[:, None] * np.linspace(0.9, 1.1, num_channels)
    recording = NumpyRecording([traces.astype("float32")], RATE)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(num_channels), 60.0 * np.arange(num_channels)], axis=1))
    return recording


def nothing(times):
    return np.zeros(len(times))


def tone(times):
    return 30 * np.sin(2 * np.pi * 1500.3 * times)


def square(times):
    return 200 * np.sign(np.sin(2 * np.pi * 50.02 * times))


def fading(times):
    """Its size falls to a third, and comes back."""
    return 40 * (0.66 + 0.33 * np.cos(2 * np.pi * times / 15)) * np.sin(2 * np.pi * 777.0 * times)


@pytest.mark.slow
def test_noise_and_spikes_have_no_lines():
    recording = recording_of(nothing)
    assert len(find_lines(recording, ANY_POWER)[0]) == 0
    traces = recording.get_traces().copy()
    spike = -200 * np.hanning(30)[:, None]
    for start in np.random.default_rng(1).integers(0, len(traces) - 40, 600):
        traces[start : start + 30] += spike
    spiking = NumpyRecording([traces], RATE)
    assert len(find_lines(spiking, ANY_POWER)[0]) == 0
    # Nor has a neuron that fires like a clock.
    traces = recording.get_traces().copy()
    for start in range(100, len(traces) - 40, 1000):
        traces[start : start + 30] += spike
    regular = NumpyRecording([traces], RATE)
    regular.set_probe(recording.get_probe())
    assert not any(step.startswith("subtracted") for step in prepare(regular).steps)
    # Nor is a recording that is too short for a spectrum refused.
    assert len(find_lines(recording_of(tone, seconds=2), ANY_POWER)[0]) == 0


def test_frequencies_are_exact():
    frequencies, powers = find_lines(recording_of(tone), LineSettings(min_line_power=0.01))
    np.testing.assert_allclose(frequencies, [1500.3], atol=0.02)
    # 450 µV² beside the 100 of the noise; a little less, as the largest samples are clipped.
    np.testing.assert_allclose(powers, [4.5], rtol=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("signal, most_left", [(tone, 0.1), (square, 0.8), (fading, 0.3)])
def test_traces_without_lines_are_those_that_never_had_any(signal, most_left):
    clean, prepared = prepare(recording_of(nothing)), prepare(recording_of(signal))
    assert any(step.startswith("subtracted") for step in prepared.steps)
    np.testing.assert_allclose(prepared.noise_levels, clean.noise_levels, rtol=0.05)
    difference = (prepared.recording.get_traces() - clean.recording.get_traces()) / clean.noise_levels
    assert np.sqrt(np.square(difference[3000:-3000]).mean()) < most_left
    kept = prepare(recording_of(signal), PreparationParameters(remove_lines="off"))
    assert (kept.noise_levels > 1.5 * clean.noise_levels).all()


def test_a_spike_is_left_as_it_is():
    traces = np.zeros((30000, 2), dtype="float32")
    traces[15000:15030] = -100 * np.hanning(30)[:, None]
    cleaned = LinesRemovedRecording(NumpyRecording([traces], RATE), [1500.0, 3000.0], min_fit_s=0.5)
    np.testing.assert_allclose(cleaned.get_traces(), traces, atol=1.0)
    # A short stretch is cut out of one that is long enough for a fit.
    np.testing.assert_allclose(cleaned.get_traces(0, 14_990, 15_040), traces[14_990:15_040], atol=1.0)
