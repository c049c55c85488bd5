import numpy as np

from huidurep_hf.sorting.clustering.features import build_natural_features
from huidurep_hf.sorting.clustering.kmeans import cluster_kmeans
from huidurep_hf.sorting.parameters import FeatureSettings


def test_small_clusters_beside_large_ones_are_found():
    rng = np.random.default_rng(0)
    sizes, centers = (400, 60, 30), np.array([[0.0, 0, 0], [6, 0, 0], [0, 6, 0]])
    features = np.concatenate([center + rng.normal(size=(size, 3)) for size, center in zip(sizes, centers)])
    truth = np.repeat([0, 1, 2], sizes)
    labels = cluster_kmeans(features, 3, num_starts=10, seed=1)
    assert sorted(np.unique(labels)) == [0, 1, 2]
    assert all(
        (labels[truth == unit] == np.bincount(labels[truth == unit]).argmax()).mean() > 0.95 for unit in range(3)
    )
    np.testing.assert_array_equal(labels, cluster_kmeans(features, 3, num_starts=10, seed=1))


def test_few_spikes_give_as_many_clusters_as_they_allow():
    assert len(cluster_kmeans(np.zeros((0, 4)), 3, num_starts=10)) == 0
    assert set(cluster_kmeans(np.array([[0.0, 1], [5, 5]]), 4, num_starts=10)) == {0, 1}


def test_natural_features_keep_the_embeddings_units():
    embeddings = np.arange(6, dtype="float32").reshape(2, 3)
    features = build_natural_features(
        embeddings, np.array([[0.0, 10], [5, 0]]), np.array([1.0, np.e]), FeatureSettings()
    )
    np.testing.assert_allclose(features[:, :3], embeddings)
    np.testing.assert_allclose(features[:, 3:5], [[0, 2], [1, 0]])
    np.testing.assert_allclose(features[:, 5], [0, 2.5])
    assert build_natural_features(np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0), FeatureSettings()).shape == (0, 6)
