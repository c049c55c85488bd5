"""A method on saved sessions in a process of its own, with time, memory and failures."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..watched_process import OUTCOME_FILE, memory_mib, run_watched
from .method_interface import Tracked
from .tracking_process import PAIRS_FILE, UNITS_FILE


@dataclass(frozen=True)
class TrackingRun:
    """The outcome of one method on one set of sessions.

    Attributes:
        tracked: None if it failed.
        seconds: wall time from the recordings and trains to the tables; None if it failed.
        cpu_seconds: processor time of the process and its children for that; it says more on a busy machine.
        peak_memory_mib: largest memory of the process and its children together.
        error: what went wrong in one line, None if nothing.
        log_tail: the end of what a failed method printed.
    """

    tracked: Tracked | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_memory_mib: float | None = None
    error: str | None = None
    log_tail: str | None = None


def run_in_process(
    method: str, sessions_folder: Path, sorting_name: str, *, model: str, timeout_s: float
) -> TrackingRun:
    """Run one method with its defaults.

    Args:
        method: see `methods.names.METHODS`.
        sessions_folder: a folder per session, in order, with a saved recording and sortings.
        sorting_name: which of the sortings.
        model: checkpoint of ours.
        timeout_s: it is stopped after this time, which is a failure.
    """
    with tempfile.TemporaryDirectory(prefix=f"tracking_{method}_") as name:
        folder = Path(name)
        run = run_watched(
            f"{__package__}.tracking_process",
            [method, str(sessions_folder), sorting_name, str(folder), model],
            folder / "log.txt",
            folder / OUTCOME_FILE,
            timeout_s,
            memory_mib,
        )
        outcome, peak_memory_mib = run.outcome, max(run.looks, default=0.0)
        if "error" in outcome:
            return TrackingRun(error=outcome["error"], peak_memory_mib=peak_memory_mib, log_tail=run.log_tail)
        tracked = Tracked(pd.read_parquet(folder / PAIRS_FILE), pd.read_parquet(folder / UNITS_FILE))
        return TrackingRun(tracked, outcome["seconds"], outcome["cpu_seconds"], peak_memory_mib)
