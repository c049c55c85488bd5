import numpy as np

from huidurep_hf.recording.spikes.coincidence import is_coincident


def test_spikes_with_another_within_the_gap():
    others = np.array([100, 200, 300])
    assert is_coincident(np.array([305, 90, 110, 111, 250]), others, 10).tolist() == [True, True, True, False, False]
    assert is_coincident(others, others[:0], 10).tolist() == [False] * 3
    assert is_coincident(others[:0], others, 10).size == 0
