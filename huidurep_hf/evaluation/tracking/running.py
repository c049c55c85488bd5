"""A method on saved sessions in a process of its own, with time, memory and failures."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..watched_process import watch
from .tracked import Tracked
from .tracking_process import OUTCOME_FILE, PAIRS_FILE, UNITS_FILE

LOG_TAIL = 2000


@dataclass(frozen=True)
class TrackingRun:
    """What became of one method on one set of sessions.

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


def run_in_process(method: str, sessions_folder: Path, sorting_name: str, *, model: str, timeout_s: float):
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
        log_path, outcome_path = folder / "log.txt", folder / OUTCOME_FILE
        arguments = [method, str(sessions_folder), sorting_name, str(folder), model]
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.tracking_process", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            peak_memory_mib, is_late = watch(process, timeout_s)
        if is_late:
            outcome = {"error": f"stopped after {timeout_s:g} s"}
        elif outcome_path.exists():
            outcome = json.loads(outcome_path.read_text())
        else:
            outcome = {"error": f"the process died with exit code {process.returncode}"}
        if "error" in outcome:
            log_tail = log_path.read_text(errors="replace")[-LOG_TAIL:]
            return TrackingRun(error=outcome["error"], peak_memory_mib=peak_memory_mib, log_tail=log_tail)
        tracked = Tracked(pd.read_parquet(folder / PAIRS_FILE), pd.read_parquet(folder / UNITS_FILE))
        return TrackingRun(tracked, outcome["seconds"], outcome["cpu_seconds"], peak_memory_mib)
