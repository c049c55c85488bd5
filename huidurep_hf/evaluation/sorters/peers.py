"""Our sorter and its peers on the same saved recording, each in its own process, with time, memory and failures."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..watched_process import OUTCOME_FILE, memory_mib, run_watched
from .sorting_process import CHANGED_SETTINGS, OUR_SORTER, SORTING_FILE, SPIKESIFT

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

PEERS = (
    "mountainsort5",
    "spykingcircus2",
    "tridesclous2",
    "lupin",
    "kilosort4",
    "herdingspikes",
    "spikesift",
    "dartsort",
)
# All that can be named, as tables order them; those with changed settings are for where the peer fails without.
SORTERS = (OUR_SORTER, *PEERS, *CHANGED_SETTINGS)

NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class SorterRun:
    """The outcome of one sorter on one recording.

    Attributes:
        sorting: SpikeInterface sorting, None if it failed.
        version: of the sorter.
        seconds: wall time of the sort, without imports; None if it failed.
        peak_memory_mib: largest memory of the process and its children together.
        error: what went wrong in one line, None if nothing.
        log_tail: the end of what a failed sorter printed.
    """

    sorting: object = None
    version: str | None = None
    seconds: float | None = None
    peak_memory_mib: float | None = None
    error: str | None = None
    log_tail: str | None = None


def is_installed(sorter: str) -> bool:
    """Whether a sorter, ours, SpikeSift or one that SpikeInterface knows, can run here.

    Raises:
        ValueError: no sorter has that name.
    """
    if sorter == OUR_SORTER:
        return True
    if sorter == SPIKESIFT:
        return importlib.util.find_spec(SPIKESIFT) is not None
    from spikeinterface.sorters import sorter_dict

    sorter, _ = CHANGED_SETTINGS.get(sorter, (sorter, {}))
    if sorter not in sorter_dict:
        raise ValueError(f"Unknown sorter {sorter!r}; use some of {list(SORTERS)} or another name of SpikeInterface's.")
    return bool(sorter_dict[sorter].is_installed())


def run_in_process(sorter: str, recording_folder: str | Path, *, model: str, timeout_s: float = 3600.0) -> SorterRun:
    """Run one sorter with its default parameters (but for `sorting_process`'s settings) and the recording's own probe.

    Args:
        sorter: `"huidurep"`, `"spikesift"` or a name of SpikeInterface's.
        recording_folder: recording saved by SpikeInterface.
        model: checkpoint of our sorter.
        timeout_s: the sorter is stopped after this time, which is a failure.

    Returns:
        [`SorterRun`]; a sorter that is not installed, fails, or takes too long gives one with an `error`.
    """
    if not is_installed(sorter):
        return SorterRun(error=NOT_INSTALLED)
    with tempfile.TemporaryDirectory(prefix=f"benchmark_{sorter}_") as folder:
        run = run_watched(
            f"{__package__}.sorting_process",
            [sorter, str(recording_folder), folder, model],
            Path(folder) / "log.txt",
            Path(folder) / OUTCOME_FILE,
            timeout_s,
            memory_mib,
        )
        outcome, peak_memory_mib = run.outcome, max(run.looks, default=0.0)
        if "error" in outcome:
            return SorterRun(error=outcome["error"], peak_memory_mib=peak_memory_mib, log_tail=run.log_tail)
        return SorterRun(
            sorting=_load_sorting(Path(folder) / SORTING_FILE),
            version=outcome["version"],
            seconds=outcome["seconds"],
            peak_memory_mib=peak_memory_mib,
        )


def _load_sorting(path: Path) -> BaseSorting:
    from spikeinterface.core import NpzSortingExtractor, NumpySorting

    # Into memory: the folder is about to go.
    return NumpySorting.from_sorting(NpzSortingExtractor(path))
