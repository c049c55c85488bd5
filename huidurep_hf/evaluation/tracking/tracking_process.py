"""One method on saved sessions, in a process of its own.

Run as `python -m huidurep_hf.evaluation.tracking.tracking_process`, by `running.run_in_process`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from pathlib import Path

from ..watched_process import OUTCOME_FILE
from .method_interface import Session
from .methods.names import load_method

PAIRS_FILE, UNITS_FILE = "pairs.parquet", "units.parquet"
RECORDING_FOLDER = "recording"


def load_sessions(folder: Path, sorting_name: str) -> list[Session]:
    """Sessions in the order of their folders, with the sorting of that name."""
    from spikeinterface.core import load

    days = sorted(path for path in folder.iterdir() if path.is_dir())
    return [Session(load(day / RECORDING_FOLDER), load(day / sorting_name)) for day in days]


def _cpu_seconds() -> float:
    """Of this process and its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main(arguments: list[str] | None = None) -> None:
    """Follow the units, write the tables, the seconds or the error; the exit code is 0 in both cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method")
    parser.add_argument("sessions", type=Path)
    parser.add_argument("sorting")
    parser.add_argument("folder", type=Path)
    parser.add_argument("model")
    options = parser.parse_args(arguments)

    from spikeinterface.core import set_global_job_kwargs

    set_global_job_kwargs(n_jobs=len(os.sched_getaffinity(0)), progress_bar=False)
    try:
        track = load_method(options.method)
        sessions = load_sessions(options.sessions, options.sorting)
        work = options.folder / "work"
        work.mkdir()
        started, used = time.perf_counter(), _cpu_seconds()
        tracked = track(sessions, work, options.model)
        outcome = {"seconds": time.perf_counter() - started, "cpu_seconds": _cpu_seconds() - used}
        tracked.pairs.to_parquet(options.folder / PAIRS_FILE)
        tracked.units.to_parquet(options.folder / UNITS_FILE)
    # Whatever goes wrong inside a peer is a result of the benchmark.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        lines = [line for line in str(error).strip().splitlines() if line] or [""]
        outcome = {"error": f"{type(error).__name__}: {lines[-1]}"[:300]}
    (options.folder / OUTCOME_FILE).write_text(json.dumps(outcome))


if __name__ == "__main__":
    main()
