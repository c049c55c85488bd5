"""A raw file that is read with a wrong type or number of channels is warned of, with the right one."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from huidurep_hf.recording.sources.raw_layout import warn_of_wrong_layout
from huidurep_hf.recording.sources.reading import read_recording

NUM_SAMPLES = 30000


def noise(num_channels, seed=0):
    """Noise of amplifiers: of the pass band, and a fifth of it common to all channels."""
    rng = np.random.default_rng(seed)
    own, common = (rng.normal(size=(NUM_SAMPLES, count)) for count in (num_channels, 1))
    band = butter(2, [2, 7500], "band", fs=30000, output="sos")
    return 60 * sosfiltfilt(band, own + 0.5 * common, axis=0)


def warnings_of(path, traces, dtype, num_channels, caplog):
    traces.tofile(path)
    caplog.clear()
    warn_of_wrong_layout(path, np.dtype(dtype), num_channels)
    return caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("num_channels", [4, 9])
@pytest.mark.parametrize("kind", ["plain", "slow", "offsets"])
def test_wrong_layouts_are_named(tmp_path, caplog, num_channels, kind):
    rng = np.random.default_rng(1)
    traces = noise(num_channels)
    if kind == "slow":
        traces += np.cumsum(rng.normal(0, 3, (NUM_SAMPLES, 1)), axis=0)
    elif kind == "offsets":
        traces += rng.normal(0, 200, num_channels)
    path = tmp_path / "file.raw"
    whole, single = traces.round().astype("int16"), traces.astype("float32")
    for stored in (whole, single):
        assert warnings_of(path, stored, stored.dtype, num_channels, caplog) == ""
    for wrong in (num_channels - 1, num_channels + 1, 2 * num_channels, num_channels // 2):
        assert f"(--num-channels {num_channels})" in warnings_of(path, whole, "int16", wrong, caplog)
    assert "(--dtype int16)" in warnings_of(path, whole, "float32", num_channels, caplog)
    assert "(--dtype int16)" in warnings_of(path, whole, "int32", num_channels, caplog)
    if kind != "slow":
        both = f"(--dtype float32 --num-channels {num_channels})"
        assert "(--dtype float32)" in warnings_of(path, single, "int16", num_channels, caplog)
        assert both in warnings_of(path, single, "int16", 2 * num_channels, caplog)


def test_noise_without_memory_and_silence_say_nothing(tmp_path, caplog):
    white = np.random.default_rng(0).normal(0, 60, (NUM_SAMPLES, 4)).astype("int16")
    path = tmp_path / "file.raw"
    for traces in (white, np.zeros_like(white), white[:100]):
        assert warnings_of(path, traces, "int16", 2, caplog) == ""
    assert "no plausible float32" in warnings_of(path, white, "float32", 2, caplog)


def test_it_is_said_when_a_file_is_read(tmp_path, caplog):
    path = tmp_path / "tetrode.raw"
    noise(4).astype("int16").tofile(path)
    layout = {"sampling_rate": 30000.0, "dtype": "int16"}
    read_recording(path, raw={**layout, "num_channels": 4}, probe="tetrode")
    assert caplog.text == ""
    read_recording(path, raw={**layout, "num_channels": 2}, probe="linear:2:20")
    assert "(--num-channels 4)" in caplog.text
    with pytest.raises(ValueError, match="inf Hz.*must be > 0 and finite"):
        read_recording(path, raw={"sampling_rate": np.inf, "dtype": "int16", "num_channels": 4})
