"""HDBSCAN and mixtures answer the same questions, so they are asked together."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from huidurep_hf.sorting.clustering.density import cluster_density
from huidurep_hf.sorting.clustering.mixture import cluster_mixture, split_by_mixture
from huidurep_hf.sorting.parameters import DensitySettings, MixtureSettings

CENTERS = [[0, 0, 0], [9, 0, 0], [0, 9, 0]]
MIXTURE = MixtureSettings()


def dense_regions(features):
    return cluster_density(features, DensitySettings(), min_cluster_size=20)


def many_gaussians(features):
    return split_by_mixture(features, MIXTURE)


def three_gaussians(features):
    return cluster_mixture(features, 3, MIXTURE)


@pytest.mark.parametrize("cluster", [dense_regions, three_gaussians])
def test_separate_blobs_are_found(make_blobs, cluster):
    features, truth = make_blobs(CENTERS)
    labels = cluster(features)
    assert labels.dtype == np.int64
    assert labels.max() == 2
    assert adjusted_rand_score(truth[labels >= 0], labels[labels >= 0]) > 0.99
    np.testing.assert_array_equal(labels, cluster(features))


def test_one_blob_is_one_dense_region(make_blobs):
    assert dense_regions(make_blobs(CENTERS[:1])[0]).max() == 0


def test_a_mixture_splits_more_finely_than_there_are_blobs(make_blobs):
    features, truth = make_blobs(CENTERS, num_spikes=100)
    labels = many_gaussians(features)
    assert labels.max() + 1 == len(features) // MIXTURE.spikes_per_gaussian
    # No Gaussian holds spikes of two blobs.
    assert all(len(np.unique(truth[labels == label])) == 1 for label in np.unique(labels))
    random = np.random.default_rng(0)
    for num_spikes, num_gaussians in [
        (2000, MIXTURE.max_gaussians),
        (159, MIXTURE.min_gaussians),
        (80, MIXTURE.min_gaussians),
        (45, 2),
        (39, 1),
    ]:
        assert many_gaussians(random.normal(size=(num_spikes, 3))).max() + 1 == num_gaussians


@pytest.mark.parametrize("cluster", [dense_regions, many_gaussians])
@pytest.mark.parametrize("num_spikes", [0, 1, 2, 5])
def test_few_spikes(cluster, num_spikes):
    labels = cluster(np.ones((num_spikes, 3)))
    assert labels.shape == (num_spikes,)
    assert labels.max(initial=-1) < 1


def test_exact_number_of_gaussians(make_blobs):
    features, _ = make_blobs(CENTERS)
    assert len(np.unique(cluster_mixture(features, 5, MIXTURE))) == 5
    assert len(np.unique(cluster_mixture(features[:3], 5, MIXTURE))) <= 3


def test_sparse_spikes_stay_unlabelled(make_blobs):
    features, _ = make_blobs(CENTERS)
    features[-1] = 100
    assert dense_regions(features)[-1] == -1
