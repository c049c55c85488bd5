"""A module of ours in a process of its own: what it says, its time limit, and a look at it now and then."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from .speed.process_tree import memory_of_tree, stop_tree

OUTCOME_FILE = "outcome.json"
LOG_TAIL = 2000
PERIOD_S = 0.5
MIB = 2**20

Seen = TypeVar("Seen")


class WatchedRun(NamedTuple):
    """The outcome of a process.

    Attributes:
        outcome: what it wrote to `OUTCOME_FILE`; `error` alone, in one line, if it was stopped or died before.
        log_tail: the end of what it printed, None if nothing went wrong.
        looks: what the looks at it have seen, in order.
    """

    outcome: dict
    log_tail: str | None
    looks: list


def run_watched(
    module: str, arguments: list[str], log_path: Path, outcome_path: Path, timeout_s: float, look: Callable[[int], Seen]
) -> WatchedRun:
    """Run a module with this Python and wait for it.

    Args:
        module: its full name.
        arguments: of its command line.
        log_path: where to write what it prints.
        outcome_path: where it writes its outcome, JSON.
        timeout_s: it is killed with its children after this time, which is an error.
        look: called with its process id twice a second.
    """
    with log_path.open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=log, stderr=subprocess.STDOUT)
        looks, is_late = _watch(process, timeout_s, look)
    if is_late:
        outcome = {"error": f"stopped after {timeout_s:g} s"}
    elif outcome_path.exists():
        outcome = json.loads(outcome_path.read_text())
    else:
        outcome = {"error": f"the process died with exit code {process.returncode}"}
    log_tail = log_path.read_text(errors="replace")[-LOG_TAIL:] if "error" in outcome else None
    return WatchedRun(outcome, log_tail, looks)


def memory_mib(process_id: int) -> float:
    """Memory of a process and its children, what they share counted once."""
    return memory_of_tree(process_id).total / MIB


def _watch(process: subprocess.Popen, timeout_s: float, look: Callable[[int], Seen]) -> tuple[list[Seen], bool]:
    """What the looks have seen, and whether the process had to be stopped."""
    started, looks = time.monotonic(), []
    while True:
        try:
            left = timeout_s - (time.monotonic() - started)
            process.wait(min(PERIOD_S, max(left, 0)))
            return looks, False
        except subprocess.TimeoutExpired:
            looks.append(look(process.pid))
        if time.monotonic() - started > timeout_s:
            stop_tree(process.pid)
            process.wait()
            return looks, True
