"""Time sorters on recordings, in turn, one row a run."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from ..records.run_record import ResultFile, has_key
from ..sorters.ground_truth import score_sorting
from ..sorters.sorting_process import OUR_SORTER
from .generated_recordings import SavedRecording
from .machine import load_average
from .measured_sort import measure_sort
from .speed_cases import SpeedCase

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting

logger = logging.getLogger("huidurep_hf")

# Turn 0 compiles what is compiled once on a machine; it is not counted, and sorts the beginning alone.
WARM_UP_TURN, WARM_UP_S = 0, 30.0
# Of recordings with more true spikes, some units are drawn and scored.
MAX_SCORED_SPIKES = 4_000_000
# Of each recording so much is read to see how long reading takes.
READ_S = 2.0


def time_sorters(
    case: SpeedCase,
    sorters: list[str],
    results: ResultFile,
    identity: dict,
    *,
    model: str,
    repeats: int = 3,
    warm_up: bool = True,
    folder: Path | None = None,
    timeout_s: float = 7200.0,
    progress: bool = True,
) -> None:
    """Run sorters on a recording, A B A B, each in its own process; go on where an earlier run was cut short.

    Args:
        case: the recording.
        sorters: installed ones.
        results: where rows go.
        identity: `machine`, and `model_sha256` and `sources_sha256` of ours; a row of another is not counted here.
        model: checkpoint of our sorter.
        repeats: counted runs of each sorter.
        warm_up: sort the first 30 s before, which is not counted; see `SpeedCase.is_warmed_in_process`.
        folder: where recordings and scratch files lie for the time of the run.
        timeout_s: for each sort. A sorter that fails in a counted run is not run again.
        progress: show a progress bar.
    """
    has_warm_up_turn = warm_up and not case.is_warmed_in_process
    turns = range(WARM_UP_TURN if has_warm_up_turn else 1, repeats + 1)
    keys = [_key(case, sorter, turn, identity) for turn in turns for sorter in sorters]
    missing = [key for key in keys if not results.has_row(**key)]
    # A warm-up is for runs that follow.
    counted = {key["sorter"] for key in missing if key["turn"] != WARM_UP_TURN}
    missing = [key for key in missing if key["sorter"] in counted and not _has_failed(key, results)]
    if not missing:
        return
    with tempfile.TemporaryDirectory(prefix="speed_recording_", dir=folder) as name:
        saved = case.save(Path(name))
        beginning = _save_beginning(saved, Path(name)) if warm_up else None
        warm_up_path = beginning if case.is_warmed_in_process else None
        for key in tqdm(missing, desc=f"{case.work} {case.size}", disable=not progress):
            if _has_failed(key, results):
                continue
            path = beginning if key["turn"] == WARM_UP_TURN else saved.path
            row = _run(key, saved, path, model=model, warm_up=warm_up_path, scratch_folder=folder, timeout_s=timeout_s)
            # What our earlier code took is of no use beside what it takes now.
            results.drop_rows(**{field: value for field, value in key.items() if field != "sources_sha256"})
            results.add_row(row)


def _run(key: dict, saved: SavedRecording, path: Path, **options) -> dict:
    from spikeinterface.core import load

    recording = load(path)
    duration = recording.get_total_duration()
    load_before, read_time = load_average(), _time_reading(recording)
    run = measure_sort(key["sorter"], path, **options)
    figures = run.figures
    row = {**key, "traces": saved.traces, "duration_s": duration, "num_channels": recording.get_num_channels()}
    row |= {
        "load_average": load_before,
        "read_s_per_s": read_time,
        **figures,
        "scores": None,
        "num_scored_units": None,
        "peaks_per_s": None,
    }
    if figures["error"] is not None:
        logger.warning("%s on %s: %s", key["sorter"], key["size"], figures["error"])
        return row
    row["realtime_factor"] = duration / figures["seconds"]
    if figures["num_peaks"] is not None:
        row["peaks_per_s"] = figures["num_peaks"] / duration
    if key["turn"] != WARM_UP_TURN:
        truth = _draw_units(saved.sorting, key["recording_seed"])
        is_whole = len(truth.unit_ids) == len(saved.sorting.unit_ids)
        snr = {unit: saved.unit_snr[unit] for unit in truth.unit_ids}
        _, row["scores"] = score_sorting(run.sorting, truth, snr, exhaustive=is_whole)
        row["num_scored_units"] = len(truth.unit_ids)
    return row


def _time_reading(recording: BaseRecording) -> float:
    """Seconds to read a second of traces, in one thread: each pass over them takes that much at least."""
    num_samples = min(round(READ_S * recording.get_sampling_frequency()), recording.get_num_samples(0))
    started = time.perf_counter()
    recording.get_traces(segment_index=0, start_frame=0, end_frame=num_samples)
    return (time.perf_counter() - started) * recording.get_sampling_frequency() / num_samples


def _draw_units(sorting: BaseSorting, seed: int) -> BaseSorting:
    """All true units, or as many random ones as have 4 million spikes together."""
    counts = sorting.count_num_spikes_per_unit(outputs="array")
    order = np.random.default_rng(seed).permutation(len(counts))
    kept = order[np.cumsum(counts[order]) <= MAX_SCORED_SPIKES]
    return sorting if len(kept) == len(counts) else sorting.select_units(sorting.unit_ids[np.sort(kept)])


def _save_beginning(saved: SavedRecording, folder: Path) -> Path:
    from spikeinterface.core import load

    recording = load(saved.path)
    num_samples = min(round(WARM_UP_S * recording.get_sampling_frequency()), recording.get_num_samples(0))
    recording.frame_slice(0, num_samples).save(folder=folder / "beginning", progress_bar=False, verbose=False)
    return folder / "beginning"


def _has_failed(key: dict, results: ResultFile) -> bool:
    others = {field: value for field, value in key.items() if field != "turn"}
    return any(has_key(row, others) and row["turn"] != WARM_UP_TURN and row["error"] for row in results.rows)


def _key(case: SpeedCase, sorter: str, turn: int, identity: dict) -> dict:
    ours = dict.fromkeys(("model_sha256", "sources_sha256")) if sorter != OUR_SORTER else {}
    return {
        "work": case.work,
        "size": case.size,
        "recording_seed": case.seed,
        "recording": case.description,
        "sorter": sorter,
        "turn": turn,
        # A peer's row stays true whatever our model and our code are.
        **identity,
        **ours,
    }
