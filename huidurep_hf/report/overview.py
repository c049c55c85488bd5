"""The figures and the table of all units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    DataTable,
    InlineStyleSheet,
    NumberFormatter,
    Span,
    StringFormatter,
    TableColumn,
    TextInput,
)

from .colors import BLUE, GREY, LABEL_COLORS, RED
from .style import density_mapper, hover, new_figure, read_asset, unit_color
from .summary import LABEL_NAMES
from .timeline import amplitude_unit, segment_starts_s, times_s
from .unit_measures import density

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.plotting import figure as Figure

    from ..sorting.output.result import SortingResult
    from .unit_measures import UnitMeasures

MAX_POINTS = 10_000
DRIFT_BINS = (400, 150)
MIN_MARK, MAX_MARK = 7.0, 20.0


def unit_source(result: SortingResult, measures: Sequence[UnitMeasures]) -> ColumnDataSource:
    """The table of units, whose selection the whole page follows."""
    units = result.units
    data = {name: units[name].tolist() for name in units.columns}
    data["label"] = [LABEL_NAMES[label] for label in units["label"]]
    data["missed_percent"] = [round(100 * measured.missed, 1) for measured in measures]
    data["nearest"] = [measured.nearest[0] if measured.nearest else -1 for measured in measures]
    data["color"] = [LABEL_COLORS[label] for label in units["label"]]
    data["mark"] = _mark_sizes(units)
    source = ColumnDataSource(data, name="units")
    if len(units):
        source.selected.indices = [0]
    return source


def unit_table(source: ColumnDataSource) -> tuple[DataTable, TextInput]:
    """Sortable table of units, and the field by which it is searched.

    Args:
        source: of [`unit_source`].
    """
    whole, tenth, hundredth = (NumberFormatter(format=form) for form in ("0,0", "0.0", "0.00"))
    columns = (
        ("unit", "unit", whole, 45),
        ("label", "label", StringFormatter(), 75),
        ("channel", "channel", StringFormatter(), 75),
        ("num_spikes", "spikes", whole, 70),
        ("rate_hz", "rate (Hz)", hundredth, 70),
        ("amplitude", "amplitude", tenth, 75),
        ("snr", "SNR", tenth, 50),
        ("contamination", "contamination", hundredth, 95),
        ("isi_violations_percent", "ISI violations (%)", hundredth, 95),
        ("missed_percent", "missed (%)", tenth, 75),
        ("presence", "presence", hundredth, 70),
        ("mean_probability", "probability", hundredth, 80),
        ("nearest", "most similar", whole, 85),
        ("y_um", "y (µm)", whole, 60),
    )
    table = DataTable(
        source=source,
        columns=[
            TableColumn(field=name, title=title, formatter=formatter, width=width)
            for name, title, formatter, width in columns
        ],
        name="table",
        height=330,
        sizing_mode="stretch_width",
        autosize_mode="none",
        reorderable=False,
        index_position=None,
        stylesheets=[InlineStyleSheet(css=read_asset("table.css"))],
    )
    search = TextInput(name="search", placeholder="search: a number, a channel, good, multi-unit, noise", width=320)
    search.stylesheets = [InlineStyleSheet(css=read_asset("search.css"))]
    return table, search


def probe_map(result: SortingResult, source: ColumnDataSource) -> Figure:
    """The contacts, and each unit where it is."""
    drawn = new_figure(
        "probe", "Units on the probe", "x (µm)", "y (µm)", height=420, tools="pan,wheel_zoom,reset,save,tap"
    )
    drawn.scatter(
        result.channels["x_um"],
        result.channels["y_um"],
        marker="square",
        size=6,
        color=GREY,
        fill_alpha=0.25,
        level="underlay",
    )
    units = drawn.scatter(
        "x_um",
        "y_um",
        source=source,
        size="mark",
        color="color",
        alpha=0.6,
        selection_line_color=RED,
        selection_line_width=3,
        nonselection_alpha=0.5,
    )
    drawn.add_tools(hover(("unit", "@unit (@label)"), ("spikes", "@num_spikes"), ("SNR", "@snr"), renderers=[units]))
    width = np.ptp(result.channels["x_um"]) if len(result.channels) else 0.0
    if len(result.channels):
        middle = (result.channels["x_um"].min() + result.channels["x_um"].max()) / 2
        # A probe of one column would else be drawn as wide as it is long.
        half = max(0.75 * width, 40.0)
        drawn.x_range.start, drawn.x_range.end = middle - half, middle + half
    return drawn


def drift_map(result: SortingResult) -> Figure:
    """Depth of all events against time, as a density."""
    starts = segment_starts_s(result)
    title = "Depth over time" + (", motion taken off" if result.motion is not None else "")
    counts = density(times_s(result), result.events["y_um"].to_numpy(), starts[-1], DRIFT_BINS)
    y_range = (counts.low, counts.high)
    drawn = new_figure("drift", title, "time (s)", "y (µm)", height=420, x_range=(0, starts[-1]), y_range=y_range)
    drawn.image([counts.counts], 0, counts.low, starts[-1], counts.high - counts.low, color_mapper=density_mapper())
    _mark_segments(drawn, starts)
    return drawn


def motion_over_time(result: SortingResult) -> Figure:
    """The motion that was followed: a line for each depth at which it was estimated."""
    starts = segment_starts_s(result)
    drawn = new_figure("motion", "Motion that was followed", "time (s)", "motion (µm)", x_range=(0, starts[-1]))
    depths = result.motion.spatial_bins_um
    for start, times, displacement in zip(starts, result.motion.temporal_bins_s, result.motion.displacement):
        for column in np.unique(np.linspace(0, len(depths) - 1, min(len(depths), 10)).astype(int)):
            drawn.line(start + times, displacement[:, column], color=BLUE, alpha=0.8)
    return drawn


def noise_over_time(result: SortingResult) -> Figure:
    """Noise of the channels over time: their median, and the range of the middle 80 %."""
    starts = segment_starts_s(result)
    drawn = new_figure(
        "noise",
        "Noise, median of channels",
        "time (s)",
        f"SD ({amplitude_unit(result)})",
        x_range=(0, starts[-1]),
    )
    noise = result.noise
    levels = noise.drop(columns=["segment", "time_s"]).to_numpy()
    if levels.size:
        times = noise["time_s"] + starts[noise["segment"].astype(int)]
        low, middle, high = np.percentile(levels, [10, 50, 90], axis=1)
        drawn.varea(times, low, high, color=BLUE, alpha=0.25)
        drawn.line(times, middle, color=BLUE, line_width=2)
        drawn.y_range.start = 0
    _mark_segments(drawn, starts)
    return drawn


def embedding_points(result: SortingResult, seed: int = 0) -> dict[str, list | np.ndarray]:
    """At most 10,000 embedded events in the plane of their first two principal components, with their unit."""
    from sklearn.decomposition import PCA

    units = result.events["unit"].to_numpy()[result.events["embedded"].to_numpy()]
    if len(units) < 2:
        return {"x": [], "y": [], "unit": [], "color": []}
    chosen = np.random.default_rng(seed).permutation(len(units))[:MAX_POINTS]
    places = PCA(2, random_state=seed).fit_transform(result.embeddings[chosen]).astype("float32")
    return {
        "x": places[:, 0],
        "y": places[:, 1],
        "unit": units[chosen].astype("int32"),
        "color": [unit_color(unit) for unit in units[chosen]],
    }


def embedding_map(points: dict) -> tuple[Figure, ColumnDataSource, ColumnDataSource]:
    """The embedding of single spikes, coloured by unit, its source, and that of the selected unit.

    Args:
        points: of [`embedding_points`].
    """
    drawn = new_figure(
        "embedding",
        "Embedding of single spikes (PCA)",
        "PC 1",
        "PC 2",
        height=420,
        tools="pan,wheel_zoom,box_zoom,reset,save,tap",
    )
    source = ColumnDataSource(points, name="points")
    dots = drawn.scatter(
        "x", "y", source=source, size=3, color="color", alpha=0.5, line_color=None, nonselection_alpha=0.5
    )
    drawn.add_tools(hover(("unit", "@unit"), renderers=[dots], point_policy="snap_to_data"))
    is_first = np.asarray(points["unit"]) == 0
    of_unit = ColumnDataSource({axis: np.asarray(points[axis])[is_first] for axis in ("x", "y")})
    drawn.scatter("x", "y", source=of_unit, size=5, color=RED, fill_alpha=0.7, line_color=None)
    return drawn, source, of_unit


def _mark_sizes(units: pd.DataFrame) -> list[float]:
    if len(units) == 0:
        return []
    logs = np.log10(np.maximum(units["num_spikes"], 1))
    share = (logs - logs.min()) / (np.ptp(logs) or 1.0)
    return (MIN_MARK + (MAX_MARK - MIN_MARK) * share).tolist()


def _mark_segments(drawn: Figure, starts: np.ndarray) -> None:
    for start in starts[1:-1]:
        drawn.add_layout(Span(location=start, dimension="height", line_color=GREY, line_dash="dashed"))
