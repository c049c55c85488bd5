import numpy as np
import pytest

from huidurep_hf.evaluation.representation.embedding import (
    agreement,
    cluster_by_density,
    cluster_by_kmeans,
    cluster_by_mixture,
    neighbor_accuracy,
)


@pytest.fixture(scope="module")
def separable():
    """Four units far apart in eight dimensions."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 150)
    return 20 * rng.normal(size=(4, 8))[labels] + rng.normal(size=(600, 8)), labels


def test_separable_units_are_found(separable):
    features, labels = separable
    mean, sd = agreement(labels, cluster_by_mixture(features, 4, range(3)))
    assert mean > 0.75 and sd < 0.3  # a k-means start may join two units
    assert max(agreement(labels, found[None])[0] for found in cluster_by_mixture(features, 4, range(3))) == 1.0
    assert [agreement(labels, found[None])[0] for found in cluster_by_kmeans(features, 4, range(3))] == [1.0] * 3
    dense = cluster_by_density(features)
    assert dense.max() == 3 and agreement(labels, dense[None])[0] > 0.97
    assert neighbor_accuracy(features, labels) == 1.0


def test_shuffled_labels_agree_by_chance(separable):
    features, labels = separable
    shuffled = np.random.default_rng(1).permutation(labels)
    assert abs(agreement(shuffled, cluster_by_mixture(features, 4, range(2)))[0]) < 0.03
    assert abs(agreement(shuffled, cluster_by_density(features)[None])[0]) < 0.03
    assert neighbor_accuracy(features, shuffled) == pytest.approx(0.25, abs=0.06)


def test_scale_and_offset_of_features_change_nothing(separable):
    features, labels = separable
    found = cluster_by_mixture(features, 4, [0])
    assert (cluster_by_mixture(1e-4 * features + 3, 4, [0]) == found).all()
    assert (cluster_by_kmeans(1e-4 * features + 3, 4, [0]) == cluster_by_kmeans(features, 4, [0])).all()


def test_same_seeds_same_figures(separable):
    features, _ = separable
    assert (cluster_by_mixture(features, 4, range(2)) == cluster_by_mixture(features, 4, range(2))).all()


def test_unassigned_spikes_are_a_cluster_of_their_own():
    assert agreement(np.array([0, 0, 1, 1]), np.array([[-1, -1, -1, -1]]))[0] == 0.0


def test_unit_with_fewer_spikes_than_dimensions_is_no_failure():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [100, 3])
    features = rng.normal(size=(103, 32)) + 30 * labels[:, None]
    assert agreement(labels, cluster_by_mixture(features, 2, range(2)))[0] == 1.0


def test_empty_and_tiny():
    features, labels = np.zeros((0, 8)), np.zeros(0, dtype=int)
    assert np.isnan(agreement(labels, cluster_by_mixture(features, 0))[0])
    assert len(cluster_by_density(features)) == 0
    assert np.isnan(neighbor_accuracy(features, labels))
    assert (cluster_by_density(np.eye(5)) == -1).all()


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="expected"):
        neighbor_accuracy(np.zeros((5, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="NaN"):
        neighbor_accuracy(np.full((5, 2), np.nan), np.zeros(5))
