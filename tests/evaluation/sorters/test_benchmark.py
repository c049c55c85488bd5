import dataclasses
import json
import types

import numpy as np
import pytest
from spikeinterface.core import NumpySorting

from huidurep_hf.evaluation.sorters import benchmark as benchmark_module
from huidurep_hf.evaluation.sorters import sorting_process
from huidurep_hf.evaluation.sorters.benchmark import benchmark, benchmark_table
from huidurep_hf.evaluation.sorters.benchmark_cases import BenchmarkCase, hybrid_case
from huidurep_hf.evaluation.sorters.ground_truth import score_sorting
from huidurep_hf.evaluation.sorters.peers import SorterRun, is_installed, run_in_process


@pytest.fixture
def case(generated):
    recording, sorting = generated
    # The sorters are fake here: the traces are written, not read.
    recording = recording.frame_slice(0, 300)
    truth = types.SimpleNamespace(
        recording=recording, sorting=sorting, far_sorting=None, unit_snr=np.array([2.0, 4.0, 8.0, 10.0])
    )
    return BenchmarkCase("eight channels", 7, {"num_channels": 8}, lambda: truth)


@pytest.fixture
def fake_sorters(monkeypatch, generated):
    """Sorters that answer at once; returns the list of those that were run."""
    _, sorting = generated
    half = NumpySorting.from_unit_dict(
        {unit: sorting.get_unit_spike_train(unit) for unit in sorting.unit_ids[:2]}, 30000.0
    )
    runs = {
        "perfect": SorterRun(sorting=sorting, version="1", seconds=2.0, peak_memory_mib=100.0),
        "half": SorterRun(sorting=half, version="1", seconds=1.0, peak_memory_mib=50.0),
        "broken": SorterRun(error="ZeroDivisionError: division by zero", log_tail="Traceback"),
    }
    called = []

    def run(sorter, recording_folder, **_):
        assert (recording_folder / "binary.json").exists()
        called.append(sorter)
        return runs[sorter]

    monkeypatch.setattr(benchmark_module, "run_in_process", run)
    return called


@pytest.mark.slow
def test_rows_scores_and_failures(case, fake_sorters, tmp_path):
    output = tmp_path / "benchmark.json"
    rows = benchmark([case], ["perfect", "half", "broken"], output, model="unused", progress=False)
    assert [row["error"] is None for row in rows] == [True, True, False]
    assert rows[0]["scores"]["accuracy"] == 1.0
    assert rows[1]["scores"]["accuracy"] == 0.5 and rows[1]["scores"]["num_well_detected_units"] == 2
    assert rows[2]["scores"] is None and rows[2]["units"] is None
    assert [unit["snr"] for unit in rows[1]["units"]] == [2.0, 4.0, 8.0, 10.0]
    assert [unit["accuracy"] for unit in rows[1]["units"]] == [1.0, 1.0, 0.0, 0.0]
    table = benchmark_table(rows)
    assert "| eight channels | broken | failed |" in table
    assert "- eight channels, seed 7, broken: ZeroDivisionError" in table
    assert json.loads(output.read_text())["rows"][1]["scores"] == rows[1]["scores"]


@pytest.mark.slow
def test_a_failure_on_several_recordings_is_told_once(case, fake_sorters, tmp_path):
    cases = [case, dataclasses.replace(case, seed=8)]
    rows = benchmark(cases, ["broken"], tmp_path / "rows.json", model="unused", progress=False)
    assert benchmark_table(rows).count("ZeroDivisionError") == 1
    assert "- eight channels, seed 7, 8, broken: ZeroDivisionError" in benchmark_table(rows)


@pytest.mark.parametrize(
    ("sorter", "name", "settings"),
    [
        ("kilosort4_few_channels", "kilosort4", {"do_CAR": False, "nblocks": 0}),
        ("dartsort", "dartsort", {"already_preprocessed": "no"}),
    ],
)
def test_settings_reach_the_peer(sorter, name, settings, generated, monkeypatch, tmp_path):
    import spikeinterface.sorters

    called = {}

    def run_sorter(name, recording, **settings):
        called.update(settings, name=name)
        return generated[1]

    monkeypatch.setattr(spikeinterface.sorters, "run_sorter", run_sorter)
    # It need not be installed.
    peer = types.SimpleNamespace(get_sorter_version=lambda: "4.1.7")
    monkeypatch.setitem(spikeinterface.sorters.sorter_dict, name, peer)
    assert sorting_process.sort(sorter, generated[0], tmp_path, model="unused") == (generated[1], "4.1.7")
    assert called["name"] == name and settings.items() <= called.items() and "model" not in called


