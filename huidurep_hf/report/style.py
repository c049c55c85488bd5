"""Colours and figures of the page. What must differ between light and dark is a CSS variable in `page.css`."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from bokeh.models import HoverTool, LinearColorMapper
from bokeh.palettes import Category20_20
from bokeh.plotting import figure

from .colors import BLUE, GREY

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure

TOOLS = "pan,wheel_zoom,box_zoom,reset,save"


def unit_color(unit: int) -> str:
    """Colour of a unit; grey for no unit."""
    # The strong colours come before the pale ones.
    strong_first = [*Category20_20[::2], *Category20_20[1::2]]
    return GREY if unit < 0 else strong_first[unit % len(strong_first)]


def new_figure(name: str, title: str, x_label: str, y_label: str, *, height: int = 230, **kwargs) -> Figure:
    """A figure that fills the width of its cell.

    Args:
        name: of the root in the page.
        title, x_label, y_label: texts.
        height: pixels.
        kwargs: for `bokeh.plotting.figure`.
    """
    made = figure(
        name=name,
        title=title,
        height=height,
        sizing_mode="stretch_width",
        tools=kwargs.pop("tools", TOOLS),
        toolbar_location="above",
        output_backend="canvas",
        x_axis_label=x_label,
        y_axis_label=y_label,
        min_border_left=50,
        **kwargs,
    )
    made.toolbar.autohide = True
    made.toolbar.logo = None
    made.title.text_font_size = "13px"
    for axis in made.axis:
        axis.axis_label_text_font_style = "normal"
        axis.minor_tick_line_color = None
    return made


def density_mapper() -> LinearColorMapper:
    """From uint8 counts to a blue that is transparent where nothing is, for light and dark backgrounds."""
    palette = [f"{BLUE}{shade:02x}" for shade in range(256)]
    return LinearColorMapper(palette=palette, low=0, high=255)


def hover(*tooltips: tuple[str, str], **kwargs) -> HoverTool:
    """Tool that shows values at the pointer."""
    return HoverTool(tooltips=list(tooltips), **kwargs)


def read_asset(name: str) -> str:
    """Text of a file of `assets/`."""
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
