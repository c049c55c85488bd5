import numpy as np
import pytest

from huidurep_hf.evaluation.spikes import true_spikes


@pytest.fixture(scope="package")
def spikes(generated):
    """The true spikes of the generated recording."""
    return true_spikes(*generated, unit_snr=np.array([2.0, 4.0, 8.0, 10.0]), max_spikes_per_unit=80)
