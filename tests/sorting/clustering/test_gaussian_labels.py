import numpy as np

from huidurep_hf.sorting.clustering.gaussian_labels import assign, drop_small
from huidurep_hf.sorting.parameters import DensitySettings

SETTINGS = DensitySettings()


def test_unlabelled_spikes_join_the_likeliest_cluster(make_blobs):
    features, truth = make_blobs([[0, 0], [8, 0]])
    labels = np.where(np.arange(len(truth)) % 2 == 0, truth, -1)
    assigned, probabilities = assign(features, labels, SETTINGS, min_cluster_size=20)
    np.testing.assert_array_equal(assigned, truth)
    assert probabilities.dtype == np.float32
    assert probabilities.min() > 0.5


def test_probability_falls_between_two_clusters(make_blobs):
    features, truth = make_blobs([[0, 0], [4, 0]])
    _, probabilities = assign(features, truth, SETTINGS, min_cluster_size=20)
    is_between = np.abs(features[:, 0] - 2) < 0.3
    assert probabilities[is_between].mean() < 0.8 < probabilities[~is_between].mean()


def test_empty_unlabelled_and_small(make_blobs):
    for features, labels in [
        (np.zeros((0, 3)), np.zeros(0, dtype=int)),
        (np.zeros((4, 3)), np.full(4, -1)),
        (np.zeros((4, 3)), np.zeros(4, dtype=int)),
    ]:
        assigned, probabilities = assign(features, labels, SETTINGS, min_cluster_size=5)
        assert assigned.shape == probabilities.shape == (len(features),)
        assert (assigned == -1).all()
        assert not probabilities.any()


def test_identical_spikes_do_not_break_the_gaussians():
    assigned, _ = assign(np.ones((50, 3)), np.repeat([0, 1], 25), SETTINGS, min_cluster_size=20)
    assert (assigned >= 0).all()


def test_small_clusters_are_dropped_and_gaps_closed():
    labels = drop_small([2, 2, 2, 0, -1, 5, 5, 5], 3)
    assert labels.tolist() == [0, 0, 0, -1, -1, 1, 1, 1]
    assert drop_small(np.zeros(0), 3).shape == (0,)
