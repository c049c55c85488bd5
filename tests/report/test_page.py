import html
import re
import time

import numpy as np
import pytest
from spikeinterface.core.motion import Motion

from huidurep_hf.report.agreement import compare
from huidurep_hf.report.page import write_comparison, write_report

from ..made_results import make_result


@pytest.fixture(scope="module")
def page_of_six(made_result, truth, tmp_path_factory):
    agreement = compare(made_result.sorting, truth, is_truth=True, names=("the sorting", "the truth"))
    return write_report(made_result, tmp_path_factory.mktemp("report") / "report.html", agreement=agreement)


def figure_titles(page):
    return page.evaluate(
        "Array.from(Bokeh.documents[0]._all_models.values()).filter(m => m.type == 'Title').map(m => m.text)"
    )


def test_the_page_needs_nothing_else(page_of_six):
    text = page_of_six.read_text()
    assert not re.search(r"<(script|link)[^>]+(src|href)=", text)
    assert "6 units: 6 good" in text and "Left out: channels x (dead)." in text
    # The model that a made result names cannot be told from others.
    assert "of single spikes" in text and "denoised by the encoder" not in text
    assert {path.name for path in page_of_six.parent.iterdir()} == {"report.html", "suggestions.csv"}


def test_names_from_a_file_are_text(tmp_path):
    result = make_result(2, 200)
    name = "<img src=x onerror=alert(1)>"
    result.sorting.set_property("channel", np.array([name, name]))
    page = write_report(result, tmp_path / "mine.html").read_text()
    # Bokeh keeps its values as escaped JSON; those of the unit's facts are HTML.
    facts = html.unescape(page)
    assert "channel &lt;img src=x onerror=alert(1)&gt;," in facts and f"channel {name}" not in facts
    assert (tmp_path / "mine_suggestions.csv").is_file() and not (tmp_path / "suggestions.csv").exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1300])
def test_it_is_drawn_without_a_network(page_of_six, open_page, scheme, width):
    page = open_page(page_of_six, scheme, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 29)")
    assert page.locator("canvas").count() > 10


def test_a_row_a_spike_and_a_search_show_units(page_of_six, open_page):
    page = open_page(page_of_six)
    assert "Autocorrelogram of unit 0 (red: 2 ms)" in figure_titles(page)
    table = page.locator(".bk-DataTable").first
    table.locator(".slick-row").nth(3).click()
    assert "Autocorrelogram of unit 3 (red: 2 ms)" in figure_titles(page)
    assert page.locator("h3").inner_text() == "Unit 3"
    units = page.evaluate("Bokeh.documents[0].get_model_by_name('points').data.unit.length")
    assert units == 3000
    spike_of_four = "Array.from(Bokeh.documents[0].get_model_by_name('points').data.unit).indexOf(4)"
    page.evaluate(f"Bokeh.documents[0].get_model_by_name('points').selected.indices = [{spike_of_four}]")
    assert page.locator("h3").inner_text() == "Unit 4"
    page.locator("input").first.fill("5")
    page.wait_for_timeout(200)
    assert table.locator(".slick-row").count() == 1
    page.locator("input").first.fill("good ch")
    page.wait_for_timeout(200)
    assert table.locator(".slick-row").count() == 6


@pytest.mark.parametrize("case", ["no spikes", "no units", "one unit", "motion", "silent segment"])
def test_any_result_has_a_page(open_page, tmp_path, case):
    motion = Motion([np.zeros((60, 2))], [np.arange(60.0)], np.array([0.0, 100.0])) if case == "motion" else None
    num_units = {"no spikes": 0, "no units": 0, "one unit": 1}.get(case, 3)
    seconds = (60.0, 0.001) if case == "silent segment" else (60.0,)
    result = make_result(num_units, 0 if case == "no spikes" else 500, seconds=seconds, motion=motion)
    page = open_page(write_report(result, tmp_path / "report.html"))
    said = {"no spikes": "No spike was detected", "no units": "No unit was found", "one unit": "1 unit: 1 good"}
    assert said.get(case, "3 units") in page.locator("ul").inner_text()
    assert ("Motion that was followed" in figure_titles(page)) == (case == "motion")


def test_a_comparison_is_a_page_of_its_own(made_result, truth, open_page, tmp_path):
    agreement = compare(made_result.sorting, truth, names=("A", "B"))
    page = open_page(write_comparison(agreement, tmp_path / "comparison.html"))
    assert "5 of 6 units of B are in A, 5 with agreement of at least 0.8." in page.locator("ul").inner_text()
    assert "Units of A that match none of B: 5." in page.locator("ul").inner_text()


def test_three_hundred_units_and_five_million_spikes(open_page, tmp_path):
    result = make_result(300, 5_000_000, num_channels=384, seconds=(1800.0,), num_embedded=50_000)
    start = time.perf_counter()
    path = write_report(result, tmp_path / "report.html")
    made = time.perf_counter() - start
    size = path.stat().st_size / 1e6
    start = time.perf_counter()
    page = open_page(path)
    opened = time.perf_counter() - start
    print(f"made in {made:.1f} s, {size:.1f} MB, opened in {opened:.1f} s")
    assert size < 20
    assert page.locator("canvas").count() > 10
