"""The figures of one unit, and what each of them shows for each unit: a selection exchanges their data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, Div, Legend, Span

from ..sorting.output.trace_samples import BEFORE_MS
from .colors import BLUE, GREY, ORANGE, RED
from .style import density_mapper, hover, new_figure
from .summary import LABEL_NAMES, why_label
from .template_layout import lay_out
from .timeline import amplitude_unit, segment_starts_s
from .unit_measures import (
    INTERVAL_EDGES_MS,
    NUM_NEAREST,
    NUM_RATE_BINS,
    PROBABILITY_EDGES,
    UnitMeasures,
    correlogram_bins_ms,
)

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult

MAX_INTERVAL_SHOWN_MS = 50
MAX_DRAWN_RATE_HZ = 20_000
MAX_CONTRAST_CHANNELS = 6


@dataclass
class UnitPanels:
    """Figures, their sources and titles, and the same of every unit.

    Attributes:
        roots: name -> Bokeh model.
        sources: name -> source of a figure.
        data: name -> one `dict` of columns a unit.
        titled: name -> figure or text whose title changes.
        titles: name -> one text a unit.
    """

    roots: dict = field(default_factory=dict)
    sources: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)
    titled: dict = field(default_factory=dict)
    titles: dict = field(default_factory=dict)

    def add_source(self, name: str, data: list[dict], **same: np.ndarray) -> ColumnDataSource:
        """Add the data of all units, and columns that are the same for all; the source holds the first unit."""
        self.data[name] = data
        self.sources[name] = ColumnDataSource({**same, **data[0]})
        return self.sources[name]

    def add_titles(self, name: str, model: object, titles: list[str]) -> None:
        """Add a figure's title, or a text, of each unit."""
        self.titled[name], self.titles[name] = model, titles


def build_unit_panels(
    result: SortingResult, measures: Sequence[UnitMeasures], denoised: np.ndarray | None = None
) -> UnitPanels:
    """Build the figures of the first unit, and the data of all.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`] of at least one unit.
        measures: one a unit.
        denoised: denoised templates, of the shape of `result.templates`; not drawn if left out.
    """
    panels = UnitPanels()
    _add_facts(panels, result)
    _add_templates(panels, result, measures, denoised)
    _add_correlograms(panels, measures, result.label_settings.isi_threshold_ms)
    _add_histograms(panels, result, measures)
    _add_densities(panels, result, measures)
    return panels


def _add_facts(panels: UnitPanels, result: SortingResult) -> None:
    unit_of_amplitude, limits = amplitude_unit(result), result.label_settings
    texts = []
    for _, unit in result.units.iterrows():
        label = LABEL_NAMES[unit["label"]]
        is_manual = str(unit["unit"]) in result.provenance.get("manual_labels", {})
        why = "by curation" if is_manual else why_label(unit, limits)
        texts.append(
            f"<h3>Unit {unit['unit']}</h3><p><b>{label}</b>: {why}.</p>"
            f"<p>{unit['num_spikes']:,} spikes, {unit['rate_hz']:.2f} Hz; channel {escape(str(unit['channel']))},"
            f" {unit['amplitude']:.0f} {unit_of_amplitude}, SNR {unit['snr']:.1f};"
            f" {unit['isi_violations_percent']:.2f} % of intervals below {limits.isi_threshold_ms:g} ms;"
            f" present in {unit['presence']:.0%} of the recording.</p>"
        )
    facts = Div(text=texts[0], name="unit_facts", sizing_mode="stretch_width", styles={"font-size": "15px"})
    panels.roots["unit_facts"] = facts
    panels.add_titles("unit_facts", facts, texts)


