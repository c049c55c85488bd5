import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.preprocessing.noise_over_time import NoiseOverTime
from huidurep_hf.recording.preprocessing.whitening import whiten
from huidurep_hf.recording.scan import prepare, scan

RATE = 30000
LOUD = slice(8 * RATE + 4000, 12 * RATE - 5000)


def recording_of(factor, channels=slice(None), seconds=20, num_channels=6):
    traces = np.random.default_rng(0).normal(size=(seconds * RATE, num_channels)).astype("float32")
    traces[LOUD, channels] *= factor
    recording = NumpyRecording([traces], float(RATE))
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(num_channels), 60.0 * np.arange(num_channels)], axis=1))
    return recording


@pytest.mark.slow
@pytest.mark.parametrize("factor, channels", [(2.0, slice(None)), (8.0, slice(None)), (3.0, [2])])
def test_noise_that_rises_is_measured_and_gives_no_more_peaks(factor, channels):
    quiet, few = scan(recording_of(1.0), PreparationParameters())
    loud, peaks = scan(recording_of(factor, channels), PreparationParameters())
    assert quiet.noise_over_time.is_steady and not loud.noise_over_time.is_steady
    np.testing.assert_allclose(loud.noise_levels, quiet.noise_levels, rtol=0.02)
    middle = loud.noise_over_time.at(0, np.arange(9 * RATE, 11 * RATE, 1000))
    np.testing.assert_allclose(middle[:, channels], factor, rtol=0.12)
    away = loud.noise_over_time.at(0, np.r_[0 : 7 * RATE : 1000, 13 * RATE : 20 * RATE : 1000])
    assert (away == 1).all()
    assert 0.19 < loud.noise_over_time.share_raised < 0.27
    # At 4.5 SDs noise alone has about one peak a second; with the threshold of quiet noise it had hundreds.
    assert len(peaks) <= 1.5 * len(few) + 10
    assert any("noise is raised in" in step for step in loud.steps)
    assert not any("noise is raised" in step for step in quiet.steps)


@pytest.mark.slow
def test_whitening_is_by_the_usual_noise():
    quiet, loud = (whiten(prepare(recording_of(factor))) for factor in (1.0, 8.0))
    first = [each.recording.get_traces(0, 0, 6 * RATE) for each in (quiet, loud)]
    np.testing.assert_allclose(first[1].std(axis=0), first[0].std(axis=0), rtol=0.03)


def test_a_bursting_neuron_is_not_noise():
    recording = recording_of(1.0)
    traces = recording.get_traces().copy()
    spike = -6 * np.hanning(20)[:, None] * np.array([0.5, 1, 0.5, 0, 0, 0])
    for start in range(2 * RATE, 4 * RATE, 270):
        traces[start : start + 20] += spike
    bursting = NumpyRecording([traces], float(RATE))
    bursting.set_probe(recording.get_probe(), in_place=True)
    prepared, peaks = scan(bursting, PreparationParameters())
    assert len(peaks) > 200
    assert prepared.noise_over_time.is_steady


def test_windows_and_events():
    factors = np.ones((9, 2), dtype="float32")
    factors[3, 1] = 4
    noise = NoiseOverTime(1000, 4, [factors, np.ones((1, 2), dtype="float32")])
    assert noise.windows_of(np.array([0, 249, 250, 999, 1000, 2100])).tolist() == [0, 0, 1, 3, 4, 8]
    segments, samples, channels = np.array([0, 0, 0, 1]), np.array([760, 760, 700, 50]), np.array([0, 1, 1, 1])
    assert noise.of_events(segments, samples, channels).tolist() == [1, 4, 1, 1]
    # Before and beyond the ends it is as there.
    assert noise.at(0, np.array([-5, 800, 9999])).tolist() == [[1, 1], [1, 4], [1, 1]]
