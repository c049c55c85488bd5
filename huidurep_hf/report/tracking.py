"""The page of units that were followed across sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.palettes import Viridis256

from .colors import BLUE, GREEN, GREY, ORANGE
from .page import render_page, write_page
from .style import hover, new_figure, read_asset
from .template_layout import lay_out

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.plotting import figure as Figure

    from ..sorting.output.fingerprint_table import UnitFingerprints
    from ..tracking.tracked import TrackedUnits

# Of each neuron so much is drawn, and less of one that is in one session alone: with turnover most are.
MAX_SESSIONS, MAX_CHANNELS, MAX_CHANNELS_ALONE = 12, 6, 2
SCORE_EDGES = np.linspace(-20, 20, 81)
SHORTEST_NAME = 12


def write_tracking_report(tracked: TrackedUnits, tables: list[UnitFingerprints], path: str | Path) -> Path:
    """Write the page of tracked units.

    Args:
        tracked: [`~huidurep_hf.tracking.tracked.TrackedUnits`].
        tables: fingerprints of its sessions.
        path: of the HTML file; replaced if it is there.

    Returns:
        `Path` of the file.
    """
    cells = _cells(tracked)
    roots = {"neurons": _matrix(tracked, cells)}
    templates = ColumnDataSource({name: [] for name in ("xs", "ys", "color", "session")})
    correlograms = ColumnDataSource({name: [] for name in ("xs", "ys", "color", "session")})
    data = {"templates": [], "correlograms": []}
    for _, own in tracked.table.groupby("global_unit"):
        of_templates, of_correlograms = _neuron(own, tables, tracked.session_names)
        data["templates"].append(of_templates)
        data["correlograms"].append(of_correlograms)
    if len(tracked.table):
        templates.data, correlograms.data = data["templates"][0], data["correlograms"][0]
    roots["neuron_templates"] = drawn = new_figure(
        "neuron_templates",
        "Templates of neuron 0",
        "sessions side by side (µm)",
        "y, displacement removed (µm)",
        height=420,
    )
    lines = drawn.multi_line("xs", "ys", color="color", source=templates, line_width=1.5)
    drawn.add_tools(hover(("session", "@session"), renderers=[lines], line_policy="interp"))
    drawn.grid.visible = False
    roots["neuron_correlograms"] = correlogram = new_figure(
        "neuron_correlograms", "Autocorrelogram", "lag (ms)", "share of spikes", height=420
    )
    lines = correlogram.multi_line("xs", "ys", color="color", source=correlograms, line_width=1.5)
    correlogram.add_tools(hover(("session", "@session"), renderers=[lines], line_policy="interp"))
    sources = {"templates": templates, "correlograms": correlograms}
    cells.selected.js_on_change(
        "indices",
        CustomJS(
            args={"cells": cells, "sources": sources, "data": data, "title": drawn.title},
            code=read_asset("select_neuron.js"),
        ),
    )
    roots |= {"displacements": _displacements(tracked), "scores": _scores(tracked)}
    return write_page(render_page(title="Units across sessions", roots=roots, summary=_summarise(tracked)), path)


def _summarise(tracked: TrackedUnits) -> list[str]:
    sessions = tracked.table.groupby("global_unit")["session"].nunique()
    unsure = int((tracked.table["probability"] < 0.9).sum())
    sentences = [
        f"{len(tracked.table)} units of {len(tracked.session_names)} sessions are {tracked.num_neurons} neurons.",
        f"{int((sessions > 1).sum())} neurons are in more than one session, {int((sessions == 1).sum())} in one alone.",
        f"{unsure} units have a probability below 0.9 of being the neuron that they are said to be.",
    ]
    if np.isinf(tracked.displacements["error_um"]).all():
        sentences.append("These contacts show no displacement between sessions; it is taken to be 0.")
    if tracked.unplaced_sessions:
        names = ", ".join(tracked.session_names[session] for session in tracked.unplaced_sessions)
        sentences.append(
            f"The displacement of {names} is not sure: hardly any of their units are in other sessions, or the probe"
            f" moved by more than {tracked.settings['max_displacement_um']:g} µm."
        )
    return sentences


def _color(session: int, num_sessions: int) -> str:
    return Viridis256[int(230 * session / max(num_sessions - 1, 1))]


def _cells(tracked: TrackedUnits) -> ColumnDataSource:
    table = tracked.table
    alone = table["probability"].isna()
    return ColumnDataSource(
        {
            "session": table["session"].to_numpy() + 0.5,
            "neuron": table["global_unit"].to_numpy(),
            "unit": table["unit"].astype(str).tolist(),
            "name": [tracked.session_names[session] for session in table["session"]],
            "probability": table["probability"].to_numpy(dtype="float32"),
            "color": np.where(alone, GREY, BLUE).tolist(),
            "alpha": np.where(alone, 0.35, table["probability"]).astype("float32"),
        }
    )


def _matrix(tracked: TrackedUnits, cells: ColumnDataSource) -> Figure:
    drawn = new_figure(
        "neurons",
        "Neurons over sessions (grey: in one alone)",
        "session",
        "neuron",
        height=420,
        x_range=(0, len(tracked.session_names)),
        y_range=(-1, max(tracked.num_neurons, 1)),
        tools="tap,pan,wheel_zoom,box_zoom,reset,save",
    )
    squares = drawn.rect(
        "session",
        "neuron",
        0.9,
        0.9,
        source=cells,
        fill_color="color",
        fill_alpha="alpha",
        line_color=None,
        nonselection_fill_alpha="alpha",
    )
    tips = (("neuron", "@neuron"), ("session", "@name"), ("unit", "@unit"), ("probability", "@probability{0.000}"))
    drawn.add_tools(hover(*tips, renderers=[squares]))
    _name_sessions(drawn, tracked, 0.5)
    drawn.grid.visible = False
    return drawn


def _neuron(own: pd.DataFrame, tables: list[UnitFingerprints], names: list[str]) -> tuple[dict, dict]:
    """Lines of the templates, sessions side by side, and of the autocorrelograms of one neuron."""
    rows = own.iloc[np.unique(np.linspace(0, len(own) - 1, min(MAX_SESSIONS, len(own))).round().astype(int))]
    found = {"xs": [], "ys": [], "color": [], "session": []}
    correlograms = {"xs": [], "ys": [], "color": [], "session": []}
    waveforms, places = [], []
    for row in rows.itertuples():
        table = tables[row.session]
        unit = int(np.flatnonzero(table.unit_ids.astype(str) == str(row.unit))[0])
        most = MAX_CHANNELS if len(rows) > 1 else MAX_CHANNELS_ALONE
        is_there = np.flatnonzero(table.noise_levels[unit] > 0)[:most]
        mean = np.nan_to_num(np.nanmean(table.template[unit], axis=0)) if table.num_averaged[unit].any() else 0.0
        waveform = (mean * table.noise_levels[unit])[:, is_there] if np.ndim(mean) else np.zeros((2, len(is_there)))
        waveforms.append(waveform / (np.ptp(waveform, axis=0).max(initial=0) or 1.0))
        places.append(table.positions[unit, is_there] - [0.0, row.displacement_um])
        shares = np.nan_to_num(table.correlogram[unit]).mean(axis=0)
        lags = (np.arange(len(shares)) + 0.5) * table.description["lag_ms"]
        color = _color(row.session, len(tables))
        for values, line in (("xs", lags), ("ys", shares), ("color", color), ("session", names[row.session])):
            correlograms[values].append(line.astype("float32") if isinstance(line, np.ndarray) else line)
    width = 1.3 * max(np.ptp(place[:, 0]) + 40.0 for place in places)
    for number, (row, waveform, place) in enumerate(zip(rows.itertuples(), waveforms, places)):
        table = tables[row.session]
        times = np.arange(len(waveform)) / table.description["template_rate_hz"] * 1000
        layout = lay_out(waveform, place + [number * width, 0.0], times)
        for x, y in zip(layout.xs(), layout.ys(waveform)):
            found["xs"].append(x)
            found["ys"].append(y)
            found["color"].append(_color(row.session, len(tables)))
            found["session"].append(names[row.session])
    return found, correlograms


def _displacements(tracked: TrackedUnits) -> Figure:
    moved = tracked.table.groupby("session")["displacement_um"].first()
    drawn = new_figure("displacements", "Displacement against the first session", "session", "µm", height=330)
    drawn.line(moved.index.to_numpy(), moved.to_numpy(), color=BLUE, line_width=1.5)
    drawn.scatter(moved.index.to_numpy(), moved.to_numpy(), color=BLUE, size=7)
    unsure = moved[moved.index.isin(tracked.unplaced_sessions)]
    if len(unsure):
        drawn.scatter(unsure.index.to_numpy(), unsure.to_numpy(), color=ORANGE, size=11, legend_label="not sure")
    _name_sessions(drawn, tracked, 0.0)
    return drawn


def _name_sessions(drawn: Figure, tracked: TrackedUnits, offset: float) -> None:
    """Short names of some sessions at the axis, numbers in place of long ones; a session is at its number + offset."""
    names = tracked.session_names
    drawn.xaxis.ticker = [index + offset for index in range(0, len(names), max(len(names) // 10, 1))]
    drawn.xaxis.major_label_overrides = {
        index + offset: name if len(name) <= SHORTEST_NAME else str(index) for index, name in enumerate(names)
    }


def _scores(tracked: TrackedUnits) -> Figure:
    drawn = new_figure("scores", "Scores of pairs", "log likelihood ratio", "share of pairs", height=430)
    within, pairs = tracked.within, tracked.pairs
    for scores, color, label in (
        (within.loc[within["is_same"], "score"], GREEN, "halves of one unit"),
        (within.loc[~within["is_same"], "score"], GREY, "neighbours in one session"),
        (pairs.loc[pairs["is_match"], "score"], BLUE, "partners in two sessions"),
        (pairs.loc[~pairs["is_match"], "score"], ORANGE, "other pairs of two sessions"),
    ):
        counts, _ = np.histogram(scores, SCORE_EDGES)
        shares = counts / max(counts.sum(), 1)
        middles = 0.5 * (SCORE_EDGES[1:] + SCORE_EDGES[:-1])
        drawn.step(middles, shares, mode="center", color=color, line_width=1.8, legend_label=f"{label} ({len(scores)})")
    drawn.legend.label_text_font_size = "11px"
    drawn.add_layout(drawn.legend[0], "below")
    return drawn
