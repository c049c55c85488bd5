import numpy as np

from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.units import find_false_units


def test_faint_units_and_remains_are_false():
    parameters = SortingParameters(detect_threshold=4.0)
    templates = np.zeros((4, 30, 2), dtype="float32")
    # A clear unit, a faint one, a large one that detection hardly saw, and one as hardly seen but below the threshold.
    templates[:, 10, 0] = [-12.0, -1.5, -12.0, -3.5]
    units = np.r_[np.repeat(np.arange(4), 100), [-1] * 50]
    is_detected = np.r_[np.arange(400) % 100 < np.repeat([90, 90, 20, 20], 100), [True] * 50]
    assert find_false_units(units, is_detected, templates, parameters).tolist() == [False, True, True, False]


def test_depth_is_that_of_the_sign_that_is_detected():
    """A tall positive peak is not looked for where troughs are, so that its spikes need not have been detected."""
    templates = np.zeros((1, 30, 2), dtype="float32")
    templates[0, 10, 0] = 12.0
    units, is_detected = np.zeros(100, dtype="int64"), np.arange(100) < 20
    for sign, is_false in (("neg", False), ("pos", True), ("both", True)):
        parameters = SortingParameters(detect_threshold=4.0, peak_sign=sign)
        assert find_false_units(units, is_detected, templates, parameters).tolist() == [is_false]
