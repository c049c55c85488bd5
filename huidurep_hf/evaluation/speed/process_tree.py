"""Memory and processor time of a process with all its children."""

from pathlib import Path
from typing import NamedTuple

import psutil

KIB = 1024


class Memory(NamedTuple):
    """Memory of a process tree, bytes.

    Attributes:
        total: proportional size: what processes share is counted once; pages of files that are read by mapping them
            are in it.
        own: of that, anonymous and shared memory alone: what cannot be dropped without swapping.
    """

    total: int
    own: int


def list_tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants; empty if it is gone."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_of_tree(pid: int) -> Memory:
    """Memory of a process and its descendants now."""
    sizes = [_memory(process) for process in list_tree(pid)]
    return Memory(sum(size.total for size in sizes), sum(size.own for size in sizes))


def cpu_seconds_of_tree(pid: int) -> float:
    """User and system time, s, of a process and its descendants; of those that ended, if their parent waited."""
    seconds = 0.0
    for process in list_tree(pid):
        try:
            times = process.cpu_times()
        except psutil.Error:
            # It ended meanwhile; its parent has its time.
            continue
        seconds += times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
    return seconds


def stop_tree(pid: int) -> None:
    """Kill a process and its descendants."""
    for process in reversed(list_tree(pid)):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _memory(process: psutil.Process) -> Memory:
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
        kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
        return Memory(KIB * kib["Pss"], KIB * (kib["Pss_Anon"] + kib["Pss_Shmem"]))
    except (OSError, KeyError):
        # Not Linux, or it ended meanwhile.
        try:
            resident = process.memory_info().rss
        except psutil.Error:
            return Memory(0, 0)
        return Memory(resident, resident)
