"""The report: one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bokeh.embed import components
from bokeh.models import AllIndices, BooleanFilter, CDSView, CustomJS, Model
from bokeh.resources import Resources
from jinja2 import Environment

from .agreement_panels import build_agreement_panels
from .denoised_templates import denoise_templates
from .overview import (
    drift_map,
    embedding_map,
    embedding_points,
    motion_over_time,
    noise_over_time,
    probe_map,
    unit_source,
    unit_table,
)
from .style import read_asset
from .suggestions import SUGGESTIONS_FILE, suggest
from .summary import count_labels, summarise
from .timeline import segment_starts_s
from .unit_measures import measure_units
from .unit_panels import build_unit_panels

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult
    from .agreement import Agreement

REPORT_FILE = "report.html"
# Of a unit: its text and tall figures, which stand by themselves.
LARGE_FIGURES = ("unit_facts", "template", "contrast")
# Of more, the file tells.
MAX_SUGGESTIONS = 40
BOKEH_PARTS = ["bokeh", "bokeh-widgets", "bokeh-tables"]


def write_report(
    result: SortingResult, path: str | Path, *, agreement: Agreement | None = None, progress: bool = False
) -> Path:
    """Write the page of a result, and its suggestions: `suggestions.csv` beside it, or `NAME_suggestions.csv`.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        path: of the HTML file; replaced if it is there.
        agreement: of the result with the truth or another sorting, shown in the page.
        progress: show a progress bar.

    Returns:
        `Path` of the file.
    """
    measures = measure_units(result, progress=progress)
    suggestions = suggest(result, measures)
    # Pages of several results may lie in one folder.
    page_name = Path(path).stem
    suggestions_file = SUGGESTIONS_FILE if page_name == "report" else f"{page_name}_{SUGGESTIONS_FILE}"
    suggestions.to_csv(Path(path).with_name(suggestions_file), index=False)
    source = unit_source(result, measures)
    overview = {"probe": probe_map(result, source), "drift": drift_map(result), "noise": noise_over_time(result)}
    if result.motion is not None:
        overview["motion"] = motion_over_time(result)
    roots, small_figures = dict(overview), []
    if measures:
        embedding, point_source, of_unit = embedding_map(embedding_points(result))
        panels = build_unit_panels(result, measures, denoise_templates(result))
        small_figures = [name for name in panels.roots if name not in LARGE_FIGURES]
        table, search = unit_table(source)
        roots.update(panels.roots, table=table, search=search, embedding=embedding)
        source.selected.js_on_change(
            "indices",
            _script(
                "select_unit.js",
                sources=panels.sources,
                data=panels.data,
                titled=panels.titled,
                titles=panels.titles,
                points=point_source,
                of_unit=of_unit,
            ),
        )
        point_source.selected.js_on_change("indices", _script("select_point.js", units=source, points=point_source))
        table.view = CDSView(filter=AllIndices())
        found = BooleanFilter()
        search.js_on_change("value_input", _script("search.js", units=source, table=table, found=found))
    sections = [] if agreement is None else agreement.sentences()
    if agreement is not None:
        roots.update(build_agreement_panels(agreement))
    description = result.provenance["recording"]
    facts = [
        ("recording", description["description"]),
        ("duration", f"{segment_starts_s(result)[-1]:,.1f} s in {len(description['num_samples'])} segment(s)"),
        ("channels", f"{len(result.channels)} of {description['num_channels']} used"),
        ("preparation", "; ".join(result.provenance["preparation"]["steps"])),
        ("model", result.provenance["model"]["name_or_path"]),
        ("sorted", f"{result.provenance['created']}, {sum(result.provenance['seconds'].values()):,.0f} s"),
    ]
    page = render_page(
        title="Spike sorting report",
        roots=roots,
        labels=count_labels(result.units),
        facts=facts,
        summary=summarise(result, measures),
        suggestions=suggestions.head(MAX_SUGGESTIONS).to_dict("records"),
        num_suggestions=len(suggestions),
        suggestions_file=suggestions_file,
        has_motion=result.motion is not None,
        small_figures=small_figures,
        agreement=sections,
    )
    return write_page(page, path)


def write_comparison(agreement: Agreement, path: str | Path) -> Path:
    """Write the page of a comparison alone.

    Args:
        agreement: [`~huidurep_hf.report.agreement.Agreement`].
        path: of the HTML file; replaced if it is there.

    Returns:
        `Path` of the file.
    """
    page = render_page(
        title=f"{agreement.names[0]} compared with {agreement.names[1]}",
        roots=build_agreement_panels(agreement),
        agreement=agreement.sentences(),
    )
    return write_page(page, path)


def render_page(*, title: str, roots: dict[str, Model], **content: object) -> str:
    """HTML text of a page: Bokeh models by name, and what else `page.html.jinja` shows."""
    script, places = components(roots)
    library = Resources(mode="inline", components=BOKEH_PARTS).render_js()
    template = Environment(autoescape=True).from_string(read_asset("page.html.jinja"))
    return template.render(
        title=title, css=read_asset("page.css"), library=library, script=script, places=places, **content
    )


def write_page(page: str, path: str | Path) -> Path:
    """Write the text of a page; the file is there whole or not at all."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


def _script(name: str, **models: object) -> CustomJS:
    return CustomJS(args=models, code=read_asset(name))
