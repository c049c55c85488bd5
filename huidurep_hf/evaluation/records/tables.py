"""Figures as markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

TABLE_MARKS = ("<!-- table begin -->", "<!-- table end -->")
SUBSET_TITLES = {"all": "all units", "snr3": "units of SNR >= 3", "snr8": "units of SNR >= 8"}


def mixture_table(rows: list[dict], subset: str = "all") -> str:
    """Agreement of Gaussian mixtures with the true number of units: a method per line, a condition per column.

    Mean ± SD of the adjusted Rand index over all recording seeds and mixture seeds of a condition. The last line, where
    it was measured, is what the true units' templates would give.
    """
    table = _method_table(rows, lambda some, method: _over_seeds(some, method, subset, "mixture_ari"))
    if any(_template_oracle(row) is None for row in rows):
        return table
    return f"{table}\n| {' | '.join(['nearest true template', *_template_oracles(rows, subset)])} |"


def kmeans_table(rows: list[dict], subset: str = "all") -> str:
    """Agreement of k-means with the true number of units: mean ± SD over recording seeds and starts of a condition."""
    return _method_table(rows, lambda some, method: _over_seeds(some, method, subset, "kmeans_ari"))


def density_table(rows: list[dict], subset: str = "all") -> str:
    """Agreement of HDBSCAN, number of units unknown: mean ± SD over the recording seeds of a condition."""
    return _method_table(rows, lambda some, method: _over_recordings(some, method, subset, "density_ari"))


def neighbor_table(rows: list[dict]) -> str:
    """Accuracy of nearest neighbours, leave-one-out: mean ± SD over the recording seeds of a condition."""

    def cell(condition_rows: list[dict], method: str) -> str:
        return mean_and_sd([row["methods"][method]["neighbor_accuracy"] for row in condition_rows])

    return _method_table(rows, cell)


def denoiser_table(rows: list[dict]) -> str:
    """SNR gain in dB (and relative template error) of each denoiser by the SNR of the spike."""
    bins = {}
    for row in rows:
        for entry in row.get("denoising", []):
            bins.setdefault((entry["snr_min"], entry["snr_max"]), []).append(entry)
    if not bins:
        return "No figures."
    names = list(next(iter(bins.values()))[0]["denoisers"])
    lines = []
    # By SNR, the line of all spikes last.
    for (low, high), entries in sorted(bins.items(), key=lambda item: (item[0] == (0.0, None), item[0][0])):
        title = "all" if (low, high) == (0.0, None) else f"{low:g} and more" if high is None else f"{low:g} to {high:g}"
        cells = [title, str(sum(entry["num_spikes"] for entry in entries))]
        for name in names:
            gain = mean_and_sd([entry["denoisers"][name]["gain_db"] for entry in entries], digits=1)
            error = np.mean([entry["denoisers"][name]["template_error"] for entry in entries])
            cells.append(f"{gain} ({error:.2f})")
        lines.append(cells)
    return markdown_table(["SNR", "spikes", *names], lines)


def robustness_table(rows: list[dict]) -> str:
    """Agreement when spikes come otherwise than in training: a variant per line, model and PCA for each condition."""
    rows = [row for row in rows if "robustness" in row]
    if not rows:
        return "No figures."
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    variants = list(dict.fromkeys(variant for row in rows for variant in row["robustness"]))

    def cell(variant: str, condition: str, method: str) -> str:
        of_condition = [row["robustness"].get(variant, {}) for row in rows if row["condition"] == condition]
        return mean_and_sd([score for methods in of_condition for score in methods.get(method, [])])

    lines = []
    for variant in variants:
        for method in ("model", "PCA-32"):
            lines.append([variant, method, *(cell(variant, condition, method) for condition in conditions)])
    return markdown_table(["", "", *conditions], lines, num_text_columns=2)


def comparison_table(contents: dict[str, dict]) -> str:
    """Agreement of several models on the recordings that all their files of figures hold, a line per method.

    Mean ± SD over recordings and mixture seeds of the adjusted Rand index, by condition; then the mean over those
    recordings of the accuracy of 10 nearest neighbours, and of the denoiser's gain on spikes of SNR 4 to 8. Principal
    components (32 of them; for denoising, the low-rank filter) stand beside each model, since they see its window.

    Args:
        contents: name -> content of a file written by `scripts/evaluate.py`, in the order of the lines.
    """

    def key(row: dict) -> tuple[str, int]:
        return row["condition"], row["recording_seed"]

    common = set.intersection(*({key(row) for row in content["rows"]} for content in contents.values()))
    lines, conditions = [], []
    for name, content in contents.items():
        rows = [row for row in content["rows"] if key(row) in common]
        conditions = conditions or list(dict.fromkeys(row["condition"] for row in rows))
        methods = {"model": name, "PCA-32": f"PCA in the window of {name}"}
        for method, title in methods.items():
            scores = [
                np.concatenate(
                    [r["methods"][method]["all"]["mixture_ari"] for r in rows if r["condition"] == condition]
                )
                for condition in conditions
            ]
            neighbors = [np.mean([row["methods"][method]["neighbor_accuracy"] for row in rows])] if rows else []
            lines.append([title, *map(mean_and_sd, scores), mean_and_sd(neighbors), _mean_gain(rows, method)])
    return markdown_table(["", *conditions, "neighbours", "denoiser, dB"], lines)


def _mean_gain(rows: list[dict], method: str) -> str:
    """Mean gain on spikes of SNR 4 to 8 of the denoiser that belongs to a set of features; empty if none does."""
    denoiser = {"model": "model", "PCA-32": "PCA"}.get(method)
    entries = [
        entry for row in rows for entry in row["denoising"] if (entry["snr_min"], entry["snr_max"]) == (4.0, 8.0)
    ]
    gains = [e["denoisers"][denoiser]["gain_db"] for e in entries if denoiser in e["denoisers"]]
    return mean_and_sd([np.mean(gains)], digits=1) if gains else ""


def report(content: dict) -> str:
    """All tables of a file of figures, in markdown, each under a heading that says what it shows."""
    rows = content["rows"]
    if not rows:
        return "No figures."
    num_mixture = content["identity"]["num_mixture_seeds"]
    seeds = sorted({row["recording_seed"] for row in rows})
    parts = [
        f"Recording seeds {', '.join(map(str, seeds))}; {num_mixture} mixture seeds for each; mean ± SD over all.",
    ]
    for subset, title in SUBSET_TITLES.items():
        heading = f"ARI of a Gaussian mixture with the true number of units, {title}"
        parts.append(f"**{heading}**\n\n{mixture_table(rows, subset)}")
    heading = "ARI of k-means (the tightest of 10 starts) with the true number of units, all units"
    parts.append(f"**{heading}**\n\n{kmeans_table(rows)}")
    parts.append(f"**ARI of HDBSCAN, number of units unknown, all units**\n\n{density_table(rows)}")
    parts.append(f"**Accuracy of 10 nearest neighbours, all units**\n\n{neighbor_table(rows)}")
    if any("robustness" in row for row in rows):
        heading = "ARI of a Gaussian mixture with the true number of units when spikes come otherwise than in training"
        parts.append(f"**{heading}**\n\n{robustness_table(rows)}")
    parts.append(
        "**Denoiser: SNR gain in dB (relative template error) by the SNR of the clean spike, all conditions**\n\n"
        + denoiser_table(rows)
    )
    return "\n\n".join(parts)


def mean_and_sd(values: Iterable[float | None], digits: int = 2) -> str:
    """Return `mean ± SD`, the mean alone for one value, a dash for none."""
    values = np.asarray([value for value in values if value is not None], dtype=float)
    if len(values) == 0:
        return "–"
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std():.{digits}f}"


def markdown_table(header: list[str], lines: list[list[str]], num_text_columns: int = 1) -> str:
    """Return a markdown table; the first columns are text, the others are figures and stand to the right."""
    ruler = ["---"] * num_text_columns + ["---:"] * (len(header) - num_text_columns)
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in [header, ruler, *lines])


def put_table(table: str, path: str | Path, name: str | None = None) -> None:
    """Put a table between the marks `<!-- table begin -->` and `<!-- table end -->` of a markdown file.

    Args:
        table: markdown.
        path: of the file.
        name: of the place, where a file has several: its marks are `<!-- table NAME begin -->` and so on.

    Raises:
        ValueError: the file does not have both marks.
    """
    text = Path(path).read_text()
    begin, end = (mark if name is None else mark.replace("table", f"table {name}") for mark in TABLE_MARKS)
    before, is_begun, rest = text.partition(begin)
    _, is_ended, after = rest.partition(end)
    if not is_begun or not is_ended:
        raise ValueError(f"{path} has no place for the table; write {begin} and {end} on lines of their own.")
    Path(path).write_text(f"{before}{begin}\n{table}\n{end}{after}")


def put_tables(tables: dict[str, str], path: str | Path) -> None:
    """Put each table, by its name, between its marks in a page; raises ValueError if a mark is missing."""
    for name, table in tables.items():
        put_table(table, path, name)


def _method_table(rows: list[dict], cell: Callable[[list[dict], str], str]) -> str:
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    methods = list(rows[0]["methods"])
    lines = [
        [method, *(cell([row for row in rows if row["condition"] == condition], method) for condition in conditions)]
        for method in methods
    ]
    return markdown_table(["", *conditions], lines)


def _template_oracles(rows: list[dict], subset: str) -> list[str]:
    """The template oracle of each condition: a dash where units move, as templates at rest are no upper bound there."""
    by_condition = {}
    for row in rows:
        still = None if row["recording"].get("drift_um") else _template_oracle(row).get(subset)
        by_condition.setdefault(row["condition"], []).append(still)
    return [mean_and_sd(values) for values in by_condition.values()]


def _template_oracle(row: dict) -> dict | None:
    """Agreement of the template oracle in each subset; None where it was not measured. Early rows name it otherwise."""
    return row.get("template_oracle", row.get("ceiling"))


def _over_seeds(rows: list[dict], method: str, subset: str, score: str) -> str:
    scores = [_of(row, method, subset, score) for row in rows]
    return mean_and_sd(np.concatenate([values for values in scores if values is not None] or [[]]))


def _over_recordings(rows: list[dict], method: str, subset: str, score: str) -> str:
    return mean_and_sd([_of(row, method, subset, score) for row in rows])


def _of(row: dict, method: str, subset: str, score: str) -> list[float] | float | None:
    """A subset without units in a recording has no figures."""
    return row["methods"][method].get(subset, {}).get(score)
