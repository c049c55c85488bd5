import numpy as np
import pytest
from spikeinterface.core import NumpyRecording


@pytest.fixture
def make_recording():
    """Noise on a linear probe of 20 µm pitch; keywords change what is needed."""

    def make(num_samples=30000, num_channels=4, rate=30000.0, groups=None, traces=None, probe=True):
        rng = np.random.default_rng(0)
        if traces is None:
            traces = [rng.normal(size=(num_samples, num_channels)).astype("float32")]
        recording = NumpyRecording(traces, sampling_frequency=rate)
        if probe:
            positions = np.stack([np.zeros(num_channels), 20.0 * np.arange(num_channels)], axis=1)
            recording.set_dummy_probe_from_locations(positions)
            if groups is not None:
                recording.set_property("group", np.asarray(groups))
        return recording

    return make
