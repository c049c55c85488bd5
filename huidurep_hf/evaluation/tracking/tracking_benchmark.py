"""Units followed across simulated sessions, by us and by peers: one row per condition, seed, source and method."""

from __future__ import annotations

import functools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spikeinterface.core import NumpySorting
from tqdm import tqdm

from ..records.run_record import (
    SORTING_SOURCES,
    TRACKING_SOURCES,
    ResultFile,
    describe_environment,
    has_key,
    hash_sources,
    hash_weights,
    plain,
)
from ..records.saved_recording import save_recording
from ..sorters.peers import run_in_process as sort_in_process
from ..sorters.sorting_process import OUR_SORTER
from .conditions import condition_settings
from .methods.names import OUR_METHOD, installed_version
from .running import TrackingRun, run_in_process
from .scores import name_units, score_tracking
from .tracking_process import RECORDING_FOLDER

if TYPE_CHECKING:
    from ...simulation.recordings.session_settings import SessionSettings

logger = logging.getLogger("huidurep_hf")

TRUE, SORTED = "true", "sorted"
SOURCES = (TRUE, SORTED)
"""Where the units come from: the true spike trains, or our own sort of every session."""
SOURCE_TITLES = {TRUE: "true trains", SORTED: "our sorts"}

IDENTITY = {"figures": "tracking benchmark"}
PACKAGES = ("unitmatchpy", "pydant", "numba")

FIGURES = ("seconds", "cpu_seconds", "peak_memory_mib", "error", "log_tail")


def benchmark_tracking(
    cases: Sequence[tuple[str, int, str]],
    methods: Sequence[str],
    output: str | Path,
    *,
    model: str,
    timeout_s: float = 900.0,
    progress: bool = True,
) -> list[dict]:
    """Follow the units of cases by methods, each in its own process; go on where an earlier run was cut short.

    Sessions are generated and written to disk once; every method reads the same traces and spike trains. A method
    whose package is not installed is left out.

    Args:
        cases: list of `(condition, seed, source)`, see `conditions.CONDITIONS` and `SOURCES`.
        methods: see `methods.names.METHODS`.
        output: JSON file of the rows; an existing one is continued.
        model: checkpoint of our tracker and our sorter.
        timeout_s: for each method on each case.
        progress: show a progress bar.

    Returns:
        The rows of these cases and methods: `condition`, `seed`, `source`, `method`, `settings` of the sessions,
        `version`, `seconds`, `cpu_seconds`, `peak_memory_mib`, `error` (None if it worked), `scores`, see
        `scores.score_tracking`.
    """
    versions = {method: installed_version(method) for method in methods}
    for method in (name for name, version in versions.items() if version is None):
        logger.warning("%s is not installed; it is left out.", method)
    methods = [method for method in methods if versions[method] is not None]
    results = ResultFile(output, IDENTITY)
    results.add_run(describe_environment(PACKAGES))
    keys = {case: [key_of(case, method, model) for method in methods] for case in cases}
    rows = []
    with tqdm(total=sum(map(len, keys.values())), desc="tracking", disable=not progress) as bar:
        for condition, seed in dict.fromkeys(case[:2] for case in cases):
            wanted = [key for case, of_case in keys.items() if case[:2] == (condition, seed) for key in of_case]
            missing = [key for key in wanted if not results.has_row(**key)]
            bar.update(len(wanted) - len(missing))
            if missing:
                for key, row in zip(missing, _run(missing, condition_settings(condition, seed), model, timeout_s)):
                    # What earlier code found is of no use beside what is found now.
                    results.drop_rows(**{name: value for name, value in key.items() if name != "sources_sha256"})
                    results.add_row({**row, "version": versions[key["method"]]})
                    bar.update()
            rows += [row for key in wanted for row in results.rows if has_key(row, key)]
    return rows


