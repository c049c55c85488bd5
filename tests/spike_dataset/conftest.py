"""A short ground-truth recording of SpikeInterface's generator, and the spikes of its sorting."""

import pytest
from spikeinterface.core import generate_ground_truth_recording

from huidurep_hf.spike_dataset.from_recording import spikes_from_recording


@pytest.fixture(scope="package")
def generated():
    """Ten seconds of eight channels with four well separated units: recording and true sorting."""
    recording, sorting = generate_ground_truth_recording(
        durations=[10.0],
        num_channels=8,
        num_units=4,
        sampling_frequency=30000.0,
        generate_sorting_kwargs={"firing_rates": 8.0, "refractory_period_ms": 4.0},
        seed=2,
    )
    return recording.save(format="memory", progress_bar=False, verbose=False), sorting


@pytest.fixture(scope="package")
def labelled_spikes(generated):
    return spikes_from_recording(*generated, progress=False)
