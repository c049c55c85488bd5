import sys
from pathlib import Path

import numpy as np
import pytest

from huidurep_hf.memory import give_back_memory, peak_memory_gb


def resident_bytes():
    return 1024 * int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_free_between_arrays_is_given_back():
    # Too small for a place of their own: the one that stays keeps all before it.
    arrays = [np.ones(8_000) for _ in range(4_000)]
    last = np.ones(8_000)
    before = resident_bytes()
    del arrays
    give_back_memory()
    assert before - resident_bytes() > 0.8 * 4_000 * 8_000 * 8
    assert last.sum() == 8_000


def test_the_most_memory_is_at_least_what_is_held():
    held = np.ones(25_000_000)
    assert 1e-9 * held.nbytes < peak_memory_gb() < 1000
