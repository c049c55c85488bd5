import numpy as np
import pytest

from huidurep_hf.recording.spikes.neighborhood import find_neighborhoods


def test_nearest_first_and_relative_to_the_peak_channel():
    positions = np.array([[0, 0], [0, 20], [0, 50], [0, 90]])
    found = find_neighborhoods(positions, np.zeros(4), 3)
    assert found.channel_indices[1].tolist() == [1, 0, 2]
    assert found.positions[1].tolist() == [[0, 0], [0, -20], [0, 30]]
    assert found.mask.all()


def test_shanks_are_borders_and_missing_neighbours_are_padded():
    found = find_neighborhoods(np.array([[0, 0], [0, 0], [0, 20]]), np.array([0, 1, 1]), 3)
    assert found.channel_indices.tolist() == [[0, -1, -1], [1, 2, -1], [2, 1, -1]]
    assert found.mask.sum(axis=1).tolist() == [1, 2, 2]
    assert not found.positions[~found.mask].any()


def test_no_channels():
    assert find_neighborhoods(np.zeros((0, 2)), np.zeros(0), 5).channel_indices.shape == (0, 5)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 3\).*\(num_channels, 2\)"):
        find_neighborhoods(np.zeros((4, 3)), np.zeros(4), 3)
    with pytest.raises(ValueError, match="num_neighbors=0"):
        find_neighborhoods(np.zeros((4, 2)), np.zeros(4), 0)
