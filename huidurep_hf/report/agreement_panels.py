"""The agreement of two sortings as a picture and a table of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bokeh.models import ColumnDataSource, DataTable, InlineStyleSheet, NumberFormatter, StringFormatter, TableColumn

from .style import density_mapper, hover, new_figure, read_asset

if TYPE_CHECKING:
    from .agreement import Agreement


def build_agreement_panels(agreement: Agreement) -> dict:
    """Matrix and table: name -> Bokeh model.

    Args:
        agreement: of the sorting with the truth or with another.
    """
    matrix, (first, second) = agreement.matrix, agreement.names
    rows, columns = [str(unit) for unit in matrix.index], [str(unit) for unit in matrix.columns]
    measure = "accuracy" if agreement.is_truth else "agreement"
    drawn = new_figure(
        "agreement_matrix",
        f"{measure.capitalize()} of {first} with {second}",
        f"units of {first}",
        f"units of {second}",
        height=480,
        x_range=(0, max(len(columns), 1)),
        y_range=(max(len(rows), 1), 0),
    )
    if rows and columns:
        values = matrix.to_numpy(dtype=float)
        mapper = density_mapper()
        mapper.low, mapper.high = 0, 1
        image = drawn.image([values.astype("float32")], 0, 0, len(columns), len(rows), color_mapper=mapper)
        drawn.add_tools(hover((measure, "@image{0.00}"), renderers=[image]))
    for axis, names in ((drawn.xaxis, columns), (drawn.yaxis, rows)):
        step = max(len(names) // 30, 1)
        axis.ticker = [index + 0.5 for index in range(0, len(names), step)]
        axis.major_label_overrides = {index + 0.5: names[index] for index in range(0, len(names), step)}
    drawn.grid.visible = False
    units = agreement.units
    data = {name: units[name].tolist() for name in ("num_spikes", "agreement", "precision", "recall")}
    data["unit"] = units["unit"].astype(str).tolist()
    data["matched_unit"] = ["missed" if match is None else str(match) for match in units["matched_unit"]]
    score, whole, text = NumberFormatter(format="0.000"), NumberFormatter(format="0,0"), StringFormatter()
    fields = (
        ("unit", "unit", text),
        ("num_spikes", "spikes", whole),
        ("matched_unit", "matched unit", text),
        ("agreement", measure, score),
        ("precision", "precision", score),
        ("recall", "recall", score),
    )
    table = DataTable(
        source=ColumnDataSource(data),
        columns=[TableColumn(field=name, title=title, formatter=form, width=85) for name, title, form in fields],
        name="agreement_table",
        height=480,
        sizing_mode="stretch_width",
        autosize_mode="none",
        reorderable=False,
        index_position=None,
        stylesheets=[InlineStyleSheet(css=read_asset("table.css"))],
    )
    return {"agreement_matrix": drawn, "agreement_table": table}
