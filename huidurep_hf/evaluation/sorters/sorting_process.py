"""One sorter on one saved recording, in a process of its own.

Run as `python -m huidurep_hf.evaluation.sorters.sorting_process`, by `peers.run_in_process`; a sorter that crashes,
leaks or changes global state harms nobody else.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ..watched_process import OUTCOME_FILE

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting

OUR_SORTER = "huidurep"
SORTING_FILE = "sorting.npz"
SPIKEINTERFACE_HINT = "Spike sorting failed. You can inspect"
# What the users of a peer change where it fails at its defaults: on tetrodes Kilosort4 finds no spikes to begin with
# unless the common reference and the drift correction, which so few channels do not allow, are off.
CHANGED_SETTINGS = {"kilosort4_few_channels": ("kilosort4", {"do_CAR": False, "nblocks": 0})}
# What a peer has to be told about our traces, which are wide-band and in µV: DARTsort takes traces of a floating point
# type for filtered and standardised, and would leave out its own preprocessing.
TRACE_SETTINGS = {"dartsort": {"already_preprocessed": "no"}}
# Has no SpikeInterface wrapper: `_sort_with_spikesift` is called in its place.
SPIKESIFT = "spikesift"


def sort(sorter: str, recording: BaseRecording, folder: Path, model: str) -> tuple[BaseSorting, str]:
    """Run one sorter with its default parameters, but for the settings above; return its sorting and its version."""
    if sorter == SPIKESIFT:
        return _sort_with_spikesift(recording)
    # Importing it makes ours known to SpikeInterface.
    from spikeinterface.sorters import run_sorter, sorter_dict

    import huidurep_hf  # noqa: F401

    settings = {"model": model} if sorter == OUR_SORTER else TRACE_SETTINGS.get(sorter, {})
    name, settings = CHANGED_SETTINGS.get(sorter, (sorter, settings))
    sorting = run_sorter(
        name, recording, folder=folder / "sorter", remove_existing_folder=True, verbose=False, **settings
    )
    return sorting, str(sorter_dict[name].get_sorter_version())


def _sort_with_spikesift(recording: BaseRecording) -> tuple[BaseSorting, str]:
    """Run SpikeSift on the recording's own file: it reads wide-band traces of any scale and filters them itself."""
    from spikeinterface.core import NumpySorting
    from spikesift import Recording, perform_spike_sorting

    file = recording.get_binary_description()
    traces = Recording(
        binary_file=str(file["file_paths"][0]),
        data_type=file["dtype"],
        probe_geometry=recording.get_channel_locations(),
        sampling_frequency=recording.sampling_frequency,
        header=file["file_offset"],
    )
    trains = perform_spike_sorting(traces, verbose=False).all_spikes()
    return NumpySorting.from_unit_dict(trains, recording.sampling_frequency), version(SPIKESIFT)


def main(arguments: list[str] | None = None) -> None:
    """Sort, save the sorting, and write seconds or the error; the exit code is 0 in both cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sorter")
    parser.add_argument("recording", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model")
    options = parser.parse_args(arguments)

    from spikeinterface.core import NpzSortingExtractor, NumpySorting, load, set_global_job_kwargs

    # Every sorter may use the whole machine, as ours does through torch.
    set_global_job_kwargs(n_jobs=len(os.sched_getaffinity(0)), progress_bar=False)
    recording = load(options.recording)
    started = time.perf_counter()
    try:
        sorting, sorter_version = sort(options.sorter, recording, options.folder, options.model)
        seconds = time.perf_counter() - started
        # Lazily loaded sortings refer to the sorter's own folder.
        sorting = NumpySorting.from_sorting(sorting)
        NpzSortingExtractor.write_sorting(sorting, options.folder / SORTING_FILE)
        outcome = {"seconds": seconds, "version": sorter_version}
    # Whatever goes wrong inside a peer is a result of the benchmark.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        # SpikeInterface's own last line names a file that is gone by then.
        lines = [line for line in str(error).strip().splitlines() if line and not line.startswith(SPIKEINTERFACE_HINT)]
        lines = lines or [""]
        outcome = {"error": f"{type(error).__name__}: {lines[-1]}"[:300]}
    (options.folder / OUTCOME_FILE).write_text(json.dumps(outcome))


if __name__ == "__main__":
    main()
