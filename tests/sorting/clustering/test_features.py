import numpy as np

from huidurep_hf.sorting.clustering.features import build_features, centers_of_mass, reduce_locally
from huidurep_hf.sorting.parameters import FeatureSettings

SETTINGS = FeatureSettings()


def test_center_of_mass():
    positions = np.array([[[0, 0], [0, 20], [0, 40]]] * 3, dtype="float32")
    amplitudes = np.array([[1, 1, 1], [0, 5, 9], [0, 0, 0]], dtype="float32")
    mask = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=bool)
    np.testing.assert_allclose(centers_of_mass(amplitudes, positions, mask), [[0, 20], [0, 20], [0, 0]])


def test_features_do_not_depend_on_the_scale_of_the_embedding():
    rng = np.random.default_rng(0)
    embeddings, locations = rng.normal(size=(50, 8)), rng.normal(size=(50, 2))
    amplitudes = rng.uniform(5, 20, 50)
    features = build_features(embeddings, locations, amplitudes, SETTINGS)
    assert features.shape == (50, 11)
    np.testing.assert_allclose(features, build_features(100 * embeddings + 7, locations, amplitudes, SETTINGS))


def test_empty_and_constant():
    assert build_features(np.zeros((0, 8)), np.zeros((0, 2)), np.zeros(0), SETTINGS).shape == (0, 11)
    assert np.isfinite(build_features(np.ones((3, 8)), np.zeros((3, 2)), np.zeros(3), SETTINGS)).all()
    assert reduce_locally(np.zeros((0, 11)), 8).shape == (0, 8)
    assert reduce_locally(np.ones((3, 11)), 8).shape == (3, 3)


def test_local_reduction_keeps_the_largest_variance_first():
    features = np.random.default_rng(0).normal(size=(300, 5)) * [1, 9, 1, 3, 1]
    reduced = reduce_locally(features, 2)
    assert abs(np.corrcoef(reduced[:, 0], features[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(reduced[:, 1], features[:, 3])[0, 1]) > 0.99
