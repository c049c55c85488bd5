"""Memory of this process: the most it has held, and giving back what is free."""

from __future__ import annotations

import ctypes
import resource
import sys


def peak_memory_gb() -> float:
    """Most memory that this process has held since it began, 10^9 bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return 1e-9 * used * (1 if sys.platform == "darwin" else 1024)


def give_back_memory() -> None:
    """Give memory that is free back to the system.

    The C library keeps what it has freed between arrays that are still there, in each thread for itself. After a pass
    of many small arrays this is much. Does nothing where the C library has no `malloc_trim` (all but glibc).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