def _add_templates(
    panels: UnitPanels, result: SortingResult, measures: Sequence[UnitMeasures], denoised: np.ndarray | None
) -> None:
    rate, unit_name = result.provenance["recording"]["sampling_rate"], amplitude_unit(result)
    # At most 20,000 samples a second are drawn, and the contrast at half of the contacts: pages stay small.
    drawn_samples = slice(None, None, max(round(rate / MAX_DRAWN_RATE_HZ), 1))
    times_ms = np.arange(result.templates.shape[1])[drawn_samples] / rate * 1000 - BEFORE_MS
    noise, positions = result.channels["noise_level"].to_numpy(), result.channels[["x_um", "y_um"]].to_numpy()
    shapes, clean_shapes, bands, bars, labels, contrasts, contrast_titles = [], [], [], [], [], [], []
    for unit, measured in enumerate(measures):
        shown = measured.channels

        def of_channels(waveforms: np.ndarray, index: int, shown: np.ndarray = shown) -> np.ndarray:
            return waveforms[index][drawn_samples, shown] * noise[shown]

        waveform, spread = of_channels(result.templates, unit), of_channels(result.spread, unit)
        layout = lay_out(waveform, positions[shown], times_ms)
        xs = layout.xs()
        channels = result.channels["channel"].to_numpy()[shown].tolist()
        shapes.append({"xs": xs, "ys": layout.ys(waveform), "channel": channels})
        if denoised is not None:
            clean_shapes.append({"xs": xs, "ys": layout.ys(of_channels(denoised, unit)), "channel": channels})
        is_known = np.isfinite(spread).all()
        lower, upper = layout.ys(waveform - spread), layout.ys(waveform + spread)
        outline = [np.concatenate([low, high[::-1]]) for low, high in zip(lower, upper)] if is_known else []
        there_and_back = [np.concatenate([x, x[::-1]]) for x in xs] if is_known else []
        bands.append({"xs": there_and_back, "ys": outline})
        bar_xs, bar_ys, value = layout.scale_bars()
        bars.append({"x": bar_xs, "y": bar_ys})
        labels.append(
            {
                "x": [float(bar_xs[0]), float(bar_xs[2])],
                "y": [float(bar_ys[0]), float(bar_ys[2])],
                "text": [f"{value:g} {unit_name}", "1 ms"],
            }
        )
        if measured.nearest:
            other = of_channels(result.templates, measured.nearest[0])
            lines = [layout.ys(line)[:MAX_CONTRAST_CHANNELS] for line in (waveform, other, waveform - other)]
            contrast_titles.append(f"Against unit {measured.nearest[0]} (cosine {measured.similarity[0]:.2f})")
        else:
            lines = [layout.ys(waveform)[:MAX_CONTRAST_CHANNELS]]
            contrast_titles.append("No other unit nearby")
        names = [f"unit {unit}", f"unit {measured.nearest[0]}" if measured.nearest else "", "difference"]
        near = xs[:MAX_CONTRAST_CHANNELS]
        contrasts.append(
            {
                "xs": [x for _ in lines for x in near],
                "ys": [y for line in lines for y in line],
                "color": [color for color, _ in zip((BLUE, GREY, RED), lines) for _ in near],
                "name": [name for name, _ in zip(names, lines) for _ in near],
            }
        )
    drawn = new_figure("template", "Template ± SD of single spikes", "x (µm)", "y (µm)", height=420)
    drawn.patches(
        "xs", "ys", source=panels.add_source("bands", bands), fill_color=BLUE, fill_alpha=0.25, line_color=None
    )
    lines = drawn.multi_line("xs", "ys", source=panels.add_source("template", shapes), line_color=BLUE, line_width=1.8)
    drawn.add_tools(hover(("channel", "@channel"), renderers=[lines], line_policy="interp"))
    if denoised is not None:
        source = panels.add_source("denoised", clean_shapes)
        clean_lines = drawn.multi_line("xs", "ys", source=source, line_color=ORANGE, line_width=1.4)
        legend = Legend(items=[("average", [lines]), ("denoised by the encoder", [clean_lines])])
        legend.update(orientation="horizontal", label_text_color=GREY, background_fill_alpha=0, border_line_color=None)
        drawn.add_layout(legend, "below")
    drawn.line("x", "y", source=panels.add_source("bars", bars), line_color=GREY, line_width=2)
    drawn.text(
        "x",
        "y",
        "text",
        source=panels.add_source("bar_labels", labels),
        text_font_size="11px",
        text_color=GREY,
        x_offset=4,
        y_offset=4,
        text_baseline="bottom",
    )
    drawn.xgrid.visible = drawn.ygrid.visible = False
    contrast = new_figure("contrast", contrast_titles[0], "x (µm)", "y (µm)", height=420)
    lines = contrast.multi_line(
        "xs", "ys", line_color="color", source=panels.add_source("contrast", contrasts), line_width=1.5
    )
    contrast.add_tools(hover(("", "@name"), renderers=[lines], line_policy="interp"))
    contrast.xgrid.visible = contrast.ygrid.visible = False
    panels.add_titles("contrast", contrast.title, contrast_titles)
    panels.roots.update(template=drawn, contrast=contrast)


