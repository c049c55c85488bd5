import dataclasses

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.signal import firwin, lfilter, welch
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.preprocessing.whitening import (
    prediction_error_filter,
    samples_per_independent_one,
    whiten,
)
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.settings import WhiteningSettings

RATE = 30000.0
SETTINGS = WhiteningSettings()


def correlated_noise(num_samples=60000, num_channels=4):
    rng = np.random.default_rng(0)
    independent = rng.normal(size=(num_samples, num_channels))
    shared = independent + 0.8 * independent.mean(axis=1, keepdims=True) * num_channels**0.5
    return lfilter([1.0], [1.0, -0.6], shared, axis=0) * np.array([3.0, 5.0, 8.0, 4.0])[:num_channels]


def as_recording(traces, groups=None):
    recording = NumpyRecording([traces.astype("float32")], sampling_frequency=RATE)
    # Two shanks that lie closer to each other than noise is whitened over.
    channel = np.arange(traces.shape[1])
    recording.set_dummy_probe_from_locations(np.stack([10.0 * (channel // 4), 25.0 * (channel % 4)], axis=1))
    if groups is not None:
        recording.set_property("group", np.asarray(groups))
    return recording


def correlation_between_channels(traces):
    return np.abs(np.corrcoef(traces.T)[np.triu_indices(traces.shape[1], 1)]).max()


def slope_of_spectrum(traces):
    """Power at 0.5 to 1.5 kHz over power at 4 to 5 kHz: 1 for noise that is white within the pass band."""
    frequencies, power = welch(traces, fs=RATE, nperseg=1024, axis=0)
    low, high = ((frequencies > start) & (frequencies < stop) for start, stop in ((500, 1500), (4000, 5000)))
    return power[low].mean() / power[high].mean()


@pytest.mark.slow
def test_noise_becomes_white_in_space_and_time():
    prepared = prepare(as_recording(correlated_noise()))
    whitened = whiten(prepared)
    before, after = prepared.recording.get_traces(), whitened.recording.get_traces()
    assert correlation_between_channels(before) > 0.3
    assert correlation_between_channels(after) < 0.05
    assert slope_of_spectrum(before) > 2.5
    assert 0.7 < slope_of_spectrum(after) < 1.4
    # What a spike meets: the density of the noise in the pass band is that of white noise of SD 1.
    frequencies, density = welch(after, fs=RATE, nperseg=1024, axis=0)
    in_band = (frequencies > 500) & (frequencies < 5000)
    np.testing.assert_allclose(density[in_band].mean(axis=0) * RATE / 2, 1, atol=0.15)
    assert whitened.noise_levels.tolist() == [1.0] * 4
    assert whitened.steps[-1].startswith("whitened in space")


def test_in_space_alone():
    whitened = whiten(prepare(as_recording(correlated_noise())), PreparationParameters(whiten_in_time="off"))
    traces = whitened.recording.get_traces()
    assert correlation_between_channels(traces) < 0.05
    assert slope_of_spectrum(traces) > 2.5
    assert "time" not in whitened.steps[-1]


def test_a_spike_keeps_its_time():
    traces = correlated_noise()
    traces[30000:30003] -= 300.0
    whitened = whiten(prepare(as_recording(traces)))
    assert abs(np.abs(whitened.recording.get_traces()).max(axis=1).argmax() - 30001) <= 3


def test_shanks_do_not_mix():
    traces = np.concatenate([correlated_noise(), correlated_noise()[::-1]], axis=1)
    traces[30000:30003, :4] -= 300.0
    whitened = whiten(prepare(as_recording(traces, groups=[0] * 4 + [1] * 4)))
    around = np.abs(whitened.recording.get_traces(start_frame=29990, end_frame=30020)).max(axis=0)
    assert around[:4].max() > 20
    assert around[4:].max() < 6


def test_a_part_of_the_traces_is_that_part_of_the_whole():
    traces = correlated_noise()
    whitened = whiten(prepare(as_recording(traces))).recording
    whole = whitened.get_traces()
    part = whitened.get_traces(start_frame=12345, end_frame=12400)
    np.testing.assert_array_equal(part, whole[12345:12400])
    # Chunks of any size, also smaller than the filter, which has nothing before the first sample.
    edges = np.unique(np.r_[0, 1, 3, 4, 9, np.random.default_rng(0).integers(10, len(whole), 40), len(whole)])
    chunks = [whitened.get_traces(start_frame=int(a), end_frame=int(b)) for a, b in zip(edges[:-1], edges[1:])]
    # A chunk of one sample is multiplied as a vector, which rounds otherwise.
    np.testing.assert_allclose(np.concatenate(chunks), whole, atol=1e-6)
    large = [chunk for chunk in zip(edges[:-1], edges[1:]) if chunk[1] - chunk[0] > 5]
    for start, end in large:
        np.testing.assert_array_equal(whitened.get_traces(start_frame=int(start), end_frame=int(end)), whole[start:end])
    some = whitened.get_traces(start_frame=500, end_frame=900, channel_ids=whitened.channel_ids[[2, 0]])
    np.testing.assert_array_equal(some, whole[500:900][:, [2, 0]])


def test_segments_are_filtered_each_from_its_start():
    traces = correlated_noise()
    both = NumpyRecording([traces[:40000].astype("float32"), traces[40000:].astype("float32")], RATE)
    both.set_dummy_probe_from_locations(np.stack([np.zeros(4), 25.0 * np.arange(4)], axis=1))
    whitened = whiten(prepare(both)).recording
    assert [whitened.get_num_samples(segment) for segment in range(2)] == [40000, 20000]
    plain = whitened.get_parent()
    matrix, prediction = (whitened._kwargs[name] for name in ("matrix", "prediction"))
    expected = lfilter(prediction.astype("float64"), 1.0, plain.get_traces(segment_index=1) @ matrix, axis=0)
    np.testing.assert_allclose(whitened.get_traces(segment_index=1), expected, atol=1e-4)


def test_the_recording_as_recorded_is_whitened_by_its_own_noise():
    prepared = prepare(as_recording(correlated_noise()))
    louder = NumpyRecording([3 * prepared.recording.get_traces()], sampling_frequency=RATE)
    prepared.recording.copy_metadata(louder)
    corrected = dataclasses.replace(prepared, uncorrected=dataclasses.replace(prepared, recording=louder))
    whitened = whiten(corrected)
    for one in (whitened, whitened.as_recorded):
        np.testing.assert_allclose(one.recording.get_traces().std(axis=0), one.sample_sd, rtol=0.02)
    assert whitened.as_recorded is whitened.uncorrected
    np.testing.assert_allclose(whitened.sample_sd, whitened.uncorrected.sample_sd, rtol=1e-3)


def test_prediction_of_a_known_process():
    rng = np.random.default_rng(1)
    noise = lfilter([1.0], [1.0, -0.6], rng.normal(size=(200000, 1)), axis=0)
    found = prediction_error_filter([noise], 15000.0, SETTINGS)
    # Without the floor it would be (1, -0.6, 0, 0).
    covariance = toeplitz(0.6 ** np.arange(3)) + SETTINGS.relative_noise_floor * np.eye(3)
    assert found == pytest.approx([1.0, *-np.linalg.solve(covariance, 0.6 ** np.arange(1, 4))], abs=0.02)
    with_spikes = noise.copy()
    with_spikes[1000:1030] = np.nan
    assert prediction_error_filter([with_spikes], 15000.0, SETTINGS) == pytest.approx(found, abs=1e-3)
    assert prediction_error_filter([np.zeros((100, 2))], 15000.0, SETTINGS).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_noise_in_half_the_band_is_worth_half_its_samples():
    white = np.random.default_rng(2).normal(size=(200000, 2))
    assert samples_per_independent_one([white], RATE, SETTINGS) == pytest.approx(1.0, abs=0.01)
    half = lfilter(firwin(201, RATE / 4, fs=RATE), 1.0, white, axis=0)
    assert samples_per_independent_one([half], RATE, SETTINGS) == pytest.approx(2.0, abs=0.1)
    assert samples_per_independent_one([np.zeros((100, 2))], RATE, SETTINGS) == 1.0
