"""Wait for a process that was started: its largest memory, its time limit."""

import subprocess
import time

from .speed.process_tree import memory_of_tree, stop_tree

MEMORY_PERIOD_S = 0.5
MIB = 2**20


def watch(process: subprocess.Popen, timeout_s: float) -> tuple[float, bool]:
    """Wait for a process.

    Args:
        process: just started.
        timeout_s: it is killed with its children after this time.

    Returns:
        Its peak memory in MiB, children included and what they share counted once, and whether it had to be stopped.
    """
    started, peak = time.perf_counter(), 0
    while True:
        try:
            left = timeout_s - (time.perf_counter() - started)
            process.wait(min(MEMORY_PERIOD_S, max(left, 0)))
            return peak / MIB, False
        except subprocess.TimeoutExpired:
            peak = max(peak, memory_of_tree(process.pid).total)
        if time.perf_counter() - started > timeout_s:
            stop_tree(process.pid)
            process.wait()
            return peak / MIB, True
