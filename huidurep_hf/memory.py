"""Memory of this process: the most it has held, one heap for all threads, and giving back what is free."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable

# glibc's number of the setting `M_ARENA_MAX` of `mallopt`.
_M_ARENA_MAX = -8


def peak_memory_gb() -> float:
    """Most memory that this process has held since it began, 10^9 bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return 1e-9 * used * (1 if sys.platform == "darwin" else 1024)


def share_one_heap() -> None:
    """Let threads that start from now on take memory from one heap.

    By default glibc gives each thread a heap of its own, and what one thread has freed does not serve another. The
    heavy work of a pass is in large arrays, for which threads hardly ever wait for one another. Environment variables
    that set the same (`MALLOC_ARENA_MAX`) are left as they are. Does nothing where the C library is not glibc.
    """
    set_option = _of_c_library("mallopt")
    if set_option is not None and "MALLOC_ARENA_MAX" not in os.environ:
        set_option(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Give memory that is free back to the system.

    The C library keeps what it has freed between arrays that are still there. After a pass of many small arrays this
    is much. Does nothing where the C library has no `malloc_trim` (all but glibc).
    """
    trim = _of_c_library("malloc_trim")
    if trim is not None:
        trim(0)


def _of_c_library(name: str) -> Callable[..., int] | None:
    """A function of glibc; None elsewhere."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
