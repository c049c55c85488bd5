"""Pictures of one unit for papers: each function draws into matplotlib axes and gives them back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..sorting.output.trace_samples import BEFORE_MS
from .colors import BLUE, GREY, RED
from .template_layout import lay_out
from .timeline import amplitude_unit, segment_starts_s, times_s
from .unit_measures import correlate, correlogram_bins_ms, shown_channels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..sorting.output.result import SortingResult

PICTURE_TYPES = (".png", ".svg", ".pdf")


def plot_template(result: SortingResult, unit: int, ax: Axes | None = None) -> Axes:
    """Draw a unit's template at its contacts, with the SD of single spikes and bars of 1 ms and µV.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        unit: number of the unit.
        ax: matplotlib axes; new ones if left out.
    """
    ax = _axes(result, unit, ax, (4.0, 5.0))
    shown = shown_channels(result, unit)
    noise = result.channels["noise_level"].to_numpy()[shown]
    positions = result.channels[["x_um", "y_um"]].to_numpy()[shown]
    rate = result.provenance["recording"]["sampling_rate"]
    times_ms = np.arange(result.templates.shape[1]) / rate * 1000 - BEFORE_MS
    waveform, spread = result.templates[unit][:, shown] * noise, result.spread[unit][:, shown] * noise
    layout = lay_out(waveform, positions, times_ms)
    bounds = zip(layout.xs(), layout.ys(waveform), layout.ys(waveform - spread), layout.ys(waveform + spread))
    for x, middle, low, high in bounds:
        ax.fill_between(x, low, high, color=BLUE, alpha=0.25, linewidth=0)
        ax.plot(x, middle, color=BLUE, linewidth=1.2)
    bar_xs, bar_ys, value = layout.scale_bars()
    ax.plot(bar_xs, bar_ys, color="black", linewidth=1.5)
    ax.annotate(f"{value:g} {amplitude_unit(result)}", (bar_xs[0], bar_ys[0]), (3, 0), textcoords="offset points")
    ax.annotate("1 ms", (bar_xs[2], bar_ys[2]), (3, -4), textcoords="offset points")
    ax.set(xlabel="x (µm)", ylabel="y (µm)", title=f"unit {unit}")
    return ax


def plot_correlogram(result: SortingResult, unit: int, ax: Axes | None = None, *, other: int | None = None) -> Axes:
    """Draw a unit's autocorrelogram, or its cross-correlogram with another: bins of 1 ms, the refractory period marked.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        unit: number of the unit.
        ax: matplotlib axes; new ones if left out.
        other: number of the other unit.
    """
    ax = _axes(result, unit, ax, (4.0, 3.0))
    chosen = [unit] if other is None else [unit, other]
    _check_unit(result, chosen[-1])
    trains = [result.events[result.events["unit"] == number] for number in chosen]
    counts = correlate(trains, result.provenance["recording"]["sampling_rate"])[0, -1]
    edges = correlogram_bins_ms()
    refractory_ms = result.label_settings.isi_threshold_ms
    ax.axvspan(-refractory_ms, refractory_ms, color=RED, alpha=0.15, linewidth=0)
    ax.stairs(counts, edges, fill=True, color=BLUE)
    title = f"unit {unit}" if other is None else f"units {unit} and {other}"
    ax.set(xlabel="lag (ms)", ylabel="spikes", title=title, xlim=(edges[0], edges[-1]), ylim=(0, None))
    return ax


def plot_amplitudes(result: SortingResult, unit: int, ax: Axes | None = None) -> Axes:
    """Draw the amplitude of each spike of a unit over time; segments follow one another.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        unit: number of the unit.
        ax: matplotlib axes; new ones if left out.
    """
    ax = _axes(result, unit, ax, (6.0, 3.0))
    is_of_unit = (result.events["unit"] == unit).to_numpy()
    starts = segment_starts_s(result)
    # As pixels also in vector files: a hundred thousand spikes would make a file that no program opens.
    style = {"markersize": 2, "color": BLUE, "alpha": 0.6, "rasterized": True}
    ax.plot(times_s(result)[is_of_unit], result.events["amplitude"].to_numpy()[is_of_unit], ".", **style)
    for start in starts[1:-1]:
        ax.axvline(start, color=GREY, linewidth=0.8, linestyle="--")
    ax.set(xlabel="time (s)", ylabel=f"amplitude ({amplitude_unit(result)})", title=f"unit {unit}")
    ax.set_xlim(0, starts[-1])
    return ax


PLOTS = {"template": plot_template, "correlogram": plot_correlogram, "amplitudes": plot_amplitudes}


def save_plot(result: SortingResult, unit: int, what: str, path: str | Path) -> Path:
    """Draw one of `PLOTS` into a PNG, SVG or PDF file.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        unit: number of the unit.
        what: "template", "correlogram" or "amplitudes".
        path: of the file; its ending says which type.

    Returns:
        `Path` of the file.
    """
    path = Path(path)
    if path.suffix.lower() not in PICTURE_TYPES:
        raise ValueError(f"Got the picture file {path}; give a name that ends in {', '.join(PICTURE_TYPES)}.")
    ax = PLOTS[what](result, unit)
    ax.figure.savefig(path, dpi=200)
    return path


def _axes(result: SortingResult, unit: int, ax: Axes | None, size: tuple[float, float]) -> Axes:
    _check_unit(result, unit)
    if ax is not None:
        return ax
    # A figure of its own leaves the user's matplotlib state alone.
    from matplotlib.figure import Figure

    ax = Figure(figsize=size, layout="constrained").subplots()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _check_unit(result: SortingResult, unit: int) -> None:
    num_units = len(result.templates)
    if not 0 <= unit < num_units:
        there = f"units 0 to {num_units - 1}" if num_units else "no units"
        raise ValueError(f"Got unit {unit}, but the result has {there}.")
