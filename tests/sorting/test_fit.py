"""The fit check rises where a recording is none that the model was developed on."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from spikeinterface.core import NumpyRecording

from huidurep_hf import SortingParameters, SpikeSorter
from huidurep_hf.recording.scan import scan
from huidurep_hf.simulation.recordings.examples import example_recording
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.fit.check import check_fit, noise_windows
from huidurep_hf.sorting.fit.reference import FitReference
from huidurep_hf.sorting.fit.settings import FitSettings
from huidurep_hf.sorting.output.provenance import hash_weights
from huidurep_hf.sorting.spikes import Spikes


@pytest.fixture(scope="module")
def measure_fit():
    """Fit of some traces on the contacts of the example."""
    sorter = SpikeSorter.from_pretrained("huidurep/base", device="cpu")
    reference = FitReference.of_model(hash_weights(sorter.model))
    encoder = SpikeEncoder(sorter.model, sorter.feature_extractor)

    def measure(recording, traces, rate=30000.0):
        given = NumpyRecording([np.ascontiguousarray(traces, dtype="float32")], rate)
        given.set_probegroup(recording.get_probegroup())
        given.set_channel_gains(1.0)
        given.set_channel_offsets(0.0)
        parameters = SortingParameters()
        prepared, peaks = scan(given, parameters)
        peaks = Spikes.from_peaks(peaks)
        embeddings = encoder(prepared, peaks[np.arange(0, len(peaks), max(len(peaks) // 200, 1))])["embedding"]
        of_noise = encoder(prepared, noise_windows(prepared, peaks, parameters.fit, seed=0))["embedding"]
        return check_fit(reference, embeddings, of_noise, prepared, len(peaks), parameters.fit)

    return measure


@pytest.fixture(scope="module")
def example():
    recording = example_recording("silicon32", duration_s=6.0, seed=955).recording
    return recording, recording.get_traces().astype("float32")


@pytest.mark.slow
def test_an_example_is_familiar_and_altered_ones_are_not(measure_fit, example):
    recording, traces = example
    usual = measure_fit(recording, traces)
    assert usual.is_familiar and usual.distance < 1.1 and usual.sentence.startswith("Fit: like the recordings")
    shifted = np.stack([np.roll(channel, 9 * number) for number, channel in enumerate(traces.T)], axis=1)
    smooth = sosfiltfilt(butter(2, 1000, fs=30000, output="sos"), traces, axis=0)
    assert measure_fit(recording, shifted).distance > 1.2 * usual.distance
    for altered, rate in ((-traces, 30000.0), (traces, 90000.0), (smooth, 30000.0)):
        fit = measure_fit(recording, altered, rate)
        assert not fit.is_familiar and fit.distance > FitSettings().max_fit_distance
        assert "peak_sign" in fit.sentence


@pytest.mark.slow
def test_eeg_and_noise_are_unlike_a_recording_of_neurons(measure_fit, example):
    recording, traces = example
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 10, traces.shape)
    slow = sosfiltfilt(butter(2, [1, 80], "band", fs=30000, output="sos"), rng.normal(size=traces.shape), axis=0)
    for altered in (noise, 30 * slow / slow.std() + 0.1 * noise):
        fit = measure_fit(recording, altered)
        assert fit.is_familiar is False and fit.rate_hz < 0.3 and fit.sentence.startswith("Fit: unlike")


@pytest.mark.slow
def test_a_model_without_reference_and_few_peaks_say_so(example):
    recording, _ = example
    parameters = SortingParameters()
    prepared, _ = scan(recording, parameters, with_peaks=False)
    fit = check_fit(None, np.zeros((3, 32)), np.zeros((3, 32)), prepared, 3, parameters.fit)
    assert "has no reference" in fit.sentence
    reference = FitReference(np.zeros(2), np.eye(2), 1.0, np.array([1, 20]), np.array([0.001, 9]))
    fit = check_fit(reference, np.zeros((3, 2)), np.zeros((3, 2)), prepared, 3, parameters.fit)
    assert fit.is_familiar is None and "3 peaks are too few" in fit.sentence
    assert FitReference.of_model("0" * 64) is None


def test_the_fit_is_in_the_provenance(tetrode_result):
    assert tetrode_result.provenance["fit"]["is_familiar"] is None
    assert tetrode_result.provenance["fit"]["noise_uv"] > 0
