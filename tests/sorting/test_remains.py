import numpy as np

from huidurep_hf.sorting.remains import find_remains

THRESHOLD = 4.5


def test_a_large_unit_that_detection_hardly_saw_is_remains():
    units = np.repeat([0, 1], 100)
    is_detected = np.r_[np.arange(100) < 90, np.arange(100) < 30]
    assert find_remains(units, is_detected, np.array([12.0, 12.0]), THRESHOLD).tolist() == [False, True]


def test_a_unit_near_the_threshold_of_detection_may_be_hardly_seen():
    units, is_detected = np.zeros(100, dtype="int64"), np.arange(100) < 30
    assert not find_remains(units, is_detected, np.array([4.0]), THRESHOLD).any()
    assert find_remains(units, is_detected, np.array([4.0]), 2.5).all()


def test_a_unit_without_spikes_is_none():
    assert find_remains(np.zeros(0, dtype="int64"), np.zeros(0, dtype=bool), np.array([12.0]), THRESHOLD).tolist() == [
        False
    ]
    assert len(find_remains(np.zeros(0, dtype="int64"), np.zeros(0, dtype=bool), np.zeros(0), THRESHOLD)) == 0
