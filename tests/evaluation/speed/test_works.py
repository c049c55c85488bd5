import dataclasses
import json
from pathlib import Path

import pytest

from huidurep_hf.evaluation.records.run_record import ResultFile
from huidurep_hf.evaluation.records.tables import put_tables
from huidurep_hf.evaluation.speed import sorting_speed, speed_cases, works
from huidurep_hf.evaluation.speed.generated_recordings import SIZES, save_generated
from huidurep_hf.evaluation.speed.measured_sort import KNOWN_BY_SORT, MeasuredSort, measure_sort
from huidurep_hf.evaluation.speed.sorting_tables import generated_table
from huidurep_hf.evaluation.speed.speed_cases import generated_case
from huidurep_hf.evaluation.speed.speed_tables import speed_tables
from huidurep_hf.evaluation.speed.works import SpeedSettings, measure_speed

SORT_FIELDS = {
    *KNOWN_BY_SORT,
    *("work", "size", "recording", "recording_seed", "sorter", "turn", "machine", "model_sha256", "sources_sha256"),
    *("peak_memory_mib", "peak_own_memory_mib", "peak_disk_mib", "curve", "realtime_factor", "peaks_per_s"),
    *("traces", "duration_s", "num_channels", "load_average", "read_s_per_s", "scores", "num_scored_units", "run"),
}
SCORES = {"accuracy": 0.5, "num_well_detected_units": 1, "num_true_units": 2}


@pytest.fixture
def smoke(tiny_checkpoint):
    checkpoint = str(tiny_checkpoint)
    return SpeedSettings(model=checkpoint, published=checkpoint, sorters=("huidurep",), repeats=1, is_smoke=True)


@pytest.fixture(scope="module")
def generated_smoke(tmp_path_factory):
    """The generator's recording of ten seconds, on the disk."""
    return save_generated(SIZES["smoke"], tmp_path_factory.mktemp("smoke"))


@pytest.fixture
def fake_sorts(monkeypatch, generated_smoke):
    """Sorts that answer at once, `broken` ones with an error; returns the sorters that were run, in order.

    The recording is generated once for all tests: it takes seconds.
    """
    called = []

    def measure(sorter, path, **_):
        called.append(sorter)
        figures = dict.fromkeys((*KNOWN_BY_SORT, "peak_memory_mib", "peak_own_memory_mib", "peak_disk_mib"), 1.0)
        figures |= {"curve": [], "stages": None, "error": "it broke" if sorter == "broken" else None}
        return MeasuredSort(None, figures)

    monkeypatch.setattr(speed_cases, "save_generated", lambda *_: generated_smoke)
    monkeypatch.setattr(sorting_speed, "measure_sort", measure)
    monkeypatch.setattr(sorting_speed, "score_sorting", lambda *_, **__: (None, SCORES))
    monkeypatch.setattr(works, "is_installed", lambda sorter: sorter != "absent")
    return called


@pytest.mark.slow
def test_rows_of_all_works_have_their_fields_and_tables_print(smoke, tmp_path):
    content = measure_speed(smoke, tmp_path / "rows.json", progress=False)
    assert [row["work"] for row in content["rows"]] == ["silicon32", "generated", "embedding"]
    for row in content["rows"][:2]:
        assert set(row) >= SORT_FIELDS and row["error"] is None, row["log_tail"]
        assert row["seconds"] > 0 and row["cpu_seconds"] > 0 and row["scores"]["num_true_units"] > 0
        assert row["peak_memory_mib"] >= row["peak_own_memory_mib"] > 50 < row["start_memory_mib"]
        assert row["stages"]["scan"] > 0 and row["num_peaks"] > 0
    embedding = content["rows"][2]
    # Two precisions, each in two ways; two models of one name, each also without the denoiser and from peaks.
    assert len(embedding["matrix"]) == 4 and len(embedding["rates"]) == 16
    assert all(rate["spikes_per_s"] > 0 and rate["gflop_per_spike"] > 0 for rate in embedding["rates"])

    tables = speed_tables(content)
    assert "at most 40 CPU-s" in tables["aims"] and "| smoke tetrode | A | huidurep |" in tables["peers"]
    assert "| smoke | 8 | 0.17 | A | huidurep |" in tables["generated"] and "| scan |" in tables["stages"]
    assert "| 8 | 0.17 | binary |" in tables["memory"] and "| A | bfloat16 | workers |" in tables["embedding"]
    assert tables["machines"].startswith("- A: ") and "torch" in tables["machines"]
    page = tmp_path / "page.md"
    page.write_text((Path(__file__).parents[3] / "docs" / "scaling.md").read_text())
    put_tables(tables, page)
    assert all(table in page.read_text() for table in tables.values())


