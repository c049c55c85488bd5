import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.simulation.electrodes.probes import make_probe
from huidurep_hf.simulation.recordings import hybrid
from huidurep_hf.simulation.recordings.hybrid import HybridParameters, hybrid_recording, scaled_traces


@pytest.fixture
def background():
    """Two segments of 3 s of white noise in counts with an offset, on a tetrode."""
    rng = np.random.default_rng(0)
    counts = [np.round(2048 + 50 * rng.standard_normal((60_000, 4))).astype(np.int16) for _ in range(2)]
    recording = NumpyRecording(counts, 20_000.0)
    recording.set_probe(make_probe("tetrode_diamond"))
    return recording


def test_traces_are_joined_and_scaled(background):
    from spikeinterface.preprocessing import bandpass_filter

    traces = scaled_traces(background, 9.0)
    assert traces.shape == (120_000, 4) and traces.dtype == np.float32
    assert np.abs(np.median(traces, axis=0)).max() < 1
    in_band = bandpass_filter(NumpyRecording([traces], 20_000.0), 300, 6000).get_traces()
    np.testing.assert_allclose(in_band.std(axis=0), 9, rtol=0.05)


def test_silent_channels_are_refused(background):
    silent = NumpyRecording([np.zeros((60_000, 4), np.int16)], 20_000.0)
    with pytest.raises(ValueError, match="silent"):
        scaled_traces(silent, 9.0)
    with pytest.raises(ValueError, match="no probe"):
        hybrid_recording(NumpyRecording([np.zeros((60_000, 4), np.int16)], 20_000.0), HybridParameters())


def test_units_are_added_to_the_recorded_traces(background, cell, monkeypatch):
    monkeypatch.setattr(hybrid, "CELLS", ("L5_NBC",))
    truth = hybrid_recording(background, HybridParameters(num_units=2, seed=4))
    assert ((truth.units["snr"] >= 5) & (truth.units["snr"] <= 30)).all()
    np.testing.assert_array_equal(truth.recording.get_channel_locations(), background.get_channel_locations())
    added = truth.recording.get_traces() - scaled_traces(background, 9.0)
    samples = np.concatenate([truth.sorting.get_unit_spike_train(unit) for unit in truth.sorting.unit_ids])
    near = np.zeros(len(added), dtype=bool)
    for sample in samples:
        near[sample - 40 : sample + 110] = True
    # Nothing but the units: their spikes and, between them, the traces as they were recorded.
    assert np.abs(added[near]).max() > 30
    assert np.abs(added[~near]).max() < 1e-3
