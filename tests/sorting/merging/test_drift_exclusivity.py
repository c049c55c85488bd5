import numpy as np
import pytest

from huidurep_hf.sorting.merging.drift_exclusivity import replace_each_other
from huidurep_hf.sorting.parameters import DriftMergingSettings

SETTINGS = DriftMergingSettings()
NUM_PARTS = SETTINGS.num_time_parts


def spread_over_parts(*in_state):
    """`(num_states, NUM_PARTS)` of so many spikes in each state, as many in each part of the time."""
    return np.repeat(np.array(in_state)[:, None] / NUM_PARTS, NUM_PARTS, axis=1)


def test_parts_replace_each_other_and_neurons_do_not():
    up, down = spread_over_parts(60, 10, 0), spread_over_parts(0, 10, 60)
    assert replace_each_other(up, down, distance=0.3, settings=SETTINGS)
    # Too unlike, or more is asked for.
    assert not replace_each_other(up, down, distance=0.95, settings=SETTINGS)
    assert not replace_each_other(up, down, distance=0.3, settings=DriftMergingSettings(min_exclusive_share=0.99))
    assert not replace_each_other(up, up + down, distance=0.3, settings=SETTINGS)


@pytest.mark.parametrize("active", [(1, 1, 0, 0), (0, 1, 1, 0), (0, 0, 0, 1), (1, 1, 1, 0)])
def test_a_neuron_silent_when_the_tissue_came_back_is_no_part(active):
    up, at_times = spread_over_parts(60, 10, 0), np.outer([0, 10, 60], active) / sum(active)
    assert not replace_each_other(up, at_times, distance=0.3, settings=SETTINGS)
    assert not replace_each_other(at_times, up, distance=0.3, settings=SETTINGS)


def test_a_neuron_active_for_one_stretch_of_the_time_is_no_part():
    # The tissue goes A B C A B C A; one fires in A, the other for three stretches in a row.
    in_a = spread_over_parts(60, 0, 0)
    once = np.array([[0.0, 11, 17, 0], [0, 0, 14, 14], [15, 13, 0, 0]])
    assert once.sum(axis=0).min() > 12
    assert not replace_each_other(in_a, once, distance=0.3, settings=SETTINGS)


def test_few_spikes_do_not_tell():
    many, few = spread_over_parts(60, 10, 0), spread_over_parts(0, 0, 8)
    assert not replace_each_other(many, few, distance=0.3, settings=SETTINGS)
    assert replace_each_other(many, 2 * few, distance=0.3, settings=SETTINGS)
