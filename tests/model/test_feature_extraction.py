import logging

import numpy as np
import pytest
import torch

from huidurep_hf import HuiduRepFeatureExtractor
from huidurep_hf.model import feature_extraction_huidurep
from huidurep_hf.model.feature_extraction_huidurep import resampling_matrix


def spike_shape(time_ms):
    """A smooth trough at time 0, band-limited well below 5 kHz."""
    return -np.exp(-((time_ms / 0.25) ** 2)) + 0.3 * np.exp(-(((time_ms - 0.6) / 0.4) ** 2))


def sampled(rate_hz, num_samples, peak_sample):
    return spike_shape(1000 * (np.arange(num_samples) - peak_sample) / rate_hz)


def test_same_rate_only_shifts_crops_and_pads():
    given = np.random.default_rng(0).normal(size=(3, 50, 4)).astype(np.float32)
    features = HuiduRepFeatureExtractor()(given, sampling_rate=30000, peak_sample=10)
    out = features["waveforms"].numpy()
    np.testing.assert_allclose(out[:, 14:64], given, atol=1e-5)
    assert np.abs(out[:, :14]).max() < 1e-5
    assert np.abs(out[:, 64:]).max() < 1e-5


@pytest.mark.parametrize("rate_hz", [10000, 15000, 20000, 24414.0625, 32000, 48000])
def test_other_rates_give_the_same_spike(rate_hz):
    num_samples = int(rate_hz * 6e-3)
    given = sampled(rate_hz, num_samples, int(rate_hz * 2.5e-3))
    given = np.repeat(given[None, :, None], 2, axis=2)
    extractor = HuiduRepFeatureExtractor()
    out = extractor(given, sampling_rate=rate_hz, peak_sample=int(rate_hz * 2.5e-3))["waveforms"].numpy()
    np.testing.assert_allclose(out[0, :, 0], sampled(30000, 72, 24), atol=0.01)


def test_trough_is_found_when_its_sample_is_not_given():
    given = sampled(48000, 50, 12)[None, :, None]
    features = HuiduRepFeatureExtractor()(given, sampling_rate=48000)
    assert features["waveforms"][0, :, 0].argmin() == 24


def test_masked_channels_and_offsets_do_not_tell_where_the_trough_is():
    given = np.repeat(sampled(30000, 72, 20)[None, :, None], 4, axis=2) + 500.0
    given[:, 50, 3] -= 2000.0
    features = HuiduRepFeatureExtractor()(given, sampling_rate=30000, channel_mask=[1, 1, 1, 0])
    assert features["waveforms"][0, 4:, 0].argmin() == 20
    features = HuiduRepFeatureExtractor()(given, sampling_rate=30000, noise_levels=[1.0, 1.0, 1.0, 1e6])
    assert features["waveforms"][0, 4:, 0].argmin() == 20


def test_too_many_channels_need_positions():
    with pytest.raises(ValueError, match="12 channels without positions.* 11 nearest.*give channel_positions"):
        HuiduRepFeatureExtractor()(np.zeros((2, 72, 12)), sampling_rate=30000)


def test_positions_that_are_not_relative_to_the_peak_are_warned_of(caplog):
    given = np.zeros((6, 72, 32), dtype="float32")
    given[:, 24, 20] = -20.0
    on_probe = np.stack([np.zeros(32), 25.0 * np.arange(32)], axis=1)
    extractor, logger = HuiduRepFeatureExtractor(), logging.getLogger(feature_extraction_huidurep.__name__)
    logger.addHandler(caplog.handler)
    try:
        kept = extractor(given, sampling_rate=30000, channel_positions=on_probe - on_probe[20], peak_sample=24)
        assert kept["waveforms"].abs().max() > 19 and not caplog.records
        lost = extractor(given, sampling_rate=30000, channel_positions=on_probe, peak_sample=24)
        assert lost["waveforms"].abs().max() == 0
        assert "6 of 6 spikes are largest on a channel that is not among the 11" in caplog.text
    finally:
        logger.removeHandler(caplog.handler)


def test_positions_that_are_not_finite_are_masked():
    positions = np.array([[0, 0], [np.nan, 25], [0, 50]])
    features = HuiduRepFeatureExtractor()(np.ones((2, 72, 3)), sampling_rate=30000, channel_positions=positions)
    assert features["channel_mask"].tolist() == [[1, 0, 1]] * 2
    assert np.isfinite(features["channel_positions"].numpy()).all()


