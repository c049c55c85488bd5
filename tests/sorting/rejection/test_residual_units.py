import numpy as np

from huidurep_hf.sorting.parameters import RejectionSettings
from huidurep_hf.sorting.rejection.residual_units import is_residual_unit

THRESHOLD = 4.5
SETTINGS = RejectionSettings()


def test_a_unit_that_detection_hardly_saw_is_residual():
    units = np.repeat([0, 1], 100)
    is_detected = np.r_[np.arange(100) < 90, np.arange(100) < 30]
    assert is_residual_unit(units, is_detected, np.array([12.0, 12.0]), THRESHOLD, SETTINGS).tolist() == [False, True]


def test_of_a_unit_at_the_threshold_half_is_detected():
    units = np.zeros(100, dtype="int64")
    depth = np.array([THRESHOLD])
    assert not is_residual_unit(units, np.arange(100) < 30, depth, THRESHOLD, SETTINGS).any()
    assert is_residual_unit(units, np.arange(100) < 10, depth, THRESHOLD, SETTINGS).all()
    assert not is_residual_unit(units, np.arange(100) < 10, depth - 1, THRESHOLD, SETTINGS).any()


def test_a_unit_without_spikes_is_none():
    no_units, no_flags = np.zeros(0, dtype="int64"), np.zeros(0, dtype=bool)
    assert is_residual_unit(no_units, no_flags, np.array([12.0]), THRESHOLD, SETTINGS).tolist() == [False]
    assert len(is_residual_unit(no_units, no_flags, np.zeros(0), THRESHOLD, SETTINGS)) == 0
