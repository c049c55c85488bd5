import numpy as np
import pytest


@pytest.fixture
def make_blobs():
    """Gaussian blobs at given centres: `(features, labels)`."""

    def make(centers, num_spikes=200, seed=0):
        rng = np.random.default_rng(seed)
        centers = np.asarray(centers, dtype="float64")
        labels = np.repeat(np.arange(len(centers)), num_spikes)
        return centers[labels] + rng.normal(size=(len(labels), centers.shape[1])), labels

    return make
