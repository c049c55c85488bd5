import numpy as np
import pytest
from spikeinterface.core import NumpyRecording
from spikeinterface.core.motion import Motion

from huidurep_hf.recording.motion.interpolation import InterpolatedShanksRecording
from huidurep_hf.recording.motion.noise_equalisation import NoiseEqualisedRecording
from huidurep_hf.recording.settings import NoiseEqualisationSettings

RATE = 20000.0
SECONDS = 12
SETTINGS = NoiseEqualisationSettings()


@pytest.fixture
def corrected():
    """White noise of SD 3 corrected by 0 to 10 µm between contacts 20 µm apart, and the motion."""
    traces = 3 * np.random.default_rng(0).normal(size=(int(RATE * SECONDS), 24)).astype("float32")
    recording = NumpyRecording([traces], RATE)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(24), 20.0 * np.arange(24)], axis=1))
    times = np.arange(SECONDS) + 0.5
    motion = Motion([np.linspace(0, 10, SECONDS)[:, None]], [times], np.array([230.0]))
    interpolated = InterpolatedShanksRecording(recording, motion, np.zeros(24, dtype="int64"), sigma_um=20.0)
    return interpolated, motion


def deviations(recording):
    """SD in every second, of the channels away from the ends of the probe."""
    seconds = recording.get_traces()[:, 4:-4].reshape(SECONDS, int(RATE), -1)
    return seconds.std(axis=(1, 2))


def test_noise_is_as_it_was_before_traces_were_corrected(corrected):
    interpolated, motion = corrected
    before = deviations(interpolated)
    assert before[0] == pytest.approx(3.0, rel=0.03) and before[-1] < 2.75
    even = NoiseEqualisedRecording(interpolated, motion, np.full(24, 3.0), SETTINGS)
    np.testing.assert_allclose(deviations(even), 3.0, rtol=0.03)
    np.testing.assert_array_equal(even.get_times(), interpolated.get_times())


def test_part_of_the_traces_is_part_of_the_whole(corrected):
    even = NoiseEqualisedRecording(*corrected, np.full(24, 3.0), SETTINGS, seed=1)
    whole = even.get_traces()
    part = even.get_traces(start_frame=37000, end_frame=83000, channel_ids=even.channel_ids[[5, 2]])
    np.testing.assert_allclose(part, whole[37000:83000][:, [5, 2]], rtol=1e-5, atol=1e-6)


def test_silence_stays_silence(corrected):
    _, motion = corrected
    silent = NumpyRecording([np.zeros((int(RATE * SECONDS), 24), dtype="float32")], RATE)
    silent.set_dummy_probe_from_locations(np.stack([np.zeros(24), 20.0 * np.arange(24)], axis=1))
    assert not NoiseEqualisedRecording(silent, motion, np.zeros(24), SETTINGS).get_traces().any()