def test_a_rate_in_khz_is_refused():
    with pytest.raises(ValueError, match="72 samples at a sampling_rate of 30 Hz are longer.*not in kHz"):
        HuiduRepFeatureExtractor()(np.zeros((2, 72, 4)), sampling_rate=30)


def test_downsampling_suppresses_what_the_model_rate_cannot_hold():
    matrix = resampling_matrix(400, 200, 60000.0, 72, 24, 30000.0)
    above_nyquist = np.cos(2 * np.pi * 24000 * np.arange(400) / 60000)
    assert np.abs(above_nyquist @ matrix).max() < 0.02
    below = np.cos(2 * np.pi * 3000 * np.arange(400) / 60000)
    assert np.abs(below @ matrix).max() == pytest.approx(1.0, abs=0.02)


def test_noise_levels_scale_and_dead_channels_are_masked():
    given = np.ones((2, 72, 3), dtype=np.float32)
    features = HuiduRepFeatureExtractor()(given, sampling_rate=30000, peak_sample=24, noise_levels=[2.0, 0.0, 4.0])
    assert features["channel_mask"].tolist() == [[1, 0, 1]] * 2
    np.testing.assert_allclose(features["waveforms"][0, 30].numpy(), [0.5, 0.0, 0.25], atol=1e-5)


