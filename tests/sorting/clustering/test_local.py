import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from huidurep_hf.sorting.clustering.local import cluster_locally, merge_without_valley


@pytest.mark.parametrize("method", ["hdbscan", "gmm"])
def test_each_channel_is_clustered_by_itself(make_blobs, method):
    features, truth = make_blobs([[0, 0, 0], [8, 0, 0], [0, 8, 0], [8, 8, 0]], num_spikes=150)
    channels = np.array([3, 3, 7, 7])[truth]
    labels = cluster_locally(features, channels, method=method)
    majority = np.array([np.bincount(truth[labels == label]).argmax() for label in range(labels.max() + 1)])
    assert (majority[labels] == truth).mean() > 0.98
    assert not set(labels[channels == 3]) & set(labels[channels == 7])
    if method == "hdbscan":
        assert labels.max() == 3
    np.testing.assert_array_equal(labels, cluster_locally(features, channels, method=method))


def test_close_clusters_are_split_after_far_ones(make_blobs):
    features, truth = make_blobs([[0, 0, 0], [6, 0, 0], [200, 0, 0], [206, 0, 0]])
    labels = cluster_locally(features, np.zeros(len(truth), dtype=int), method="hdbscan")
    assert adjusted_rand_score(truth, labels) > 0.97


@pytest.mark.parametrize(("method", "label"), [("hdbscan", -1), ("gmm", 0)])
@pytest.mark.parametrize("num_spikes", [0, 1, 3])
def test_few_spikes_are_not_split(method, label, num_spikes):
    labels = cluster_locally(np.ones((num_spikes, 5)), np.zeros(num_spikes, dtype=int), method=method)
    assert labels.tolist() == [label] * num_spikes


def test_oversplit_clusters_are_merged(make_blobs):
    features, truth = make_blobs([[0, 0], [10, 0]], num_spikes=300)
    split = 2 * truth + (features[:, 1] > 0)
    np.testing.assert_array_equal(merge_without_valley(features, split, 0.3), truth)
    assert merge_without_valley(features, np.full(600, -1), 0.3).max() == -1
