"""How far our sorter is ahead of the best of its peers, or behind it, by condition."""

from __future__ import annotations

import numpy as np

from ..records.tables import markdown_table
from .sorting_process import OUR_SORTER


def lead_table(rows: list[dict]) -> str:
    """Compare our sorter with the most accurate peer of each condition, and with the peer that finds most units.

    Args:
        rows: as [`~huidurep_hf.evaluation.sorters.benchmark.benchmark`] returns them. Means over the recordings that
            every sorter of a condition has sorted.

    Returns:
        Markdown table, a line per condition with rows of ours and of a peer; "cut" is the share of the best peer's
        missing accuracy (1 - accuracy of the units of SNR >= 3) that ours does not miss, negative where it misses more.
    """
    rows = [row for row in rows if row["error"] is None]
    lines = []
    for condition in dict.fromkeys(row["condition"] for row in rows):
        means = _means([row for row in rows if row["condition"] == condition])
        ours = means.pop(OUR_SORTER, None)
        if ours is None or not means:
            continue
        best = max(means, key=lambda sorter: means[sorter]["accuracy"])
        missing = 1 - means[best]["accuracy"]
        cut = f"{100 * (ours['accuracy'] - means[best]['accuracy']) / missing:.0f} %" if missing > 0 else "–"
        most_found = max(mean["found"] for mean in means.values())
        wrong = [_count(ours["wrong"]), _count(means[best]["wrong"])]
        lines.append(
            [condition, best, f"{ours['accuracy']:.3f}", f"{means[best]['accuracy']:.3f}", cut]
            + [_count(ours["found"]), _count(most_found), *wrong]
        )
    header = ["condition", "most accurate peer", "accuracy, huidurep", "accuracy, that peer", "missing accuracy cut by"]
    header += ["units >= 0.8, huidurep", "units >= 0.8, most of any peer"]
    header += ["false and redundant, huidurep", "false and redundant, that peer"]
    return markdown_table(header, lines, num_text_columns=2)


def _means(rows: list[dict]) -> dict:
    """Mean figures of each sorter over the recordings that all of them have sorted."""
    sorters = dict.fromkeys(row["sorter"] for row in rows)
    seeds = [{row["recording_seed"] for row in rows if row["sorter"] == sorter} for sorter in sorters]
    common = set.intersection(*seeds) if seeds else set()
    means = {}
    for sorter in sorters:
        scores = [row["scores"] for row in rows if row["sorter"] == sorter and row["recording_seed"] in common]
        if scores:
            wrong = [score["num_false_positive_units"] for score in scores]
            redundant = [score["num_redundant_units"] for score in scores]
            means[sorter] = {
                "accuracy": np.mean([score["accuracy_snr3"] for score in scores]),
                "found": np.mean([score["num_well_detected_units"] for score in scores]),
                "wrong": None if None in wrong else np.mean(wrong) + np.mean(redundant),
            }
    return means


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}".removesuffix(".0")
