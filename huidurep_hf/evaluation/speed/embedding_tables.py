"""Tables of the embedding's speed."""

from __future__ import annotations

import statistics

from ..records.tables import markdown_table
from .embedding_speed import ALONE_PATH, MODEL_PATH
from .embedding_work import EMBEDDING_WORK
from .row_groups import counted_rows, group_rows, median_and_range, name_machines
from .sorting_tables import NOTHING


def embedding_table(rows: list[dict]) -> str:
    """Spikes a second of each model, precision and way; share of the matrix peak of its precision in the same run."""
    lines, letters = [], name_machines(rows)
    for (machine,), turns in group_rows(counted_rows(rows, EMBEDDING_WORK), "machine").items():
        for place, rate in enumerate(turns[0]["rates"]):
            speeds = [turn["rates"][place]["spikes_per_s"] for turn in turns]
            shares = [100 * share_of_peak(turn, turn["rates"][place]) for turn in turns]
            cells = [median_and_range(speeds, 0), f"{1000 * rate['gflop_per_spike']:,.0f}", median_and_range(shares, 0)]
            names = [rate[field] for field in ("model", "dtype", "path", "way")]
            lines.append([letters[machine], *names, *cells])
    header = [
        "machine",
        "model",
        "precision",
        "from",
        "cores by",
        "spikes/s",
        "10⁶ operations a spike",
        "% of the peak",
    ]
    return markdown_table(header, lines, num_text_columns=5) if lines else NOTHING


def matrix_table(rows: list[dict]) -> str:
    """The machine's fastest matrix product in each precision."""
    lines, letters = [], name_machines(rows)
    for (machine,), turns in group_rows(counted_rows(rows, EMBEDDING_WORK), "machine").items():
        for place, entry in enumerate(turns[0]["matrix"]):
            rates = [turn["matrix"][place]["gflops_per_s"] for turn in turns]
            lines.append([letters[machine], entry["dtype"], entry["way"], median_and_range(rates, 0)])
    header = ["machine", "precision", "cores by", "10⁹ operations/s"]
    return markdown_table(header, lines, num_text_columns=3) if lines else NOTHING


def share_of_peak(turn: dict, rate: dict) -> float:
    """Operations a second of a model over those of the fastest matrix product of its precision, in one run."""
    peak = max(entry["gflops_per_s"] for entry in turn["matrix"] if entry["dtype"] == rate["dtype"])
    return rate["spikes_per_s"] * rate["gflop_per_spike"] / peak


def best_share(turns: list[dict], dtype: str) -> float:
    """Median over turns of the share of the peak that our model reaches in a precision, by its best way."""
    return statistics.median(
        max(share_of_peak(turn, rate) for rate in _rates(turn, -1, MODEL_PATH) if rate["dtype"] == dtype)
        for turn in turns
    )


def times_published(turns: list[dict]) -> float:
    """Median over turns of spikes/s of our model over those of the published one, each at its best, embedding alone.

    The published one embeds the denoised spike, so that it denoises here, too.
    """
    return statistics.median(
        max(rate["spikes_per_s"] for rate in _rates(turn, -1, ALONE_PATH))
        / max(rate["spikes_per_s"] for rate in _rates(turn, 0, ALONE_PATH))
        for turn in turns
    )


def _rates(turn: dict, place: int, path: str) -> list[dict]:
    # The published model comes first, ours last.
    name = list(turn["models"])[place]
    return [rate for rate in turn["rates"] if rate["model"] == name and rate["path"] == path]
