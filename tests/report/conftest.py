import shutil

import pytest
from spikeinterface.core import NumpySorting

from ..made_results import make_result

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def made_result():
    """Six units, 6,000 spikes in two segments."""
    return make_result(6, 6000, seconds=(40.0, 20.0))


@pytest.fixture(scope="session")
def truth(made_result):
    """The same units under other names, but for unit 5, and one that the result lacks."""
    segments = []
    for segment in range(2):
        trains = {
            f"t{unit}": made_result.sorting.get_unit_spike_train(unit, segment_index=segment) for unit in range(5)
        }
        segments.append({**trains, "missing": trains["t0"][::7] + 300})
    return NumpySorting.from_unit_dict(segments, 30000.0)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium is installed (Debian: apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser):
    """Function that opens an HTML file without a network, waits until it is drawn, and fails on any script error."""
    contexts, problems = [], []

    def open_file(path, scheme="light", width=1300):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(path.resolve().as_uri())
        page.wait_for_function("window.Bokeh && Bokeh.documents.length == 1 && Bokeh.documents[0].is_idle")
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert problems == []
