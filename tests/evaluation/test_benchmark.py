import json
import types

import numpy as np
import pytest
from spikeinterface.core import NumpySorting

from huidurep_hf.evaluation import benchmark as benchmark_module
from huidurep_hf.evaluation.benchmark import BenchmarkCase, benchmark, benchmark_table
from huidurep_hf.evaluation.peers import SorterRun, is_installed, run_in_process


@pytest.fixture
def case(generated):
    recording, sorting = generated
    # The sorters are fake here: the traces are written, not read.
    recording = recording.frame_slice(0, 300)
    truth = types.SimpleNamespace(recording=recording, sorting=sorting, unit_snr=np.array([2.0, 4.0, 8.0, 10.0]))
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


def test_a_second_run_does_only_what_is_missing(case, fake_sorters, tmp_path):
    output = tmp_path / "benchmark.json"
    benchmark([case], ["perfect"], output, model="unused", progress=False)
    rows = benchmark([case], ["perfect", "half"], output, model="unused", progress=False)
    assert fake_sorters == ["perfect", "half"] and len(rows) == 2


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
    monkeypatch.setattr("huidurep_hf.evaluation.peers.is_installed", lambda sorter: False)
    assert run_in_process("kilosort4", tmp_path, model="none").error == "not installed"
    with pytest.raises(ValueError, match="Unknown sorter"):
        is_installed("no such sorter")
