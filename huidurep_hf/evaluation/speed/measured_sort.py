"""Start a sort in a process of its own and watch it: memory of the process tree, disk used, time limit."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..sorters.sorting_process import SORTING_FILE
from ..watched_process import MIB, OUTCOME_FILE, run_watched
from .process_tree import memory_of_tree

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

CURVE_POINTS = 40
# What the sort's own process says.
KNOWN_BY_SORT = (
    "seconds",
    "cpu_seconds",
    "version",
    "stages",
    "num_peaks",
    "num_spikes",
    "start_memory_mib",
    "gpu_memory_mib",
    "error",
)


class Sample(NamedTuple):
    """What a sort held at one moment: monotonic time, s; memory with and without mapped files, disk, MiB."""

    time: float
    memory_mib: float
    own_memory_mib: float
    disk_mib: float


@dataclass(frozen=True)
class MeasuredSort:
    """A sort and what it took.

    Attributes:
        sorting: SpikeInterface sorting; None if it failed.
        figures: `seconds` (wall), `cpu_seconds`, `version`, `stages` (stage -> s, of ours), `num_peaks`,
            `num_spikes`, `peak_memory_mib`, `peak_own_memory_mib` (without mapped files), `start_memory_mib` (own,
            before the sort), `peak_disk_mib`, `curve` (s, own memory MiB, disk MiB), `gpu_memory_mib`, `error`,
            `log_tail`; None where it is not known.
    """

    sorting: object
    figures: dict


def measure_sort(
    sorter: str,
    recording: Path,
    *,
    model: str,
    warm_up: Path | None = None,
    scratch_folder: Path | None = None,
    timeout_s: float = 7200.0,
) -> MeasuredSort:
    """Sort a recording once.

    Args:
        sorter: `"huidurep"`, `"spikesift"` or a name of SpikeInterface's.
        recording: saved by SpikeInterface: a folder, or a pickle of a lazy recording.
        model: checkpoint of our sorter.
        warm_up: recording that is sorted before the clock starts, in the same process.
        scratch_folder: where the sorter may write for the time of the run.
        timeout_s: the sort is stopped after this time, which is a failure.
    """
    with tempfile.TemporaryDirectory(prefix=f"speed_{sorter}_", dir=scratch_folder) as name:
        folder = Path(name)
        work = folder / "work"
        work.mkdir()
        arguments = [sorter, str(recording), str(work), model, *([] if warm_up is None else [str(warm_up)])]
        run = run_watched(
            f"{__package__}.sorting_run",
            arguments,
            folder / "log.txt",
            work / OUTCOME_FILE,
            timeout_s,
            lambda process_id: _look(process_id, work),
        )
        outcome = run.outcome
        sorting = None if "error" in outcome else _load_sorting(work / SORTING_FILE)
    started, ended = outcome.pop("started", 0.0), outcome.pop("ended", float("inf"))
    empty = dict.fromkeys(KNOWN_BY_SORT)
    figures = {**empty, **outcome, **_summarise(run.looks, started, ended), "log_tail": run.log_tail}
    return MeasuredSort(sorting, figures)


def _look(process_id: int, folder: Path) -> Sample:
    memory = memory_of_tree(process_id)
    return Sample(time.monotonic(), memory.total / MIB, memory.own / MIB, _disk_of(folder) / MIB)


def _disk_of(folder: Path) -> int:
    """Bytes on disk of all files under a folder, which may come and go."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += 512 * os.stat(os.path.join(parent, name)).st_blocks
            except OSError:
                continue
    return total


def _summarise(samples: list[Sample], started: float, ended: float) -> dict:
    during = [sample for sample in samples if started <= sample.time <= ended] or samples
    peaks = [max((sample[field] for sample in during), default=None) for field in (1, 2, 3)]
    chosen = during[:: max(len(during) // CURVE_POINTS, 1)]
    return {
        "peak_memory_mib": peaks[0],
        "peak_own_memory_mib": peaks[1],
        "peak_disk_mib": peaks[2],
        "curve": [[round(s.time - started, 1), round(s.own_memory_mib), round(s.disk_mib)] for s in chosen],
    }


def _load_sorting(path: Path) -> BaseSorting:
    from spikeinterface.core import NpzSortingExtractor, NumpySorting

    # Into memory: the folder is about to go.
    return NumpySorting.from_sorting(NpzSortingExtractor(path))