@pytest.mark.slow
def test_a_stopped_run_is_continued_in_turn(smoke, fake_sorts, tmp_path):
    output = tmp_path / "rows.json"
    settings = dataclasses.replace(smoke, works=("generated",), sorters=("huidurep", "other", "absent"), repeats=2)
    measure_speed(settings, output, progress=False)
    assert fake_sorts == ["huidurep", "other", "huidurep", "other"]
    content = json.loads(output.read_text())
    content["rows"] = content["rows"][:3]
    output.write_text(json.dumps(content))
    rows = measure_speed(settings, output, progress=False)["rows"]
    assert fake_sorts[4:] == ["other"] and [row["turn"] for row in rows] == [1, 1, 2, 2]


@pytest.mark.slow
def test_our_rows_are_made_again_when_our_code_changes(smoke, fake_sorts, monkeypatch, tmp_path):
    settings = dataclasses.replace(smoke, works=("generated",), sorters=("huidurep", "other"))
    for sources in ("a", "b"):
        monkeypatch.setattr(works, "hash_sources", lambda folders, sources=sources: sources)
        content = measure_speed(settings, tmp_path / "rows.json", progress=False)
        assert content["of_earlier_code"] == []
    assert fake_sorts == ["huidurep", "other", "huidurep"]
    assert {row["sources_sha256"] for row in content["rows"]} == {None, "b"}
    # Until then they are shown, and said to be old.
    monkeypatch.setattr(works, "hash_sources", lambda folders: "c")
    shown = measure_speed(dataclasses.replace(settings, works=()), tmp_path / "rows.json", progress=False)
    day = content["runs"][-1]["created"][:10]
    assert len(shown["rows"]) == len(content["rows"]) and shown["of_earlier_code"] == [f"smoke (A, {day})"]
    assert f"- Measured with earlier code: smoke (A, {day})" in speed_tables(shown)["machines"]


@pytest.mark.slow
def test_a_sorter_that_fails_is_named_and_not_run_again(smoke, fake_sorts, tmp_path):
    folder = tmp_path / "not_there_yet"
    settings = dataclasses.replace(
        smoke, works=("generated",), sorters=("huidurep", "broken"), repeats=3, folder=folder
    )
    content = measure_speed(settings, tmp_path / "rows.json", progress=False)
    assert fake_sorts.count("broken") == 1 and fake_sorts.count("huidurep") == 3
    assert "- smoke, broken: it broke" in speed_tables(content)["generated"].split("Failures:")[1]
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_warm_up_sorts_the_beginning_and_is_not_counted(fake_sorts, monkeypatch, tmp_path):
    monkeypatch.setattr(sorting_speed, "WARM_UP_S", 2.0)
    results = ResultFile(tmp_path / "rows.json", {})
    results.add_run({"versions": {}})
    case, identity = generated_case("smoke"), {"machine": "m"}
    sorting_speed.time_sorters(case, ["other"], results, identity, model="", repeats=1, progress=False)
    warm_up, counted = results.rows
    assert (warm_up["turn"], warm_up["duration_s"], warm_up["scores"]) == (0, 2.0, None)
    assert counted["duration_s"] == 10.0 and counted["scores"] == SCORES
    # One run.
    assert "| 1 of 5 | 1 |" in generated_table(results.rows)


@pytest.mark.slow
def test_failures_are_results(tmp_path):
    missing = measure_sort("huidurep", tmp_path / "no recording", model="none")
    assert missing.sorting is None and "exit code" in missing.figures["error"] and missing.figures["log_tail"]
    late = measure_sort("huidurep", tmp_path, model="none", timeout_s=0.0)
    assert late.figures["error"] == "stopped after 0 s" and late.figures["seconds"] is None


def test_mistakes_are_named(smoke, tmp_path):
    with pytest.raises(ValueError, match="Unknown works"):
        measure_speed(dataclasses.replace(smoke, works=("none",)), tmp_path / "rows.json")
    with pytest.raises(ValueError, match="Unknown size"):
        measure_speed(
            dataclasses.replace(smoke, works=("generated",), sizes=("none",), is_smoke=False), tmp_path / "rows.json"
        )
