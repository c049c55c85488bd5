"""Sorters against the truth, on the same traces: one row per condition, recording seed and sorter."""

import dataclasses
import logging
import tempfile
from pathlib import Path

from tqdm import tqdm

from .ground_truth import SCORES, score_sorting
from .peers import run_in_process
from .run_record import ResultFile, describe_environment, hash_weights, plain
from .sorting_process import OUR_SORTER
from .tables import markdown_table, mean_and_sd

logger = logging.getLogger("huidurep_hf")

BENCHMARK_PACKAGES = ("mountainsort5", "kilosort", "herdingspikes", "numba")


@dataclasses.dataclass(frozen=True)
class BenchmarkCase:
    """A ground-truth recording that can be made again.

    Attributes:
        name: of the condition.
        seed: of the recording.
        description: plain JSON values from which it is made; rows of another description are not reused.
        generate: function without arguments that returns a `GroundTruthRecording`.
    """

    name: str
    seed: int
    description: dict
    generate: object


def benchmark(cases, sorters, output, *, model: str, timeout_s: float = 3600.0, progress: bool = True) -> list[dict]:
    """Run sorters on cases, each in its own process; go on where an earlier run was cut short.

    A case is generated and written to disk once, and every sorter reads those same traces with their true probe and
    its default parameters.

    Args:
        cases: list of [`BenchmarkCase`].
        sorters: names, see `peers.SORTERS`.
        output: JSON file of the rows; an existing one is continued.
        model: checkpoint of our sorter.
        timeout_s: for each sorter on each recording.
        progress: show a progress bar.

    Returns:
        The rows of these cases, these sorters and this model: `condition`, `recording_seed`, `sorter`, `version`,
        `seconds`, `peak_memory_mib`, `error` (None if it worked), `scores`, the summary of
        [`~huidurep_hf.evaluation.ground_truth.score_sorting`], and `units`, for every true unit its `snr`,
        `num_spikes`, `accuracy`, `precision` and `recall`.
    """
    results = ResultFile(output, {"figures": "sorting benchmark"})
    results.add_run(describe_environment(BENCHMARK_PACKAGES))
    model_sha256 = _hash_of(model) if OUR_SORTER in sorters else None
    rows = []
    with tqdm(total=len(cases) * len(sorters), desc="benchmark", disable=not progress) as bar:
        for case in cases:
            keys = [_key(case, sorter, model_sha256) for sorter in sorters]
            missing = [key for key in keys if not results.has_row(**key)]
            bar.update(len(keys) - len(missing))
            if missing:
                for row in _run_case(case, missing, model, timeout_s):
                    results.add_row(row)
                    bar.update()
            rows += [row for row in results.rows for key in keys if _has_key(row, key)]
    return rows


def benchmark_table(rows: list[dict]) -> str:
    """Rows as markdown, a condition and sorter per line; mean ± SD over recording seeds, failures named."""
    header = ["condition", "sorter", "accuracy (SNR >= 3)", "precision", "recall", "accuracy (all)", "units >= 0.8"]
    header += ["true units", "sorted", "false", "redundant", "overmerged", "time (s)", "memory (MiB)"]
    counts = ["num_well_detected_units", "num_true_units", "num_sorted_units", "num_false_positive_units"]
    counts += ["num_redundant_units", "num_overmerged_units"]
    groups = {}
    for row in rows:
        groups.setdefault((row["condition"], row["sorter"]), []).append(row)
    lines, failures = [], []
    for (condition, sorter), group in groups.items():
        done = [row for row in group if row["error"] is None]
        failures += [
            f"{condition}, seed {row['recording_seed']}, {sorter}: {row['error']}" for row in group if row["error"]
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
    return table + ("\n\nFailures:\n\n" + "\n".join(f"- {line}" for line in failures) if failures else "")


def condition_cases(conditions, seeds) -> list[BenchmarkCase]:
    """Return the held-out conditions of these names with these recording seeds.

    Raises:
        ValueError: no condition has that name.
    """
    from ..simulation.benchmark_conditions import BENCHMARK_CONDITIONS
    from ..simulation.recordings import generate_recording

    unknown = sorted(set(conditions) - set(BENCHMARK_CONDITIONS))
    if unknown:
        raise ValueError(f"Unknown conditions {unknown}; there are {sorted(BENCHMARK_CONDITIONS)}.")
    cases = []
    for condition in conditions:
        for seed in seeds:
            parameters = dataclasses.replace(BENCHMARK_CONDITIONS[condition], seed=seed)
            cases.append(
                BenchmarkCase(condition, seed, plain(parameters), lambda chosen=parameters: generate_recording(chosen))
            )
    return cases


def example_case(name: str, duration_s: float, seed: int) -> BenchmarkCase:
    """Return the bundled example recording that `huidurep example` sorts."""
    from ..simulation.recordings import example_recording

    description = {"example": name, "duration_s": duration_s, "seed": seed}
    return BenchmarkCase(
        f"example {name}", seed, description, lambda: example_recording(name, duration_s=duration_s, seed=seed)
    )


def _run_case(case, keys, model, timeout_s):
    truth = case.generate()
    with tempfile.TemporaryDirectory(prefix="benchmark_recording_") as folder:
        recording_folder = Path(folder) / "recording"
        truth.recording.save(folder=recording_folder, format="binary", progress_bar=False, verbose=False)
        for key in keys:
            run = run_in_process(key["sorter"], recording_folder, model=model, timeout_s=timeout_s)
            scores = units = None
            if run.error is None:
                table, scores = score_sorting(run.sorting, truth.sorting, truth.unit_snr)
                units = _compact(table)
            else:
                logger.warning("%s on %s, seed %d: %s", key["sorter"], case.name, case.seed, run.error)
            rest = {name: getattr(run, name) for name in ("version", "seconds", "peak_memory_mib", "error", "log_tail")}
            yield {**key, **rest, "scores": scores, "units": units}


def _compact(units) -> list[dict]:
    return units[["snr", "num_spikes", *SCORES]].round(4).to_dict("records")


def _key(case, sorter, model_sha256) -> dict:
    return {
        "condition": case.name,
        "recording_seed": case.seed,
        "sorter": sorter,
        "recording": case.description,
        # A peer's row stays true whatever our model is.
        "model_sha256": model_sha256 if sorter == OUR_SORTER else None,
    }


def _has_key(row, key) -> bool:
    return all(row.get(name) == value for name, value in key.items())


def _hash_of(model) -> str:
    from ..model.modeling_huidurep import HuiduRepModel

    return hash_weights(HuiduRepModel.from_pretrained(model))
