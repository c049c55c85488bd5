"""The tracking benchmark as markdown tables."""

from __future__ import annotations

import numpy as np

from ..records.tables import markdown_table, mean_and_sd
from .conditions import CONDITIONS
from .methods.names import METHODS, OUR_METHOD
from .scores import NUM_CALIBRATION_BINS, calibration_error, chance_calibration_error
from .tracking_benchmark import SOURCE_TITLES, SOURCES


def tracking_table(rows: list[dict], source: str) -> str:
    """Figures of every condition and method on units of one source; mean ± SD over seeds, failures named.

    The calibration error is that of the pairs of all seeds together: a single one has too few.
    """
    header = ["condition", "method", "recall", "precision", "missed and false", "recall at 1 % false", "AUC"]
    header += ["global F1", "adjusted Rand", "calibration error", "time (s)", "CPU (s)", "memory (MiB)"]
    lines, failures = [], {}
    for (condition, method), group in _groups(rows, source).items():
        done = [row for row in group if row["error"] is None]
        for row in group:
            if row["error"] is not None:
                failures.setdefault((condition, method, row["error"]), []).append(str(row["seed"]))
        if not done:
            lines.append([condition, method, "failed", *[""] * (len(header) - 3)])
            continue
        of = {name: [row["scores"][name] for row in done] for name in done[0]["scores"]}
        cells = [mean_and_sd(of["recall"]), mean_and_sd(of["precision"]), mean_and_sd(of["num_errors"], digits=1)]
        cells += [mean_and_sd(of[name]) for name in ("recall_at_1_percent_false", "auc", "global_f1", "adjusted_rand")]
        cells.append(mean_and_sd([calibration_error(_added_bins(done))]))
        cells += [
            mean_and_sd([row[name] for row in done], digits=0) for name in ("seconds", "cpu_seconds", "peak_memory_mib")
        ]
        lines.append([condition, method, *cells])
    if not lines:
        return "No figures."
    told = [
        f"- {condition}, seed {', '.join(seeds)}, {method}: {error}"
        for (condition, method, error), seeds in failures.items()
    ]
    table = markdown_table(header, lines, num_text_columns=2)
    return table + ("\n\nFailures:\n\n" + "\n".join(told) if told else "")


def calibration_table(rows: list[dict]) -> str:
    """How far our probabilities are off, condition by condition and in all, beside what chance alone would show."""
    bins = {}
    for source in SOURCES:
        for (condition, method), group in _groups([row for row in rows if row["error"] is None], source).items():
            if method == OUR_METHOD:
                bins[condition, source] = _added_bins(group)
        of_source = [own for (_, place), own in bins.items() if place == source]
        if of_source:
            bins["all", source] = np.sum(of_source, axis=0)
    if not bins:
        return "No figures."
    header = ["condition", "units from", "pairs", "calibration error", "by chance if all were right"]
    lines = [
        [
            condition,
            SOURCE_TITLES[source],
            f"{own[:, 0].sum():,.0f}",
            mean_and_sd([calibration_error(own)]),
            mean_and_sd([chance_calibration_error(own)]),
        ]
        for (condition, source), own in bins.items()
    ]
    return markdown_table(header, lines, num_text_columns=2)


def earlier_code_list(of_earlier_code: dict[str, list[str]]) -> str:
    """Which rows of ours, and of our sorts, were made before the code changed, as a markdown list of days."""
    if not of_earlier_code:
        return "All rows are of the present code."
    days = [f"- {day}: {', '.join(names)}" for day, names in sorted(of_earlier_code.items())]
    return "Measured with earlier code (condition, seed, units from):\n\n" + "\n".join(days)


def lead_table(rows: list[dict]) -> str:
    """Missed and false matches, ours against the best peer of each condition and source.

    Means over the seeds that ours and that peer followed both; a peer that failed on one of ours is not the best.
    """
    lines = []
    for source in SOURCES:
        groups = _groups([row for row in rows if row["error"] is None], source)
        for condition in dict.fromkeys(condition for condition, _ in groups):
            errors = {
                method: {row["seed"]: row["scores"]["num_errors"] for row in group}
                for (name, method), group in groups.items()
                if name == condition
            }
            ours = errors.pop(OUR_METHOD, {})
            whole = {method: seeds for method, seeds in errors.items() if ours and ours.keys() <= seeds.keys()}
            if not whole:
                continue
            means = {method: np.mean([seeds[seed] for seed in ours]) for method, seeds in whole.items()}
            best = min(means, key=means.get)
            own = np.mean(list(ours.values()))
            cut = f"{100 * (1 - own / means[best]):.0f} %" if means[best] > 0 else "–"
            lines.append([condition, SOURCE_TITLES[source], best, f"{own:.1f}", f"{means[best]:.1f}", cut])
    header = ["condition", "units from", "best peer", "missed and false, huidurep", "missed and false, that peer"]
    return markdown_table([*header, "cut by"], lines, num_text_columns=3) if lines else "No figures."


def _added_bins(rows: list[dict]) -> np.ndarray:
    """Calibration bins of rows of one method added up; none are filled where it gives no probabilities."""
    bins = [row["scores"]["calibration_bins"] for row in rows]
    return np.sum([own for own in bins if own is not None] or [np.zeros((NUM_CALIBRATION_BINS, 3))], axis=0)


def _groups(rows: list[dict], source: str) -> dict:
    """Rows of a source by condition and method, both in the order of their lists."""
    conditions, groups = list(CONDITIONS), {}

    def place(row: dict) -> tuple[int, int, int]:
        known = conditions.index(row["condition"]) if row["condition"] in conditions else len(conditions)
        return known, METHODS.index(row["method"]), row["seed"]

    for row in sorted((row for row in rows if row["source"] == source), key=place):
        groups.setdefault((row["condition"], row["method"]), []).append(row)
    return groups
