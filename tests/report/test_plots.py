import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from huidurep_hf.report.plots import PLOTS, plot_amplitudes, plot_correlogram, plot_template, save_plot


def test_a_template_lies_on_the_probe(made_result):
    ax = plot_template(made_result, 2)
    assert len(ax.lines) == 12 + 1
    assert {text.get_text() for text in ax.texts} == {"20 µV", "1 ms"} or "1 ms" in ax.texts[1].get_text()
    peak = made_result.units.loc[2, "channel"]
    height = made_result.channels.set_index("channel").loc[peak, "y_um"]
    assert abs(ax.lines[0].get_ydata()[0] - height) < 2


def test_a_correlogram_and_amplitudes_are_of_the_unit(made_result):
    figure = Figure()
    ax = figure.subplots()
    assert plot_correlogram(made_result, 1, ax, other=2) is ax
    assert ax.get_title() == "units 1 and 2"
    assert len(plot_amplitudes(made_result, 1).lines[0].get_xdata()) == 1000
    with pytest.raises(ValueError, match="Got unit 9, but the result has units 0 to 5."):
        plot_correlogram(made_result, 1, other=9)


@pytest.mark.parametrize("what", list(PLOTS))
@pytest.mark.parametrize(("ending", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_pictures_are_files(made_result, tmp_path, what, ending, start):
    assert save_plot(made_result, 0, what, tmp_path / f"unit{ending}").read_bytes().startswith(start)


def test_other_endings_are_refused(made_result, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf"):
        save_plot(made_result, 0, "template", tmp_path / "unit.docx")
    assert np.all([path.suffix != ".docx" for path in tmp_path.iterdir()])


def test_the_docs_are_right(made_result, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    (code,) = re.findall(r"<!-- plots begin -->\n```python\n(.*?)```", page, flags=re.DOTALL)
    made_result.save(tmp_path / "results" / "example")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert (tmp_path / "template.svg").is_file() and (tmp_path / "correlogram.svg").is_file()
