import numpy as np

from huidurep_hf.sorting.collisions import find_collisions

RATE = 30000.0


def test_a_rare_sum_of_two_frequent_units_is_a_collision(make_spike_template):
    first, second = make_spike_template(20.0, 0), make_spike_template(15.0, 2, width=6.0)
    together = first + np.roll(second, 9, axis=0)
    weaker = 0.9 * first
    other = make_spike_template(12.0, 3, width=2.5)
    templates = np.stack([first, second, together, weaker, other])
    found = find_collisions(templates, np.array([1000, 900, 40, 50, 30]), RATE)
    assert found.tolist() == [False, False, True, True, False]
    # What fires as often as its parts is a neuron of its own.
    assert not find_collisions(templates, np.array([1000, 900, 400, 500, 300]), RATE).any()


def test_no_units_and_one_unit(make_spike_template):
    assert find_collisions(np.zeros((0, 90, 4)), np.zeros(0, dtype=int), RATE).tolist() == []
    assert find_collisions(make_spike_template(9.0, 0)[None], np.array([5]), RATE).tolist() == [False]