@pytest.mark.skipif(not is_installed("dartsort"), reason="DARTsort is not installed")
def test_dartsort_has_our_setting():
    from spikeinterface.sorters import get_default_sorter_params

    # A whole sort trains a network for many minutes on a CPU: too long for a test.
    assert get_default_sorter_params("dartsort")["already_preprocessed"] == "assume_yes_if_float"


@pytest.mark.slow
@pytest.mark.skipif(not is_installed("spikesift"), reason="SpikeSift is not installed")
def test_spikesift_finds_the_units_in_its_own_process(generated, tmp_path):
    recording, truth = generated
    recording.save(folder=tmp_path / "recording", progress_bar=False)
    run = run_in_process("spikesift", tmp_path / "recording", model="unused")
    assert run.error is None, run.log_tail
    assert run.version and run.seconds > 0 and run.sorting.sampling_frequency == 30000.0
    _, scores = score_sorting(run.sorting, truth, np.full(4, 10.0))
    assert scores["num_well_detected_units"] == 4


@pytest.mark.slow
def test_a_second_run_does_only_what_is_missing(case, fake_sorters, tmp_path):
    output = tmp_path / "benchmark.json"
    benchmark([case], ["perfect"], output, model="unused", progress=False)
    rows = benchmark([case], ["perfect", "half"], output, model="unused", progress=False)
    assert fake_sorters == ["perfect", "half"] and len(rows) == 2


@pytest.mark.slow
def test_our_sorter_runs_in_its_own_process(generated, tiny_checkpoint, tmp_path):
    recording, _ = generated
    recording.frame_slice(0, 60000).save(folder=tmp_path / "recording", progress_bar=False)
    run = run_in_process("huidurep", tmp_path / "recording", model=str(tiny_checkpoint))
    assert run.error is None, run.log_tail
    assert run.seconds > 0 and run.peak_memory_mib > 50 and run.sorting.sampling_frequency == 30000.0


def test_failures_are_results(tmp_path, monkeypatch):
    missing = run_in_process("huidurep", tmp_path / "no recording", model="none")
    assert missing.sorting is None and "exit code" in missing.error and missing.log_tail
    assert run_in_process("huidurep", tmp_path, model="none", timeout_s=0.0).error == "stopped after 0 s"
    monkeypatch.setattr("huidurep_hf.evaluation.sorters.peers.is_installed", lambda sorter: False)
    assert run_in_process("kilosort4", tmp_path, model="none").error == "not installed"
    assert run_in_process("spikesift", tmp_path, model="none").error == "not installed"
    with pytest.raises(ValueError, match="Unknown sorter"):
        is_installed("no such sorter")


@pytest.mark.slow
def test_our_rows_are_made_again_when_our_code_changes(case, generated, monkeypatch, tmp_path):
    called = []

    def run(sorter, recording_folder, **_):
        called.append(sorter)
        return SorterRun(sorting=generated[1], version="1", seconds=1.0, peak_memory_mib=1.0)

    monkeypatch.setattr(benchmark_module, "run_in_process", run)
    for sources in ("a", "a", "b"):
        identity = {"model_sha256": "m", "sources_sha256": sources}
        monkeypatch.setattr(benchmark_module, "_identify", lambda model, identity=identity: identity)
        rows = benchmark([case], ["huidurep", "peer"], tmp_path / "rows.json", model="unused", progress=False)
        assert [row["sources_sha256"] for row in rows] == [sources, None]
    # The row of the earlier code is gone; the peer's stays.
    assert json.loads((tmp_path / "rows.json").read_text())["rows"] == rows[::-1]
    assert called == ["huidurep", "peer", "huidurep"]


def test_false_units_of_a_partial_truth_are_a_dash(case, fake_sorters, tmp_path):
    partial = dataclasses.replace(case, is_exhaustive=False)
    rows = benchmark([partial], ["half"], tmp_path / "rows.json", model="unused", progress=False)
    assert rows[0]["scores"]["num_false_positive_units"] is None
    assert "False units are not counted in eight channels" in benchmark_table(rows)


def test_sorters_that_are_not_installed_are_named_once(case, fake_sorters, tmp_path):
    rows = benchmark([case], ["perfect"], tmp_path / "rows.json", model="unused", progress=False)
    absent = {**rows[0], "sorter": "kilosort4", "error": "not installed", "scores": None}
    table = benchmark_table([*rows, absent, {**absent, "recording_seed": 8}])
    assert table.count("kilosort4") == 1 and "Not installed: kilosort4." in table


def test_a_hybrid_is_kept_by_what_it_holds(generated):
    recording = generated[0].frame_slice(0, 3000)
    first, other = hybrid_case(recording, 1), hybrid_case(recording.frame_slice(0, 2000), 1)
    assert first.description == hybrid_case(recording, 1).description != other.description
    assert not first.is_exhaustive and first.name == "hybrid8"
