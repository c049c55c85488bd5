import numpy as np
import pytest

from huidurep_hf.simulation.electrodes.amplifier import NOMINAL_BAND_HZ, filter_gain, record_potential


def _spike(rate, width_ms=0.15, duration_ms=8.0):
    times = np.arange(round(duration_ms * rate / 1000)) / rate * 1000 - 2.5
    return -100 * np.exp(-((times / width_ms) ** 2))[:, None]


def test_resampling_keeps_shape_and_time():
    recorded = record_potential(_spike(32_000), 32_000, 30_000, band_hz=None)[:, 0]
    expected = np.zeros(len(recorded))
    same = _spike(30_000)[:, 0]
    expected[360 : 360 + len(same)] = same
    np.testing.assert_allclose(recorded, expected, atol=0.5)


def test_the_filter_is_the_sorters_filter():
    import spikeinterface.core as si
    from spikeinterface.preprocessing import bandpass_filter

    wide = record_potential(_spike(32_000), 32_000, 30_000, band_hz=None)
    filtered = record_potential(_spike(32_000), 32_000, 30_000, band_hz=(300, 6000))
    recording = si.NumpyRecording([np.pad(wide, ((3000, 3000), (0, 0))).astype(np.float32)], 30_000)
    expected = bandpass_filter(recording, 300, 6000).get_traces()[3000:-3000]
    np.testing.assert_allclose(filtered, expected, atol=0.5)


def test_a_constant_offset_leaves_nothing():
    recorded = record_potential(np.full((257, 2), 1000.0), 32_000, 30_000)
    np.testing.assert_allclose(recorded, 0, atol=1e-9)


def test_the_input_is_left_alone():
    potential = _spike(32_000)
    before = potential.copy()
    record_potential(potential, 32_000, 30_000)
    np.testing.assert_array_equal(potential, before)


@pytest.mark.parametrize("stretch", [0.8, 1.25])
def test_stretch_is_a_factor_on_the_width(stretch):
    def width(waveform):
        return np.sum(waveform) / waveform.min()

    plain, stretched = (
        record_potential(_spike(32_000), 32_000, 30_000, None, factor)[:, 0] for factor in (1.0, stretch)
    )
    assert width(stretched) / width(plain) == pytest.approx(stretch, rel=0.01)


def test_gain():
    gain = filter_gain(np.array([10.0, 300.0, 1500.0, 6000.0, 14_000.0]), 30_000, (300, 6000))
    np.testing.assert_allclose(gain, [0, 0.5, 1, 0.5, 0], atol=0.01)


def test_a_causal_high_pass_changes_only_what_comes_after():
    from scipy.signal import butter, sosfilt, sosfiltfilt

    band = (300, 6000)
    wide = record_potential(_spike(32_000), 32_000, 30_000, band_hz=None)[:, 0]
    flat = sosfiltfilt(butter(5, 6000, fs=30_000, output="sos"), wide)
    causal = record_potential(_spike(32_000), 32_000, 30_000, band, causal_order=2)[:, 0]
    expected = sosfilt(butter(2, 300, btype="highpass", fs=30_000, output="sos"), flat)
    np.testing.assert_allclose(causal, expected, atol=0.2)
    zero_phase = record_potential(_spike(32_000), 32_000, 30_000, band)[:, 0]
    before = slice(0, int(flat.argmin()) - 15)
    assert np.abs(causal[before]).max() < 0.5 < 5 < np.abs(zero_phase[before]).max()


def test_at_low_rates_the_band_ends_below_half_the_rate():
    gain = filter_gain(np.array([1000.0, 4000.0, 4900.0]), 10_000.0, NOMINAL_BAND_HZ)
    assert gain[0] > 0.95
    assert gain[1] > 0.5
    assert gain[2] < 0.05


def test_with_a_causal_high_pass_the_band_ends_at_the_same_share_of_the_rate():
    wide, nominal = (
        record_potential(_spike(32_000), 32_000, 10_000, (300, high), causal_order=2) for high in (6000, 4500)
    )
    np.testing.assert_array_equal(wide, nominal)