def rows_of_model(output: str | Path, model: str) -> tuple[list[dict], dict[str, list[str]]]:
    """Return all rows of a file that are of this model, and by day those of them that rest on earlier code.

    Those of earlier code stay until they are made again.
    """
    results = ResultFile(output, IDENTITY)
    rows, earlier = [], {}
    for row in results.rows:
        key = key_of((row["condition"], row["seed"], row["source"]), row["method"], model)
        sources = key.pop("sources_sha256")
        if has_key(row, key):
            rows.append(row)
            if row["sources_sha256"] != sources:
                day = results.content["runs"][row["run"]]["created"][:10]
                name = f"{row['condition']} {row['seed']} ({SOURCE_TITLES[row['source']]})"
                earlier.setdefault(day, {})[name] = None
    return rows, {day: list(names) for day, names in earlier.items()}


def _run(keys: list[dict], settings: SessionSettings, model: str, timeout_s: float) -> Iterator[dict]:
    """Rows of some keys of the same sessions, in their order."""
    with tempfile.TemporaryDirectory(prefix="tracking_sessions_") as name:
        folder = Path(name)
        neurons, error = {TRUE: _write_sessions(settings, folder)}, None
        for key in keys:
            source = key["source"]
            if source not in neurons and error is None:
                neurons[source], error = _sort_sessions(folder, neurons[TRUE], model, timeout_s)
            if source == SORTED and error is not None:
                run = TrackingRun(error=error)
            else:
                run = run_in_process(key["method"], folder, source, model=model, timeout_s=timeout_s)
            scores = None if run.tracked is None else score_tracking(run.tracked, neurons[source])
            if run.error is not None:
                logger.warning(
                    "%s on %s, seed %d, %s: %s", key["method"], key["condition"], key["seed"], source, run.error
                )
            figures = {name: getattr(run, name) for name in FIGURES}
            yield {**key, **figures, "scores": scores}


def _write_sessions(settings: SessionSettings, folder: Path) -> list[dict]:
    """Save recordings and true trains of all days; return the neuron of each unit, which is not saved."""
    from ...simulation.recordings.sessions import generate_sessions

    neurons = []
    for day, session in enumerate(generate_sessions(settings)):
        truth = session.truth
        place = folder / f"day{day:03d}"
        save_recording(truth.recording, place / RECORDING_FOLDER)
        # Of the trains alone.
        NumpySorting.from_sorting(truth.sorting).save(folder=place / TRUE)
        neurons.append({int(unit): int(neuron) for unit, neuron in truth.units[["unit_id", "neuron"]].to_numpy()})
    return neurons


def _sort_sessions(
    folder: Path, neurons: list[dict], model: str, timeout_s: float
) -> tuple[list[dict] | None, str | None]:
    """Sort every day; return the neuron of each sorted unit, and what went wrong."""
    from spikeinterface.core import load

    named = []
    for place, of_day in zip(sorted(folder.iterdir()), neurons):
        run = sort_in_process(OUR_SORTER, place / RECORDING_FOLDER, model=model, timeout_s=timeout_s)
        if run.error is not None:
            return None, f"sorting: {run.error}"
        run.sorting.save(folder=place / SORTED)
        named.append(name_units(run.sorting, load(place / TRUE), of_day))
    return named, None


def key_of(case: tuple[str, int, str], method: str, model: str) -> dict:
    """What a row is kept by."""
    condition, seed, source = case
    # A peer's row on true trains stays true whatever our model and our code are.
    rests_on = TRACKING_SOURCES if method == OUR_METHOD else SORTING_SOURCES if source == SORTED else ()
    return {
        "condition": condition,
        "seed": seed,
        "source": source,
        "method": method,
        "settings": plain(condition_settings(condition, seed)),
        "model_sha256": _model_hash(model) if rests_on else None,
        "sources_sha256": hash_sources(rests_on) if rests_on else None,
    }


@functools.cache
def _model_hash(model: str) -> str:
    from ...model.modeling_huidurep import HuiduRepModel

    return hash_weights(HuiduRepModel.from_pretrained(model))
