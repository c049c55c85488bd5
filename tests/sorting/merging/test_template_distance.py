import numpy as np

from huidurep_hf.sorting.merging.template_distance import find_duplicates, join_pairs, template_distances


def make_templates():
    time = np.arange(60)
    spike = -np.exp(-0.5 * ((time - 25) / 3.0) ** 2)
    first = np.stack([20 * spike, 10 * spike, 0 * spike], axis=1)
    return np.stack([first, np.roll(first, 4, axis=0), np.roll(first, 1, axis=1)])


def test_shifted_copies_are_alike_and_moved_ones_are_not():
    distances, shifts = template_distances(make_templates(), max_shift=6)
    assert distances[0, 1] < 1e-3
    assert shifts[0, 1] == 4
    assert shifts[1, 0] == -4
    assert distances[0, 2] > 0.5
    np.testing.assert_allclose(np.diag(distances), 0, atol=1e-12)
    assert template_distances(np.zeros((2, 60, 3)), 6)[0].max() == 0


def test_joined_units_and_their_shifts():
    new_units, unit_shifts = join_pairs(5, np.array([[0, 2], [2, 4], [0, 4]]), np.array([3, -1, 9]))
    assert new_units.tolist() == [0, 1, 0, 2, 0]
    assert unit_shifts.tolist() == [0, 0, 3, 0, 2]
    new_units, unit_shifts = join_pairs(2, np.zeros((0, 2), dtype=int), np.zeros(0, dtype=int))
    assert new_units.tolist() == [0, 1]


def test_the_larger_of_two_detections_stays():
    samples = np.array([100, 104, 300, 301, 305, 900])
    labels = np.array([0, 0, 1, 0, 1, -1])
    amplitudes = np.array([-5.0, -9.0, -7.0, -7.0, -3.0, -9.0])
    assert find_duplicates(samples, labels, amplitudes, 8).tolist() == [True, False, False, False, True, False]
    assert find_duplicates(np.zeros(0), np.zeros(0, dtype=int), np.zeros(0), 8).shape == (0,)