def test_channels_that_are_not_finite_are_masked():
    given = np.zeros((2, 72, 3), dtype=np.float32)
    given[1, 5, 2] = np.nan
    features = HuiduRepFeatureExtractor()(given, sampling_rate=30000)
    assert features["channel_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert np.isfinite(features["waveforms"].numpy()).all()


def test_nearest_channels_are_kept_in_their_order():
    positions = np.stack([np.zeros(16), 20.0 * (np.arange(16) - 9)], axis=1)
    given = np.broadcast_to(np.arange(16, dtype=np.float32), (1, 72, 16))
    features = HuiduRepFeatureExtractor(num_channels=5)(given, sampling_rate=30000, channel_positions=positions)
    assert features["waveforms"][0, 24].round().tolist() == [7, 8, 9, 10, 11]
    assert features["channel_positions"][0, :, 1].tolist() == [-40, -20, 0, 20, 40]


def test_padding_for_the_time_encoder():
    features = HuiduRepFeatureExtractor(pad_channels=True)(np.ones((2, 72, 4)), sampling_rate=30000)
    assert tuple(features["waveforms"].shape) == (2, 72, 11)
    assert features["channel_mask"].sum(dim=1).tolist() == [4, 4]


def test_no_spikes_in_no_spikes_out():
    features = HuiduRepFeatureExtractor()(np.zeros((0, 60, 4)), sampling_rate=30000)
    assert tuple(features["waveforms"].shape) == (0, 72, 4)


@pytest.mark.parametrize(
    ("waveforms", "arguments", "message"),
    [
        (np.zeros((72, 4)), {}, "expected \\(num_spikes, num_samples, num_channels\\)"),
        (np.zeros((2, 72, 0)), {}, "expected \\(num_spikes"),
        (np.zeros((2, 72, 4)), {"sampling_rate": 0}, "sampling_rate is 0"),
        (np.zeros((2, 72, 4)), {"peak_sample": 72}, "peak_sample is 72"),
        (np.zeros((2, 72, 4)), {"channel_positions": np.zeros((3, 2))}, "channel_positions of shape \\(3, 2\\)"),
        (np.zeros((2, 72, 4)), {"noise_levels": np.ones(5)}, "noise_levels of shape \\(5,\\)"),
    ],
)
def test_wrong_input_is_named(waveforms, arguments, message):
    with pytest.raises(ValueError, match=message):
        HuiduRepFeatureExtractor()(waveforms, **{"sampling_rate": 30000, **arguments})


def test_saved_and_loaded(tmp_path):
    HuiduRepFeatureExtractor(window_size=90, peak_sample=30, num_channels=7).save_pretrained(tmp_path)
    loaded = HuiduRepFeatureExtractor.from_pretrained(tmp_path)
    assert (loaded.window_size, loaded.peak_sample, loaded.num_channels) == (90, 30, 7)
    assert loaded.ms_before == pytest.approx(1.0)
    assert loaded.ms_after == pytest.approx(2.0)


TETRODE = np.array([[0, 0], [25, 0], [0, 25], [25, 25]], dtype="float32")


def test_a_ragged_list_is_padded(caplog):
    random = np.random.default_rng(0)
    whole = random.normal(size=(72, 4)).astype("float32")
    fewer, shorter = whole[:, :3], random.normal(size=(60, 4)).astype("float32")
    extractor, stated = HuiduRepFeatureExtractor(), {"sampling_rate": 30000, "peak_sample": 24}
    places = [TETRODE, TETRODE[:3], TETRODE]
    noise = [np.ones(4), np.full(3, 2.0), np.ones(4)]
    given = {"channel_positions": places, "noise_levels": noise, **stated}
    for form in ([whole, fewer, shorter], [torch.from_numpy(w) for w in (whole, fewer, shorter)]):
        features = extractor(form, **given)
        assert features["channel_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]]
        for index, one in enumerate((whole, fewer, shorter)):
            alone = extractor(one[None], channel_positions=places[index], noise_levels=noise[index], **stated)
            channels = one.shape[1]
            for name in ("waveforms", "channel_mask"):
                torch.testing.assert_close(features[name][index][..., :channels], alone[name][0])
            torch.testing.assert_close(features["channel_positions"][index, :channels], alone["channel_positions"][0])
    assert extractor([whole, fewer], padding="max_length", **stated)["waveforms"].shape == (2, 72, 11)
    assert extractor([whole, whole], padding="max_length", **stated)["channel_mask"].sum() == 8
    with pytest.raises(ValueError, match="several shapes and padding=False"):
        extractor([whole, fewer], padding=False, **stated)
    with pytest.raises(ValueError, match="padding is 'most'"):
        extractor(whole[None], padding="most", **stated)
    with pytest.raises(ValueError, match="Got 2 waveforms of several shapes and channel_positions of 4 values"):
        extractor([whole, fewer], channel_positions=TETRODE.tolist(), **stated)


def test_tensors_stay_tensors_and_keep_gradients():
    waveforms = torch.randn(3, 60, 4, requires_grad=True)
    features = HuiduRepFeatureExtractor()(waveforms, sampling_rate=24000, peak_sample=20, return_tensors=None)
    assert all(isinstance(value, torch.Tensor) for value in features.values())
    features["waveforms"].sum().backward()
    assert waveforms.grad.abs().sum() > 0
    as_arrays = HuiduRepFeatureExtractor()(
        waveforms.detach().numpy(), sampling_rate=24000, peak_sample=20, return_tensors="np"
    )
    np.testing.assert_array_equal(as_arrays["waveforms"], features["waveforms"].detach().numpy())
    on_meta = HuiduRepFeatureExtractor()(torch.zeros(3, 60, 4, device="meta"), sampling_rate=24000, peak_sample=20)
    # Nothing went through numpy: a tensor without numbers comes through as well.
    assert {value.device.type for value in on_meta.values()} == {"meta"}


def test_the_rate_comes_from_the_rows_or_the_configuration(caplog):
    waveforms = np.random.default_rng(0).normal(size=(3, 60, 4)).astype("float32")
    extractor = HuiduRepFeatureExtractor()
    rows = {"waveform": waveforms, "sampling_rate": [24000.0] * 3, "peak_sample": [20] * 3, "unit": ["noise_sd"] * 3}
    expected = extractor(waveforms, sampling_rate=24000, peak_sample=20)["waveforms"]
    assert torch.equal(extractor(rows)["waveforms"], expected)
    with pytest.raises(ValueError, match="give noise_levels=... in µV"):
        extractor({**rows, "unit": ["uV"] * 3})
    at_model = extractor(waveforms, sampling_rate=30000, peak_sample=20)["waveforms"]
    logger = logging.getLogger(feature_extraction_huidurep.__name__)
    logger.addHandler(caplog.handler)
    try:
        assert torch.equal(extractor(waveforms, peak_sample=20)["waveforms"], at_model)
    finally:
        logger.removeHandler(caplog.handler)
    assert "sampling_rate is not given" in caplog.text
