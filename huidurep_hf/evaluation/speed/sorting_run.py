"""One timed sort in a process of its own: wall and processor seconds from loading the model to the saved result.

Run as `python -m huidurep_hf.evaluation.speed.sorting_run` by `measured_sort.measure_sort`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ...workers import num_available_cores
from ..sorters.sorting_process import OUR_SORTER, SORTING_FILE, sort
from ..watched_process import OUTCOME_FILE
from .process_tree import cpu_seconds_of_tree, memory_of_tree

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

RESULT_FOLDER = "result"
# Imported before the clock starts, as their time is not the sorter's.
IMPORTED_BEFORE = (
    "hdbscan",
    "matplotlib.figure",
    "numba",
    "sklearn.mixture",
    "spikeinterface.postprocessing",
    "spikeinterface.preprocessing",
    "spikeinterface.sorters",
    "spikeinterface.sortingcomponents.matching",
    "torch",
    "transformers",
    "huidurep_hf.sorting.sorter",
)


def main(arguments: list[str] | None = None) -> None:
    """Sort, save the sorting, and write what was measured or the error; the exit code is 0 in both cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sorter")
    parser.add_argument("recording", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model")
    parser.add_argument("warm_up", type=Path, nargs="?", help="sorted before the clock starts")
    options = parser.parse_args(arguments)

    from spikeinterface.core import NpzSortingExtractor, NumpySorting, load, set_global_job_kwargs

    set_global_job_kwargs(n_jobs=num_available_cores(), progress_bar=False)
    for module in (*IMPORTED_BEFORE, options.sorter):
        if importlib.util.find_spec(module.partition(".")[0]) is not None:
            importlib.import_module(module)
    recording = load(options.recording)
    run = _sort_with_ours if options.sorter == OUR_SORTER else _sort_with_peer
    if options.warm_up is not None:
        _warm_up(run, options)
    start_memory = memory_of_tree(os.getpid()).own
    started, cpu_before = time.monotonic(), cpu_seconds_of_tree(os.getpid())
    try:
        sorting, outcome = run(options.sorter, recording, options.folder, options.model)
        ended = time.monotonic()
        outcome = {
            "seconds": ended - started,
            "cpu_seconds": cpu_seconds_of_tree(os.getpid()) - cpu_before,
            "started": started,
            "ended": ended,
            "start_memory_mib": start_memory / 2**20,
            **outcome,
        }
        sorting = NumpySorting.from_sorting(sorting)
        outcome["num_spikes"] = len(sorting.to_spike_vector())
        NpzSortingExtractor.write_sorting(sorting, options.folder / SORTING_FILE)
    # Whatever goes wrong inside a peer is a result.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        outcome = {"error": f"{type(error).__name__}: {lines[-1]}"[:300], "started": started}
    (options.folder / OUTCOME_FILE).write_text(json.dumps(outcome))


def _warm_up(run: Callable[[str, BaseRecording, Path, str], tuple[object, dict]], options: argparse.Namespace) -> None:
    """Sort another recording, so that all is compiled; what it says of itself, or fails at, is nobody's matter."""
    from spikeinterface.core import load

    with tempfile.TemporaryDirectory(prefix="warm_up_") as folder, contextlib.suppress(Exception):
        run(options.sorter, load(options.warm_up), Path(folder), options.model)


def _sort_with_ours(sorter: str, recording: BaseRecording, folder: Path, model: str) -> tuple[object, dict]:
    """The sorting; seconds by stage, number of detected peaks, memory of the GPU (MiB) where one is used."""
    import torch

    from ...sorting.sorter import SpikeSorter

    result = SpikeSorter.from_pretrained(model).sort(
        recording, output_folder=folder / RESULT_FOLDER, scratch_folder=folder
    )
    return result.sorting, {
        "version": version("huidurep-hf"),
        "stages": result.provenance["seconds"],
        "num_peaks": int(result.events["detected"].sum()),
        "gpu_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None,
    }


def _sort_with_peer(sorter: str, recording: BaseRecording, folder: Path, model: str) -> tuple[object, dict]:
    sorting, sorter_version = sort(sorter, recording, folder, model)
    return sorting, {"version": sorter_version}


if __name__ == "__main__":
    main()
