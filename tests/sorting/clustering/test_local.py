import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from huidurep_hf.sorting.clustering.local import cluster_locally, merge_without_valley
from huidurep_hf.sorting.parameters import DensitySettings, SortingParameters


def clusters_of(features, channels, method):
    """Dense regions of at least 20 spikes, or Gaussians."""
    parameters = SortingParameters(clustering=method, min_spikes_per_unit=40, min_valley=0.5)
    return cluster_locally(features, channels, parameters)


@pytest.mark.parametrize("method", ["hdbscan", "gmm"])
def test_each_channel_is_clustered_by_itself(make_blobs, method):
    features, truth = make_blobs([[0, 0, 0], [8, 0, 0], [0, 8, 0], [8, 8, 0]], num_spikes=150)
    channels = np.array([3, 3, 7, 7])[truth]
    labels = clusters_of(features, channels, method)
    majority = np.array([np.bincount(truth[labels == label]).argmax() for label in range(labels.max() + 1)])
    assert (majority[labels] == truth).mean() > 0.98
    assert not set(labels[channels == 3]) & set(labels[channels == 7])
    if method == "hdbscan":
        assert labels.max() == 3
    np.testing.assert_array_equal(labels, clusters_of(features, channels, method))


def test_close_clusters_are_split_after_far_ones(make_blobs):
    features, truth = make_blobs([[0, 0, 0], [6, 0, 0], [200, 0, 0], [206, 0, 0]])
    labels = clusters_of(features, np.zeros(len(truth), dtype=int), "hdbscan")
    assert adjusted_rand_score(truth, labels) > 0.97


@pytest.mark.parametrize(("method", "label"), [("hdbscan", -1), ("gmm", 0)])
@pytest.mark.parametrize("num_spikes", [0, 1, 3])
def test_few_spikes_are_not_split(method, label, num_spikes):
    labels = clusters_of(np.ones((num_spikes, 5)), np.zeros(num_spikes, dtype=int), method)
    assert labels.tolist() == [label] * num_spikes


def test_oversplit_clusters_are_merged(make_blobs):
    features, truth = make_blobs([[0, 0], [10, 0]], num_spikes=300)
    split = 2 * truth + (features[:, 1] > 0)
    np.testing.assert_array_equal(merge_without_valley(features, split, DensitySettings(), 0.3), truth)
    assert merge_without_valley(features, np.full(600, -1), DensitySettings(), 0.3).max() == -1
