"""Sorters against the truth, on the same traces: one row per condition, recording seed and sorter."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..records.run_record import SORTING_SOURCES, ResultFile, describe_environment, has_key, hash_sources, hash_weights
from ..records.saved_recording import save_recording
from ..records.tables import markdown_table, mean_and_sd
from .ground_truth import SCORES, score_sorting
from .peers import NOT_INSTALLED, SORTERS, run_in_process
from .sorting_process import OUR_SORTER

if TYPE_CHECKING:
    import pandas as pd

    from .benchmark_cases import BenchmarkCase

logger = logging.getLogger("huidurep_hf")

BENCHMARK_PACKAGES = ("mountainsort5", "kilosort", "herdingspikes", "spikesift", "dartsort", "numba")


def benchmark(
    cases: Sequence[BenchmarkCase],
    sorters: Sequence[str],
    output: str | Path,
    *,
    model: str,
    timeout_s: float = 3600.0,
    progress: bool = True,
) -> list[dict]:
    """Run sorters on cases, each in its own process; go on where an earlier run was cut short.

    A case is generated and written to disk once, and every sorter reads those same traces with their true probe and
    its default parameters.

    Args:
        cases: list of [`~huidurep_hf.evaluation.sorters.benchmark_cases.BenchmarkCase`].
        sorters: names, see `peers.SORTERS`.
        output: JSON file of the rows; an existing one is continued.
        model: checkpoint of our sorter.
        timeout_s: for each sorter on each recording.
        progress: show a progress bar.

    Returns:
        The rows of these cases and these sorters, ours with this model and with its code as it is now: `condition`,
        `recording_seed`, `sorter`, `version`, `seconds`, `peak_memory_mib`, `error` (None if it worked), `scores`,
        the summary of [`~huidurep_hf.evaluation.sorters.ground_truth.score_sorting`], and `units`, for every true unit
        its `snr`, `num_spikes`, `accuracy`, `precision` and `recall`.
    """
    results = ResultFile(output, {"figures": "sorting benchmark"})
    results.add_run(describe_environment(BENCHMARK_PACKAGES))
    ours = _identify(model) if OUR_SORTER in sorters else {}
    rows = []
    with tqdm(total=len(cases) * len(sorters), desc="benchmark", disable=not progress) as bar:
        for case in cases:
            keys = [_key(case, sorter, ours) for sorter in sorters]
            missing = [key for key in keys if not results.has_row(**key)]
            bar.update(len(keys) - len(missing))
            if missing:
                for key, row in zip(missing, _run_case(case, missing, model, timeout_s)):
                    # What our earlier code found is of no use beside what it finds now.
                    results.drop_rows(**{name: value for name, value in key.items() if name != "sources_sha256"})
                    results.add_row(row)
                    bar.update()
            rows += [row for key in keys for row in results.rows if has_key(row, key)]
    return rows


def current_rows(output: str | Path, model: str) -> list[dict]:
    """Return all rows of a file that hold now: those of the peers, and ours with this model and the code as it is."""
    ours = _identify(model)
    rows = ResultFile(output, {"figures": "sorting benchmark"}).rows
    return [row for row in rows if row["sorter"] != OUR_SORTER or has_key(row, ours)]


def benchmark_table(rows: list[dict]) -> str:
    """Rows as markdown, a condition and sorter per line; mean ± SD over recording seeds, failures named.

    Conditions in the order in which they come, in each our sorter first and its peers as `peers.SORTERS` has them.
    Sorters that are not installed are named once, below the table.
    """
    absent = list(dict.fromkeys(row["sorter"] for row in rows if row["error"] == NOT_INSTALLED))
    rows = [row for row in rows if row["error"] != NOT_INSTALLED]
    header = ["condition", "sorter", "accuracy (SNR >= 3)", "precision", "recall", "accuracy (all)", "units >= 0.8"]
    header += ["true units", "sorted", "false", "redundant", "overmerged", "time (s)", "memory (MiB)"]
    counts = ["num_well_detected_units", "num_true_units", "num_sorted_units", "num_false_positive_units"]
    counts += ["num_redundant_units", "num_overmerged_units"]
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    places = {sorter: place for place, sorter in enumerate(SORTERS)}
    groups = {}
    for row in sorted(rows, key=lambda r: (conditions.index(r["condition"]), places.get(r["sorter"], len(places)))):
        groups.setdefault((row["condition"], row["sorter"]), []).append(row)
    lines, failures = [], []
    for (condition, sorter), group in groups.items():
        done = [row for row in group if row["error"] is None]
        seeds_of_error = {}
        for row in group:
            if row["error"]:
                seeds_of_error.setdefault(row["error"], []).append(str(row["recording_seed"]))
        failures += [
            f"{condition}, seed {', '.join(seeds)}, {sorter}: {error}" for error, seeds in seeds_of_error.items()
        ]
        if not done:
            lines.append([condition, sorter, "failed", *[""] * (len(header) - 3)])
            continue
        fraction = ["accuracy_snr3", "precision_snr3", "recall_snr3", "accuracy"]
        cells = [mean_and_sd([row["scores"][name] for row in done]) for name in fraction]
        cells += [mean_and_sd([row["scores"][name] for row in done], digits=1) for name in counts]
        cells += [mean_and_sd([row[name] for row in done], digits=0) for name in ("seconds", "peak_memory_mib")]
        lines.append([condition, sorter, *cells])
    table = markdown_table(header, lines, num_text_columns=2)
    partly_known = dict.fromkeys(row["condition"] for row in rows if _is_partly_known(row))
    if partly_known:
        table += f"\n\nFalse units are not counted in {', '.join(partly_known)}: "
        table += "the recording holds neurons of its own, which are not known."
    if absent:
        table += f"\n\nNot installed: {', '.join(absent)}."
    return table + ("\n\nFailures:\n\n" + "\n".join(f"- {line}" for line in failures) if failures else "")


def _is_partly_known(row: dict) -> bool:
    return row["scores"] is not None and row["scores"]["num_false_positive_units"] is None


def _run_case(case: BenchmarkCase, keys: list[dict], model: str, timeout_s: float) -> Iterator[dict]:
    truth = case.generate()
    with tempfile.TemporaryDirectory(prefix="benchmark_recording_") as folder:
        recording_folder = Path(folder) / "recording"
        save_recording(truth.recording, recording_folder)
        for key in keys:
            run = run_in_process(key["sorter"], recording_folder, model=model, timeout_s=timeout_s)
            scores = units = None
            if run.error is None:
                table, scores = score_sorting(
                    run.sorting,
                    truth.sorting,
                    truth.unit_snr,
                    exhaustive=case.is_exhaustive,
                    far_neurons=truth.far_sorting,
                )
                units = _compact(table)
            else:
                logger.warning("%s on %s, seed %d: %s", key["sorter"], case.name, case.seed, run.error)
            rest = {name: getattr(run, name) for name in ("version", "seconds", "peak_memory_mib", "error", "log_tail")}
            yield {**key, **rest, "scores": scores, "units": units}


def _compact(units: pd.DataFrame) -> list[dict]:
    return units[["snr", "num_spikes", *SCORES]].round(4).to_dict("records")


def _key(case: BenchmarkCase, sorter: str, ours: dict) -> dict:
    return {
        "condition": case.name,
        "recording_seed": case.seed,
        "sorter": sorter,
        "recording": case.description,
        # A peer's row stays true whatever our model and our code are.
        **(ours if sorter == OUR_SORTER else dict.fromkeys(("model_sha256", "sources_sha256"))),
    }


def _identify(model: str) -> dict:
    """What our rows are kept by: the model's weights and the code that sorts."""
    from ...model.modeling_huidurep import HuiduRepModel

    return {
        "model_sha256": hash_weights(HuiduRepModel.from_pretrained(model)),
        "sources_sha256": hash_sources(SORTING_SOURCES),
    }
