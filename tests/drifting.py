"""A probe that drifts: neurons whose true spikes are known move past its contacts."""

import numpy as np
from spikeinterface.core import NumpyRecording, NumpySorting

RATE = 30000.0


def drifting_recording(num_neurons=16, seconds=40.0, rate_hz=15.0, drift_um=40.0, last_size=1.0):
    """32 contacts in a row; tissue and neurons move up steadily, by half of `drift_um` in half of the time.

    Spikes change their size meanwhile, to `last_size` of what it was.

    Returns:
        `(recording, sorting)`; the noise has an SD of 1.
    """
    rng, depths = np.random.default_rng(0), 20.0 * np.arange(32)
    traces = rng.normal(size=(int(RATE * seconds), 32)).astype("float32")
    shape = -np.exp(-0.5 * ((np.arange(40) - 15) / 3.0) ** 2) + 0.3 * np.exp(-0.5 * ((np.arange(40) - 25) / 5.0) ** 2)
    trains = []
    for depth, size in zip(np.linspace(100, 500, num_neurons), rng.uniform(12, 30, num_neurons)):
        starts = np.sort(rng.integers(0, len(traces) - 40, size=int(rate_hz * seconds)))
        for start in starts:
            moved = depth + drift_um * (start / len(traces) - 0.5)
            factor = 1 + (last_size - 1) * start / len(traces)
            traces[start : start + 40] += factor * size * shape[:, None] * np.exp(-0.5 * ((depths - moved) / 25.0) ** 2)
        trains.append(starts + 15)
    recording = NumpyRecording([traces], sampling_frequency=RATE)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(32), depths], axis=1))
    return recording, NumpySorting.from_unit_dict([dict(enumerate(trains))], RATE)
