"""Pictures of the sorting benchmark, drawn from its rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..records.pictures import PALETTE, save_picture
from .sorting_process import OUR_SORTER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OVERVIEW_PLOT = "benchmark_overview.png"
SNR_PLOT = "benchmark_snr.png"

# Ours alone is vermilion, and markers differ, too.
OUR_STYLE = (PALETTE[0], "o")
PEER_STYLES = tuple(zip((*PALETTE[1:], "#888888"), "s^DvPX*"))
# Of sorters in a row of the legend; more than these are wider than the figure.
LEGEND_COLUMNS = 4
SNR_BINS = np.array([1.5, 3, 5, 7, 10, 15, 30])


def draw_benchmark(rows: list[dict], folder: str | Path) -> list[str]:
    """Draw the rows of sorts that worked.

    Args:
        rows: as `benchmark` returns them.
        folder: for `benchmark_overview.png` and `benchmark_snr.png`; existing ones are replaced.

    Returns:
        Names of the files; none if no sort worked.
    """
    rows = [row for row in rows if row["error"] is None]
    if not rows:
        return []
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [_draw_overview(rows, Path(folder)), _draw_snr(rows, Path(folder))]


def _styles(rows: list[dict]) -> dict:
    """Colour and marker of each sorter, ours first."""
    sorters = list(dict.fromkeys(row["sorter"] for row in rows))
    peers = iter(PEER_STYLES * (1 + len(sorters) // len(PEER_STYLES)))
    ours_first = sorted(sorters, key=lambda name: name != OUR_SORTER)
    return {name: OUR_STYLE if name == OUR_SORTER else next(peers) for name in ours_first}


def _draw_overview(rows: list[dict], folder: Path) -> str:
    """Accuracy, units found and wrong units: a condition per band, a sorter per line, a dot per recording."""
    from matplotlib.figure import Figure

    conditions, styles = list(dict.fromkeys(row["condition"] for row in rows)), _styles(rows)
    figure = Figure(figsize=(10, 1.2 + 0.16 * len(conditions) * (len(styles) + 1)), dpi=100, layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(3, 3, 2))
    quantities = {
        "mean accuracy of the true units": lambda scores: scores["accuracy"],
        "share of true units with accuracy ≥ 0.8": _found_share,
        "false and redundant units": _num_wrong,
    }
    height = 1 / (len(styles) + 1)
    for axes, (title, quantity) in zip(panels, quantities.items()):
        for place, (sorter, (color, marker)) in enumerate(styles.items()):
            is_ours = sorter == OUR_SORTER
            for band, condition in enumerate(conditions):
                y = band + (place - (len(styles) - 1) / 2) * height
                scores = [row["scores"] for row in rows if (row["condition"], row["sorter"]) == (condition, sorter)]
                values = [quantity(score) for score in scores if quantity(score) is not None]
                if not values:
                    if scores:
                        axes.text(0, y, "not counted", color="0.4", fontsize=6.5, va="center")
                    continue
                axes.plot([0, np.mean(values)], [y, y], color=color, linewidth=2.4 if is_ours else 1, zorder=2)
                size = 7 if is_ours else 4.5
                axes.plot(np.mean(values), y, marker, color=color, markersize=size, zorder=4, clip_on=False)
                if len(values) > 1:
                    axes.plot(values, [y] * len(values), ".", color=color, markersize=4, alpha=0.6, zorder=3)
            axes.plot([], [], marker + "-", color=color, label=sorter, linewidth=2.4 if is_ours else 1)
        for band in range(0, len(conditions), 2):
            axes.axhspan(band - 0.5, band + 0.5, color="0.95", zorder=0, linewidth=0)
        axes.set_title(title, fontsize=9, loc="left")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False, labelsize=9)
        axes.grid(axis="x", color="0.85", linewidth=0.6, zorder=1)
        axes.set_xlim(left=0)
    for axes in panels[:2]:
        axes.set_xlim(0, 1.03)
    panels[0].set_yticks(range(len(conditions)), [name.replace("_", " ") for name in conditions])
    panels[0].set_ylim(len(conditions) - 0.5, -0.5)
    _add_legend(figure, panels[0])
    return save_picture(figure, folder / OVERVIEW_PLOT)


def _found_share(scores: dict) -> float:
    return scores["num_well_detected_units"] / max(scores["num_true_units"], 1)


def _num_wrong(scores: dict) -> int | None:
    """False and redundant units; None where false ones are not counted."""
    if scores["num_false_positive_units"] is None:
        return None
    return scores["num_false_positive_units"] + scores["num_redundant_units"]


def _draw_snr(rows: list[dict], folder: Path) -> str:
    """Accuracy of every unit against its SNR, a panel per sorter, and all mean curves together."""
    from matplotlib.figure import Figure

    styles = _styles(rows)
    units = {
        sorter: np.array([(u["snr"], u["accuracy"]) for row in rows if row["sorter"] == sorter for u in row["units"]])
        for sorter in styles
    }
    num_columns = min(len(styles) + 1, 3)
    num_rows = -(-(len(styles) + 1) // num_columns)
    figure = Figure(figsize=(3.3 * num_columns, 0.5 + 2.5 * num_rows), dpi=100, layout="constrained")
    panels = figure.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for sorter, (color, marker) in styles.items():
        is_ours = sorter == OUR_SORTER
        panels[0].plot(
            *_mean_curve(units[sorter]),
            marker + "-",
            color=color,
            label=sorter,
            linewidth=2.4 if is_ours else 1.2,
            markersize=6 if is_ours else 4,
            zorder=5 if is_ours else 4,
            clip_on=False,
        )
    panels[0].set_title("all, mean by SNR", fontsize=9, loc="left")
    for axes, (sorter, (color, marker)) in zip(panels[1:], styles.items()):
        axes.plot(*units[sorter].T, ".", color=color, markersize=6, alpha=0.5, markeredgewidth=0)
        axes.plot(*_mean_curve(units[sorter]), marker + "-", color=color, markersize=5, clip_on=False)
        axes.set_title(f"{sorter}, each unit", fontsize=9, loc="left")
    for axes in panels[len(styles) + 1 :]:
        axes.set_visible(False)
    for place, axes in enumerate(panels):
        # Below the last panel of a column there may be an empty place.
        axes.tick_params(labelsize=8, labelbottom=place + num_columns > len(styles))
        axes.set_xscale("log")
        axes.set_xticks(SNR_BINS, [f"{snr:g}" for snr in SNR_BINS])
        axes.minorticks_off()
        axes.set_ylim(-0.03, 1.03)
        axes.grid(color="0.88", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("SNR of the unit", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    _add_legend(figure, panels[0])
    return save_picture(figure, folder / SNR_PLOT)


def _mean_curve(units: np.ndarray) -> tuple[list, list]:
    """Geometric middle and mean accuracy of each bin of SNR that holds units."""
    middles, means = [], []
    for low, high in zip(SNR_BINS[:-1], SNR_BINS[1:]):
        inside = (units[:, 0] >= low) & (units[:, 0] < high)
        if inside.any():
            middles.append(float(np.sqrt(low * high)))
            means.append(float(units[inside, 1].mean()))
    return middles, means


def _add_legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    columns = min(len(labels), LEGEND_COLUMNS)
    figure.legend(handles, labels, frameon=False, ncols=columns, loc="outside upper center")
