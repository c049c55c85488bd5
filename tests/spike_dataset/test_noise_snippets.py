import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.spike_dataset.noise_from_recording import NoiseParameters, noise_from_recording
from huidurep_hf.spike_dataset.noise_snippets import NoiseSnippets

FREQUENCIES = np.fft.rfftfreq(240, 1 / 30000)
INSIDE = (FREQUENCIES > 500) & (FREQUENCIES < 5000)


def of_channels(snippets):
    """The snippets of each channel, `(num_stretches, num_samples)`."""
    return snippets.waveforms.transpose(0, 2, 1)[snippets.mask]


def mean_power(stretches):
    return (np.abs(np.fft.rfft(stretches * np.hanning(240), axis=1)) ** 2).mean(axis=0)


@pytest.fixture(scope="module")
def snippets(generated):
    recording, _ = generated
    return noise_from_recording(recording, NoiseParameters(num_snippets=300))


@pytest.fixture(scope="module")
def correlated():
    """20 s of noise whose correlation between contacts, 20 µm apart, is exp(-distance / 40 µm)."""
    random = np.random.default_rng(0)
    positions = np.stack([np.zeros(6), 20.0 * np.arange(6)], axis=1)
    covariance = np.exp(-np.abs(positions[:, None, 1] - positions[None, :, 1]) / 40.0)
    traces = random.normal(size=(600_000, 6)) @ np.linalg.cholesky(covariance).T
    recording = NumpyRecording([(7.0 * traces).astype("float32")], 30000.0)
    recording.set_dummy_probe_from_locations(positions)
    return recording


def test_snippets_hold_no_spike(snippets):
    assert snippets.waveforms.shape == (300, 240, 11) and snippets.waveforms.dtype == np.float32
    assert (snippets.mask.sum(axis=1) == 8).all() and not snippets.waveforms[:, :, 8:].any()
    first = snippets.waveforms[:, :, 0]
    assert np.abs(first).max() < 5.0 and first.std() == pytest.approx(1.0, abs=0.1)
    assert (np.diff(snippets.places) >= 0).all()


@pytest.mark.slow
def test_whitened_stretches_are_independent_in_space_and_keep_their_course_in_time(correlated):
    snippets = noise_from_recording(correlated, NoiseParameters(num_snippets=600, num_channels=6))
    white = snippets.whitened()
    assert white.shape == (3600, 240) and white.std() == pytest.approx(1.0, abs=1e-3)
    # Stretches stand snippet by snippet, channel by channel.
    by_channel = white.reshape(600, 6, 240)[snippets.places == 0].transpose(1, 0, 2).reshape(6, -1)
    correlation = np.corrcoef(by_channel)
    assert np.abs(correlation - np.eye(6)).max() < 0.1
    # Band-passed at 300 to 6000 Hz: nothing is left outside, here as in the snippets themselves.
    power, expected = mean_power(white), mean_power(of_channels(snippets))
    assert power[FREQUENCIES > 9000].max() < 0.1 * power[INSIDE].mean()
    np.testing.assert_allclose(power[INSIDE] / power.sum(), expected[INSIDE] / expected.sum(), rtol=0.1)


def test_variance_and_correlation_are_as_they_were_made(correlated):
    snippets = noise_from_recording(correlated, NoiseParameters(num_snippets=600, num_channels=6))
    for place in range(6):
        mine = snippets.places == place
        samples, positions = snippets.waveforms[mine].reshape(-1, 6), snippets.positions[mine][0]
        distance = np.linalg.norm(positions[:, None] - positions, axis=2)
        np.testing.assert_allclose(np.cov(samples.T), np.exp(-distance / 40.0), atol=0.06)


@pytest.mark.slow
def test_another_rate_is_brought_to_30_khz(correlated):
    from spikeinterface.preprocessing import resample

    recording = resample(correlated, 20000).save(format="memory", progress_bar=False, verbose=False)
    snippets = noise_from_recording(recording, NoiseParameters(num_snippets=100))
    assert snippets.waveforms.shape == (100, 240, 11)
    power = mean_power(of_channels(snippets))
    at_30_khz = mean_power(of_channels(noise_from_recording(correlated, NoiseParameters(num_snippets=100))))
    assert power[INSIDE].mean() == pytest.approx(at_30_khz[INSIDE].mean(), rel=0.1)


def test_saved_and_loaded(snippets, tmp_path):
    loaded = NoiseSnippets.load(snippets.save(tmp_path / "noise.npz"))
    np.testing.assert_allclose(loaded.waveforms, snippets.waveforms, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(loaded.whitened(), snippets.whitened(), atol=0.02)
    assert loaded.sampling_rate == 30000.0 and (loaded.places == snippets.places).all()


def test_what_is_no_noise_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="noise_from_recording.py"):
        NoiseSnippets.load(tmp_path / "nothing.npz")
    np.save(tmp_path / "other.npy", np.zeros(3))
    with pytest.raises(ValueError, match="other.npy' is not a file"):
        NoiseSnippets.load(tmp_path / "other.npy")


def test_empty_in_empty_out(generated):
    silent = NumpyRecording([np.zeros((3000, 8), dtype="float32")], 30000.0)
    silent.set_probe(generated[0].get_probe())
    snippets = noise_from_recording(silent)
    assert len(snippets) == 0 and snippets.whitened().shape == (0, 240)
