import numpy as np

from huidurep_hf.sorting.replacement import replace_each_other


def test_parts_replace_each_other_and_neurons_do_not():
    up, down = np.array([[30.0, 30], [5, 5], [0, 0]]), np.array([[0.0, 0], [5, 5], [30, 30]])
    assert replace_each_other(up, down, distance=0.3, min_valley=0.3)
    # Too unlike, or the dial turned to split.
    assert not replace_each_other(up, down, distance=0.95, min_valley=0.3)
    assert not replace_each_other(up, down, distance=0.3, min_valley=0.05)
    assert not replace_each_other(up, up + down, distance=0.3, min_valley=0.3)
    # Silent when the tissue came back.
    once = np.array([[0.0, 0], [10, 0], [60, 0]])
    assert not replace_each_other(up, once, distance=0.3, min_valley=0.3)
    assert not replace_each_other(once, up, distance=0.3, min_valley=0.3)
