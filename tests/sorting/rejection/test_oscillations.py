import numpy as np
import pytest

from huidurep_hf.sorting.parameters import RejectionSettings
from huidurep_hf.sorting.rejection.oscillations import is_oscillation

RATE = 30000.0
TIMES = np.arange(-30, 60) / RATE


def spike(width_ms):
    return -np.exp(-np.square(TIMES * 1000 / width_ms)) + 0.3 * np.exp(-np.square((TIMES * 1000 - 0.6) / 0.4))


@pytest.mark.parametrize("frequency", [300, 400, 500])
@pytest.mark.parametrize("phase", [0.0, 1.0, 2.5])
def test_cycles_of_a_ripple_are_no_unit(frequency, phase):
    noise = np.random.default_rng(0).normal(size=(90, 2)) / 5
    ripple = np.cos(2 * np.pi * frequency * TIMES + phase)
    averages = np.stack([np.outer(6 * ripple, [1, 0.9]) + noise, np.outer(6 * spike(0.15), [1, 0.9]) + noise])
    assert is_oscillation(averages, RATE, RejectionSettings()).tolist() == [True, False]


@pytest.mark.parametrize("width_ms", [0.08, 0.15, 0.25])
def test_narrow_and_wide_spikes_are_units(width_ms):
    averages = 10 * spike(width_ms)[None, :, None]
    assert not is_oscillation(averages, RATE, RejectionSettings()).any()
    assert not is_oscillation(-averages, RATE, RejectionSettings()).any()


def test_no_units_and_no_samples_are_none():
    assert is_oscillation(np.zeros((0, 90, 4)), RATE, RejectionSettings()).shape == (0,)
    assert is_oscillation(np.zeros((2, 0, 4)), RATE, RejectionSettings()).tolist() == [False, False]
