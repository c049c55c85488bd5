import numpy as np

from huidurep_hf.sorting.merging.template_distance import (
    distances_of_pairs,
    distances_over_states,
    find_duplicates,
    merge_pairs,
    template_distances,
)


def make_templates():
    time = np.arange(60)
    spike = -np.exp(-0.5 * ((time - 25) / 3.0) ** 2)
    first = np.stack([20 * spike, 10 * spike, 0 * spike], axis=1)
    return np.stack([first, np.roll(first, 4, axis=0), np.roll(first, 1, axis=1)])


def test_shifted_copies_are_alike_and_displaced_ones_are_not():
    distances, shifts = template_distances(make_templates(), max_shift=6)
    assert distances[0, 1] < 1e-3
    assert shifts[0, 1] == 4
    assert shifts[1, 0] == -4
    assert distances[0, 2] > 0.5
    np.testing.assert_allclose(np.diag(distances), 0, atol=1e-12)
    assert template_distances(np.zeros((2, 60, 3)), 6)[0].max() == 0


def test_some_pairs_have_the_distances_of_all(make_spike_template):
    rng = np.random.default_rng(0)
    templates = np.stack(
        [make_spike_template(rng.uniform(5, 15), at, 20, rng.uniform(3, 6)) for at in rng.uniform(0, 19, 25)]
    )
    templates[np.abs(templates) < 0.5] = 0
    distances, shifts = template_distances(templates, 6)
    pairs = np.argwhere(np.triu(np.ones((25, 25), dtype=bool), k=1))
    found, found_shifts = distances_of_pairs(templates, pairs, 6)
    np.testing.assert_allclose(found, distances[pairs[:, 0], pairs[:, 1]], atol=1e-6)
    is_alike = found < 0.9
    assert is_alike.sum() > 10
    np.testing.assert_array_equal(found_shifts[is_alike], shifts[pairs[:, 0], pairs[:, 1]][is_alike])
    none = distances_of_pairs(templates, np.zeros((0, 2), dtype="int64"), 6)
    assert [len(each) for each in none] == [0, 0]


def test_over_states_the_shift_is_one(make_spike_template):
    first, second = make_templates()[:2]
    # In one state the second is 4 samples late, in the other, which lasts longer, 2.
    states = [(0.3, np.stack([first, second])), (0.7, np.stack([first, np.roll(second, -2, axis=0)]))]
    distances, shifts = distances_over_states(states, 6)
    alone = template_distances(np.stack([first, second]), 6)
    assert alone[1][0, 1] == 4 and shifts[0, 1] in (2, 3)
    assert distances[0, 1] > alone[0][0, 1]
    same = distances_over_states([(0.3, np.stack([first, second])), (0.7, np.stack([first, second]))], 6)
    np.testing.assert_allclose(same[0], alone[0], atol=1e-9)


def test_merged_units_and_their_shifts():
    new_units, unit_shifts = merge_pairs(5, np.array([[0, 2], [2, 4], [0, 4]]), np.array([3, -1, 9]))
    assert new_units.tolist() == [0, 1, 0, 2, 0]
    assert unit_shifts.tolist() == [0, 0, 3, 0, 2]
    new_units, unit_shifts = merge_pairs(2, np.zeros((0, 2), dtype=int), np.zeros(0, dtype=int))
    assert new_units.tolist() == [0, 1]


def test_the_larger_of_two_detections_stays():
    samples = np.array([100, 104, 300, 301, 305, 900])
    labels = np.array([0, 0, 1, 0, 1, -1])
    amplitudes = np.array([-5.0, -9.0, -7.0, -7.0, -3.0, -9.0])
    assert find_duplicates(samples, labels, amplitudes, 8).tolist() == [True, False, False, False, True, False]
    assert find_duplicates(np.zeros(0), np.zeros(0, dtype=int), np.zeros(0), 8).shape == (0,)