def _add_correlograms(panels: UnitPanels, measures: Sequence[UnitMeasures], refractory_ms: float) -> None:
    edges = correlogram_bins_ms()

    def add(name: str, titles: list[str], counts: list[np.ndarray], color: str) -> None:
        data = [{"top": count.astype("int32")} for count in counts]
        drawn = new_figure(name, titles[0], "lag (ms)", "spikes", x_range=(edges[0], edges[-1]))
        drawn.y_range.start = 0
        drawn.add_layout(
            BoxAnnotation(left=-refractory_ms, right=refractory_ms, fill_color=RED, fill_alpha=0.15, line_color=None)
        )
        source = panels.add_source(name, data, left=edges[:-1], right=edges[1:])
        bars = drawn.quad("left", "right", "top", 0, source=source, color=color, line_color=None)
        drawn.add_tools(hover(("lag", "@left to @right ms"), ("spikes", "@top"), renderers=[bars]))
        panels.add_titles(name, drawn.title, titles)
        panels.roots[name] = drawn

    bins = len(edges) - 1
    titles = [f"Autocorrelogram of unit {unit} (red: {refractory_ms:g} ms)" for unit in range(len(measures))]
    add("autocorrelogram", titles, [measured.autocorrelogram for measured in measures], BLUE)
    for rank in range(NUM_NEAREST):
        titles, counts = [], []
        for unit, measured in enumerate(measures):
            is_there = rank < len(measured.nearest)
            counts.append(measured.crosscorrelograms[rank] if is_there else np.zeros(bins))
            named = (
                f"Unit {unit} and {measured.nearest[rank]} (cosine {measured.similarity[rank]:.2f})"
                if is_there
                else "–"
            )
            titles.append(named)
        add(f"crosscorrelogram_{rank}", titles, counts, ORANGE)


def _add_histograms(panels: UnitPanels, result: SortingResult, measures: Sequence[UnitMeasures]) -> None:
    end = segment_starts_s(result)[-1]
    rate_edges = np.linspace(0, end, NUM_RATE_BINS + 1)
    interval_edges = INTERVAL_EDGES_MS[: MAX_INTERVAL_SHOWN_MS + 1]
    for name, title, x_label, y_label, edges, values in (
        ("intervals", "Intervals between spikes", "ms", "intervals", interval_edges, [m.intervals for m in measures]),
        ("rate", "Firing rate", "time (s)", "Hz", rate_edges, [m.rate_hz for m in measures]),
        ("probability", "Probability", "", "spikes", PROBABILITY_EDGES, [m.probabilities for m in measures]),
    ):
        data = [{"top": value[: len(edges) - 1].astype("float32")} for value in values]
        source = panels.add_source(name, data, left=edges[:-1], right=edges[1:])
        drawn = new_figure(name, title, x_label, y_label, x_range=(edges[0], edges[-1]))
        drawn.y_range.start = 0
        bars = drawn.quad("left", "right", "top", 0, source=source, color=BLUE, line_color=None)
        drawn.add_tools(hover(("", "@left to @right: @top"), renderers=[bars]))
        if name == "intervals":
            refractory_ms = result.label_settings.isi_threshold_ms
            drawn.add_layout(Span(location=refractory_ms, dimension="height", line_color=RED, line_width=1))
        panels.roots[name] = drawn


def _add_densities(panels: UnitPanels, result: SortingResult, measures: Sequence[UnitMeasures]) -> None:
    starts = segment_starts_s(result)
    for name, title, y_label, densities in (
        ("amplitudes", "Amplitude over time", amplitude_unit(result), [m.amplitudes for m in measures]),
        ("depths", "Location over time", "y (µm)", [m.depths for m in measures]),
    ):
        data = [
            {"image": [d.counts], "x": [0.0], "y": [d.low], "dw": [starts[-1]], "dh": [d.high - d.low]}
            for d in densities
        ]
        drawn = new_figure(name, title, "time (s)", y_label, x_range=(0, starts[-1]))
        drawn.image("image", "x", "y", "dw", "dh", source=panels.add_source(name, data), color_mapper=density_mapper())
        for start in starts[1:-1]:
            drawn.add_layout(Span(location=start, dimension="height", line_color=GREY, line_dash="dashed"))
        panels.roots[name] = drawn
