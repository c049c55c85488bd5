import pytest

from huidurep_hf.spike_dataset.from_recording import spikes_from_recording


@pytest.fixture(scope="package")
def labelled_spikes(generated):
    return spikes_from_recording(*generated, progress=False)
