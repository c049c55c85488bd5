import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from huidurep_hf.recording.blocks import split_into_blocks
from huidurep_hf.sorting.matching.decimation import REACH, TAPS_AT_ONCE, decimate, decimation_step, interpolate
from huidurep_hf.sorting.matching.engine import Matcher
from huidurep_hf.sorting.matching.template_bank import build_bank
from huidurep_hf.sorting.parameters import MatchingSettings, SortingParameters

RATE = 30000.0
LEAST = SortingParameters().matching.min_samples_per_period


def band_limited(shape, step, seed=0):
    """Noise up to 5.5 kHz where one sample stands for two, at a rate that is as much higher for more."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return sosfiltfilt(butter(8, 5500, fs=RATE * step / 2, output="sos"), noise).astype("float32")


@pytest.mark.parametrize(
    ("rate", "highest_hz", "step"),
    [
        (30000, 6000, 2),
        (29999.95, 6000, 2),
        (30000.3, 6000, 2),
        (32000, 6000, 2),
        (24414, 6000, 1),
        (15000, 6000, 1),
        (50000, 6000, 3),
        (30000, 9000, 1),
    ],
)
def test_as_few_samples_as_the_band_allows(rate, highest_hz, step):
    assert decimation_step(rate, highest_hz, LEAST) == step


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("num_samples", [3000, 3001])
def test_decimated_and_interpolated_it_is_the_same(step, num_samples):
    traces = band_limited((3, num_samples), step)
    num_coarse = -(-num_samples // step)
    coarse = decimate(traces, step, num_coarse)
    inside = slice(2 * REACH, -2 * REACH)
    np.testing.assert_allclose(coarse[:, inside], traces[:, ::step][:, inside], atol=0.01 * traces.std())
    products = np.zeros((3, num_coarse + 2 * REACH + TAPS_AT_ONCE), dtype="float32")
    products[:, REACH : REACH + num_coarse] = traces[:, ::step]
    gains, norms = np.empty_like(traces), np.array([1.0, 2.0, 3.0], dtype="float32")
    interpolate(products, step, norms, gains)
    inside = slice(2 * REACH * step, -2 * REACH * step)
    np.testing.assert_allclose((gains + norms[:, None])[:, inside], traces[:, inside], atol=0.03 * traces.std())
    # Samples that are there stay as they are.
    np.testing.assert_allclose(gains[:, ::step], traces[:, ::step] - norms[:, None], atol=1e-5)


def test_what_is_above_the_lower_band_does_not_come_back_as_another_frequency():
    tone = np.sin(2 * np.pi * 11000 / RATE * np.arange(4000))[None].astype("float32")
    assert np.abs(decimate(tone, 2, 2000)[:, 2 * REACH : -2 * REACH]).max() < 0.01


def test_gains_are_those_of_every_sample(make_spike_template):
    """Of a template in its band, with noise that has all frequencies."""
    spike = make_spike_template(10.0, 3, 8)
    template = sosfiltfilt(butter(8, 6000, fs=RATE, output="sos"), spike, axis=0).astype("float32")[None]
    traces = np.random.default_rng(1).normal(size=(3000, 8)).astype("float32")
    traces[700:790] += template[0]
    whole = build_bank(template, MatchingSettings()).objective(traces)
    half = build_bank(template, MatchingSettings(), step=2).objective(traces)
    assert half.shape == whole.shape and half.argmax() == whole.argmax() == 700
    np.testing.assert_allclose(half[:, 100:-100], whole[:, 100:-100], atol=0.01 * whole.max())


@pytest.mark.parametrize(("least", "step"), [(LEAST, 2), (1000.0, 1)])
def test_the_setting_decides(two_neurons, least, step):
    parameters = SortingParameters(min_samples_per_period=least)
    matcher = Matcher(two_neurons.prepared, two_neurons.unit_templates(), parameters)
    assert matcher._bank(0)[1].step == step


def test_blocks_that_begin_at_any_sample_give_the_same_spikes(two_neurons):
    recording = two_neurons.prepared.recording
    matcher = Matcher(two_neurons.prepared, two_neurons.unit_templates(), SortingParameters())
    odd, whole = split_into_blocks(recording, 9999 / RATE), split_into_blocks(recording)
    assert any(block.start % 2 for block in odd) and not any(block.start % 2 for block in whole)
    found, expected = matcher.match(odd), matcher.match(whole)
    assert found["sample_index"].tolist() == expected["sample_index"].tolist()
    assert found["unit_index"].tolist() == expected["unit_index"].tolist()
