"""Pictures of the tracking benchmark, drawn from its rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..records.pictures import save_picture
from ..sorters.benchmark_plots import OUR_STYLE, PEER_STYLES
from .methods.names import METHODS, OUR_METHOD
from .scores import NUM_CALIBRATION_BINS
from .tracking_benchmark import SORTED, TRUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = "tracking.png"
# What a method that failed on a condition is drawn at.
FAILED = 0.0


def draw_tracking(rows: list[dict], folder: str | Path) -> str | None:
    """Draw global F1 by condition, from true trains and from our sorts, and the calibration of probabilities.

    Args:
        rows: as `benchmark_tracking` returns them.
        folder: for `tracking.png`; an existing one is replaced.

    Returns:
        Name of the file; None if nothing worked.
    """
    if not any(row["error"] is None for row in rows):
        return None
    from matplotlib.figure import Figure

    peers = iter(PEER_STYLES)
    styles = {method: OUR_STYLE if method == OUR_METHOD else next(peers) for method in METHODS}
    styles = {method: style for method, style in styles.items() if any(row["method"] == method for row in rows)}
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    figure = Figure(figsize=(11, 1.6 + 0.42 * len(conditions)), dpi=100, layout="constrained")
    from_true, from_sorts, calibration = figure.subplots(1, 3, width_ratios=(3, 3, 2))
    for axes, source, title in ((from_true, TRUE, "true trains"), (from_sorts, SORTED, "our sorts")):
        _draw_source(axes, [row for row in rows if row["source"] == source], conditions, styles)
        axes.set_title(f"global numbers, F1, {title}", fontsize=9, loc="left")
    from_sorts.set_yticklabels([])
    _draw_calibration(calibration, rows, styles)
    handles, labels = from_true.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=len(labels), loc="outside upper center")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return save_picture(figure, Path(folder) / PLOT)


def _draw_source(axes: Axes, rows: list[dict], conditions: list[str], styles: dict[str, tuple[str, str]]) -> None:
    """A condition per band, a method per marker: mean over seeds, and each seed as a dot."""
    for band in range(0, len(conditions), 2):
        axes.axhspan(band - 0.5, band + 0.5, color="0.95", zorder=0, linewidth=0)
    for place, (method, (color, marker)) in enumerate(styles.items()):
        axes.plot([], [], marker, color=color, label=method)
        for band, condition in enumerate(conditions):
            group = [row for row in rows if (row["method"], row["condition"]) == (method, condition)]
            if not group:
                continue
            y = band + (place - (len(styles) - 1) / 2) / (len(styles) + 1)
            values = [FAILED if row["error"] else row["scores"]["global_f1"] or FAILED for row in group]
            axes.plot(values, [y] * len(values), ".", color=color, markersize=4, alpha=0.6)
            axes.plot(np.mean(values), y, marker, color=color, markersize=6, clip_on=False)
    axes.set_yticks(range(len(conditions)), [name.replace("_", " ") for name in conditions], fontsize=8)
    axes.set(xlim=(-0.02, 1.03), ylim=(len(conditions) - 0.5, -0.5))
    axes.grid(axis="x", color="0.85", linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False, labelsize=8)


def _draw_calibration(axes: Axes, rows: list[dict], styles: dict[str, tuple[str, str]]) -> None:
    """Share of pairs that are one neuron over the probability that a method gives, all conditions together."""
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    for method, (color, marker) in styles.items():
        done = [row["scores"] for row in rows if row["method"] == method and row["error"] is None]
        bins = [scores["calibration_bins"] for scores in done if scores["calibration_bins"] is not None]
        if not bins:
            continue
        counts, probabilities, true = np.sum(bins, axis=0).reshape(NUM_CALIBRATION_BINS, 3).T
        filled = counts > 0
        axes.plot(probabilities[filled] / counts[filled], true[filled] / counts[filled], marker + "-", color=color)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability of one neuron", ylabel="share that is one neuron")
    axes.set_title("calibration, pairs of both", fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
