import numpy as np
import pytest
import spikeinterface.core as si
from spikeinterface.preprocessing import bandpass_filter

from huidurep_hf.simulation.electrodes.probes import contact_positions
from huidurep_hf.simulation.recordings.background_noise import generate_noise, spatial_correlation


@pytest.fixture(scope="module")
def noise():
    contacts = contact_positions("poly2_32")[:8]
    return contacts, generate_noise(300_000, contacts, 30_000, 9.0, np.random.default_rng(0))


def test_deviation_after_the_band_pass(noise):
    recording = si.NumpyRecording([noise[1]], 30_000)
    filtered = bandpass_filter(recording, 300, 6000).get_traces()
    np.testing.assert_allclose(filtered.std(axis=0), 9.0, rtol=0.02)
    # Wide-band noise holds more.
    assert (noise[1].std(axis=0) > 10).all()


def test_correlation_between_contacts(noise):
    contacts, traces = noise
    np.testing.assert_allclose(np.corrcoef(traces.T), spatial_correlation(contacts), atol=0.03)
    off_diagonal = spatial_correlation(contacts)[0, 1]
    assert 0.2 < off_diagonal < 0.5


def test_power_falls_with_frequency(noise):
    power = np.mean(np.abs(np.fft.rfft(noise[1], axis=0)) ** 2, axis=1)
    frequencies = np.fft.rfftfreq(300_000, 1 / 30_000)

    def band(low, high):
        return power[(frequencies > low) & (frequencies < high)].mean()

    assert band(100, 300) / band(2000, 3000) > 5
    assert band(8000, 10_000) / band(12_000, 14_000) == pytest.approx(1, abs=0.4)


@pytest.mark.slow
def test_stationary_from_the_first_sample():
    starts = [
        generate_noise(20, np.zeros((1, 2)), 30_000, 9.0, np.random.default_rng(seed))[:, 0] for seed in range(400)
    ]
    deviation = np.std(starts, axis=0)
    assert deviation.max() / deviation.min() < 1.2


def test_seed_and_length():
    contacts = contact_positions("tetrode_diamond")
    first, again, other = (
        generate_noise(40_000, contacts, 30_000, 9.0, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (40_000, 4)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert np.abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 0.05
    assert generate_noise(0, contacts, 30_000, 9.0, np.random.default_rng(0)).shape == (0, 4)
