import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.sources.plausibility import warn_of_absurd_noise, warn_of_misread_samples

NOISE = np.random.default_rng(0).normal(0, 60, (60000, 4))


def warnings_of(traces, caplog):
    caplog.clear()
    warn_of_misread_samples(NumpyRecording([traces], 30000.0))
    return caplog.text


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_unsigned_samples_read_as_signed_and_the_reverse_call_for_a_warning(bits, caplog):
    traces = NOISE / 10 + 2 ** (bits - 1)
    wrapped = traces.astype(f"uint{bits}").view(f"int{bits}")
    assert f"--dtype uint{bits}" in warnings_of(wrapped, caplog) and "unsigned ones" in caplog.text
    wrapped = (NOISE / 10).astype(f"int{bits}").view(f"uint{bits}")
    assert f"--dtype int{bits}" in warnings_of(wrapped, caplog) and "as signed ones" in caplog.text


def test_some_channels_that_wrap_are_enough(caplog):
    traces = (NOISE + np.array([0, 32768, 500, 1000])).astype("uint16").view("int16")
    assert "--dtype uint16" in warnings_of(traces, caplog)


def test_rare_wraps_are_enough(caplog):
    # A slow potential crosses the middle of the range twice in 2 s.
    slow = 400 * np.sin(2 * np.pi * np.arange(60000) / 60000)[:, None]
    assert "--dtype uint16" in warnings_of((NOISE / 20 + slow + 32768).astype("uint16").view("int16"), caplog)


@pytest.mark.parametrize("read_as", [">i2", "<i2"])
def test_bytes_in_the_wrong_order_call_for_a_warning(read_as, caplog):
    written = "<i2" if read_as == ">i2" else ">i2"
    assert f"--dtype '{written}'" in warnings_of((3 * NOISE).astype(written).view(read_as), caplog)


def test_right_samples_call_for_none(caplog):
    broken = (NOISE / 10).astype("int16")
    broken[:, 1:] *= 256
    broken[:, 0] = np.where(np.arange(60000) % 2, 32767, -32768)
    few = [broken[:1], broken[:0]]
    for traces in (NOISE.astype("int16"), NOISE.astype("float32"), (NOISE + 2048).astype("uint16")):
        assert warnings_of(traces, caplog) == ""
    for traces in (NOISE.astype(">i2"), (NOISE + 32768).astype(">u2"), (100 * NOISE).astype("int16"), *few):
        assert warnings_of(traces, caplog) == ""
    stimulated = NOISE.astype("int16")
    stimulated[::500], stimulated[1::500] = -32768, 32767
    assert warnings_of(stimulated, caplog) == ""
    eight = np.tile(broken, 2)
    eight[:, 4] = broken[:, 1]
    assert warnings_of(eight, caplog) == ""


@pytest.mark.parametrize(
    ("level", "unit", "is_absurd"),
    [(1e-5, "uV", True), (0.4, "uV", True), (3.0, "uV", False), (150.0, "uV", False), (3000.0, "uV", True)]
    + [(1e-5, "raw", False)],
)
def test_absurd_noise_calls_for_a_warning(level, unit, is_absurd, caplog):
    warn_of_absurd_noise(np.full(4, level), unit)
    assert ("gain of the recording must be wrong" in caplog.text) == is_absurd
