"""A report on a result: a table of units and a picture of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .unit_table import REFRACTORY_MS, tabulate_units, template_peak, unit_intervals_ms

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .result import SortingResult


TABLE_FILES = ("units.csv", "units.md")
PICTURE_FILE = "units.png"
MAX_UNITS_IN_PICTURE = 30
MAX_CHANNELS_IN_TEMPLATE = 12
MAX_INTERVAL_MS = 50.0
COLOR = "#2a5fa5"
WARNING_COLOR = "#c0392b"


def write_report(result: SortingResult, folder: Path) -> list[Path]:
    """Write `units.csv`, `units.md` and `units.png` to a folder.

    The picture has one row per unit, at most 30, those of most spikes: the template at its contacts, the inter-spike
    intervals with the refractory period marked, and the amplitude of every spike over time.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        folder: `Path` of a folder that exists.

    Returns:
        list of the paths written.
    """
    table = tabulate_units(result)
    paths = [folder / name for name in (*TABLE_FILES, PICTURE_FILE)]
    table.to_csv(paths[0], index=False)
    paths[1].write_text(_markdown(table), encoding="utf-8")
    _draw_units(result, table, paths[2])
    return paths


def _markdown(table: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(table.columns) + " |", "|" + " ---: |" * len(table.columns)]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def _draw_units(result: SortingResult, table: pd.DataFrame, path: Path) -> None:
    # A figure of its own leaves the user's matplotlib state alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = table.sort_values("num_spikes", ascending=False).head(MAX_UNITS_IN_PICTURE).sort_values("unit")
    num_rows = max(len(shown), 1)
    figure = Figure(figsize=(11, 0.8 + 1.75 * num_rows), layout="constrained")
    FigureCanvasAgg(figure)
    title = f"{len(table)} units, {int(table['num_spikes'].sum())} spikes"
    if len(shown) < len(table):
        title += f" (the {len(shown)} units of most spikes are shown)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    if len(shown) == 0:
        figure.text(0.5, 0.4, "No units were found.", ha="center")
    else:
        axes = figure.subplots(num_rows, 3, squeeze=False, width_ratios=[1.25, 1, 1.9])
        for row, (_, unit) in zip(axes, shown.iterrows()):
            events = result.events[result.events["unit"] == unit["unit"]]
            _draw_template(row[0], result, unit)
            _draw_intervals(row[1], events, result.provenance["recording"]["sampling_rate"], unit)
            _draw_amplitudes(row[2], events, result.provenance)
            for axis in row:
                axis.tick_params(labelsize=7)
                axis.spines[["top", "right"]].set_visible(False)
        axes[-1][1].set_xlabel("interval (ms)", fontsize=8)
        axes[-1][2].set_xlabel("time (s)", fontsize=8)
    figure.savefig(path, dpi=110)


def _draw_template(axis: Axes, result: SortingResult, unit: pd.Series) -> None:
    """Waveforms at the contacts around the peak, in the probe's geometry: time right, depth up."""
    template = result.templates[int(unit["unit"])]
    peak_channel, _ = template_peak(template)
    shank = result.channels["shank"].to_numpy()
    positions = result.channels[["x_um", "y_um"]].to_numpy()
    distances = np.linalg.norm(positions - positions[peak_channel], axis=1)
    distances[shank != shank[peak_channel]] = np.inf
    nearest = np.argsort(distances, kind="stable")[:MAX_CHANNELS_IN_TEMPLATE]
    nearest = nearest[np.isfinite(distances[nearest])]
    # Contacts are laid out by rank, so that irregular pitches neither overlap nor leave holes.
    column = np.unique(np.round(positions[nearest, 0]), return_inverse=True)[1]
    row = np.unique(np.round(positions[nearest, 1]), return_inverse=True)[1]
    if row.max(initial=0) > 5:
        # A long probe would be too tall for one line of the picture: draw it from left to right, bottom first.
        column, row = np.argsort(np.lexsort((column, row))), np.zeros_like(row)
    height = np.abs(template[:, nearest]).max() or 1.0
    time = np.linspace(0, 0.9, len(template))
    for channel, x, y in zip(nearest, column, row):
        width = 1.4 if channel == peak_channel else 0.8
        axis.plot(x + time, y + 0.75 * template[:, channel] / height, color=COLOR, linewidth=width)
    axis.set_title(f"unit {int(unit['unit'])}  channel {unit['channel']}", fontsize=8, loc="left")
    axis.set_axis_off()


def _draw_intervals(axis: Axes, events: pd.DataFrame, sampling_rate: float, unit: pd.Series) -> None:
    intervals = unit_intervals_ms(events, sampling_rate)
    axis.hist(intervals[intervals < MAX_INTERVAL_MS], bins=np.arange(0, MAX_INTERVAL_MS + 1, 2.0), color=COLOR)
    axis.axvline(REFRACTORY_MS, color=WARNING_COLOR, linewidth=0.8)
    axis.set_xlim(0, MAX_INTERVAL_MS)
    violations = unit["isi_violations_percent"]
    axis.set_title(f"{violations:.1f} % of intervals < {REFRACTORY_MS:g} ms", fontsize=8, loc="left")


def _draw_amplitudes(axis: Axes, events: pd.DataFrame, provenance: dict) -> None:
    recording = provenance["recording"]
    starts_s = np.concatenate([[0], np.cumsum(recording["num_samples"])]) / recording["sampling_rate"]
    times = events["sample"].to_numpy() / recording["sampling_rate"] + starts_s[events["segment"].to_numpy()]
    amplitudes = events["amplitude"].to_numpy()
    axis.plot(times, amplitudes, ".", markersize=2, color=COLOR, rasterized=True)
    for start in starts_s[1:-1]:
        axis.axvline(start, color="0.6", linewidth=0.8, linestyle="--")
    axis.set_xlim(0, max(starts_s[-1], 1e-3))
    low, high = min(amplitudes.min(initial=0), 0), max(amplitudes.max(initial=0), 0)
    axis.set_ylim(1.1 * low, 1.1 * high if high > 0 else 0)
    unit = "µV" if provenance["preparation"]["unit"] == "uV" else "raw unit"
    rate = len(events) / starts_s[-1]
    axis.set_title(f"{len(events)} spikes, {rate:.1f} Hz; amplitude ({unit})", fontsize=8, loc="left")
