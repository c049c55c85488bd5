import dataclasses

import numpy as np
import pandas as pd
import pytest

from huidurep_hf.report.page import write_report
from huidurep_hf.report.suggestions import refractory_ratio, suggest
from huidurep_hf.report.unit_measures import measure_units

from ..made_results import make_result


@pytest.fixture(scope="module")
def doubtful():
    """Units 2 and 3 of one template that keep each other's refractory period; unit 0 of two amplitudes."""
    result = make_result(4, 8000, seconds=(60.0,))
    events, templates = result.events.copy(), result.templates.copy()
    is_first = events["unit"] == 0
    events.loc[is_first & (np.arange(len(events)) // 4 % 2 == 0), "amplitude"] /= 2
    templates[3] = 0.9 * templates[2]
    names = [field.name for field in dataclasses.fields(result) if field.name != "sorting"]
    tables = {name: getattr(result, name) for name in names}
    return type(result).from_tables(**{**tables, "events": events, "templates": templates})


@pytest.mark.slow
def test_pairs_and_units_are_ranked_with_evidence(doubtful, tmp_path):
    suggested = suggest(doubtful, measure_units(doubtful))
    merge, split = suggested[suggested["kind"] == "merge"], suggested[suggested["kind"] == "split"]
    assert merge[["unit", "other"]].iloc[0].tolist() == [2, 3] and merge["similarity"].iloc[0] == 1
    assert merge["refractory_ratio"].iloc[0] < 0.3 and merge["score"].iloc[0] > 0.7
    assert split["unit"].tolist() == [0] and "two modes" in split["why"].iloc[0]
    # Units 2 and 3 have clouds of their own.
    assert merge["valley"].iloc[0] > 0.9 and "valley between the embeddings" in merge["why"].iloc[0]
    page = write_report(doubtful, tmp_path / "report.html").read_text()
    assert "<h2>Suggestions</h2>" in page and "<td>2 and 3</td>" in page
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "suggestions.csv"), suggested, check_dtype=False)


def test_the_valley_tells_one_cloud_from_two(doubtful):
    rng, is_embedded = np.random.default_rng(0), doubtful.events["embedded"].to_numpy()
    names = [field.name for field in dataclasses.fields(doubtful) if field.name != "sorting"]
    tables = {name: getattr(doubtful, name) for name in names}

    def valley_of(**changed):
        suggested = suggest(type(doubtful).from_tables(**{**tables, **changed}), measure_units(doubtful))
        return suggested.loc[suggested["kind"] == "merge", "valley"].iloc[0]

    assert valley_of(embeddings=rng.normal(size=(is_embedded.sum(), 32)).astype("float32")) < 0.3
    few = doubtful.events.assign(embedded=np.arange(len(is_embedded)) < 200)
    assert np.isnan(valley_of(events=few, embeddings=doubtful.embeddings[:200]))


def test_the_refractory_ratio_is_of_chance():
    flat = np.full(100, 20)
    assert refractory_ratio(flat, 2.0) == pytest.approx(1)
    flat[48:52] = 0
    assert refractory_ratio(flat, 2.0) == 0
    assert np.isnan(refractory_ratio(np.zeros(100), 2.0))


def test_nothing_to_suggest(tmp_path):
    result = make_result(0, 100)
    assert len(suggest(result, measure_units(result))) == 0
    assert "<h2>Suggestions</h2>" not in write_report(result, tmp_path / "report.html").read_text()
