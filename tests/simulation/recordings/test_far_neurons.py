import numpy as np
from spikeinterface.core import NumpyRecording
from spikeinterface.preprocessing import bandpass_filter

from huidurep_hf.simulation.recordings.far_neurons import (
    CrowdedRecordingParameters,
    far_neuron_noise,
    generate_condition,
)
from huidurep_hf.simulation.recordings.recordings import RecordingParameters, generate_recording

CROWD = CrowdedRecordingParameters(
    "tetrode", num_units=2, cells=("L5_NBC",), duration_s=5.0, noise_level_uv=10.0, num_far_units=20, seed=3
)


def test_noise_of_a_crowd_has_its_level_and_its_spikes(cell):
    traces, crowd = far_neuron_noise(CROWD)
    assert traces.shape == (150_000, 4) and traces.dtype == np.float32
    band = bandpass_filter(NumpyRecording([traces], 30000.0), freq_min=300.0, freq_max=6000.0).get_traces()
    assert 9.0 < band.std() < 11.0
    assert len(crowd.unit_ids) == 20
    # Spikes are in it: their samples are deeper than others.
    samples = crowd.to_spike_vector()["sample_index"]
    assert band.min(axis=1)[samples].mean() < band.min(axis=1).mean() - 2.0
    again, _ = far_neuron_noise(CROWD)
    np.testing.assert_array_equal(again, traces)


def test_a_crowded_recording_names_its_crowd(cell):
    truth = generate_condition(CROWD)
    assert len(truth.far_sorting.unit_ids) == 20 and len(truth.sorting.unit_ids) == 2
    usual = RecordingParameters("tetrode", num_units=2, cells=("L5_NBC",), duration_s=5.0, seed=3)
    assert generate_condition(usual).far_sorting is None
    np.testing.assert_array_equal(
        generate_condition(usual).recording.get_traces(), generate_recording(usual).recording.get_traces()
    )
