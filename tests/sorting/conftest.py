import pytest
from spikeinterface.core import generate_ground_truth_recording

from huidurep_hf.sorting.sorter import SpikeSorter


@pytest.fixture(scope="session")
def sorter(tiny_checkpoint):
    return SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def make_ground_truth():
    """Small recordings with loud spikes whose times are known: `(recording, sorting)`."""

    def make(durations=(8.0,), num_channels=4, num_units=3, **kwargs):
        recording, truth = generate_ground_truth_recording(
            durations=list(durations),
            num_channels=num_channels,
            num_units=num_units,
            sampling_frequency=kwargs.pop("sampling_frequency", 30000.0),
            noise_kwargs={"noise_levels": 3.0},
            seed=4,
            **kwargs,
        )
        return recording.save(format="memory", sharedmem=False, progress_bar=False), truth

    return make


@pytest.fixture(scope="session")
def tetrode(make_ground_truth):
    return make_ground_truth()


@pytest.fixture(scope="session")
def tetrode_result(sorter, tetrode):
    return sorter.sort(tetrode[0])
