import os
import subprocess
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


# How many heaps threads have made that each work on small arrays.
COUNT_HEAPS = """
import ctypes, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from huidurep_hf.memory import share_one_heap
if sys.argv[1] == "one":
    share_one_heap()
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda _: [np.ones(size) for size in range(1000)], range(50)))
c = ctypes.CDLL(None)
c.fopen.restype, c.malloc_info.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
c.fclose.argtypes = (ctypes.c_void_p,)
file = c.fopen(sys.argv[2].encode(), b"w")
c.malloc_info(0, file)
c.fclose(file)
"""


def num_heaps(which, path, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"} | variables
    subprocess.run([sys.executable, "-c", COUNT_HEAPS, which, str(path)], check=True, env=environment)
    return path.read_text().count("<heap ")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_threads_share_one_heap(tmp_path):
    path = tmp_path / "heaps.xml"
    own, shared = (num_heaps(which, path) for which in ("own", "one"))
    assert shared < own
    # What the environment says counts more.
    assert num_heaps("one", path, MALLOC_ARENA_MAX="8") == own
