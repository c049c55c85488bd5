import json

import pandas as pd
import pytest

from huidurep_hf.cli.main import main
from huidurep_hf.cli.sort_table import sort_table


@pytest.fixture
def raw_files(tmp_path):
    from spikeinterface.core import generate_ground_truth_recording

    recording = generate_ground_truth_recording(durations=[3.0], num_channels=4, num_units=2, seed=0)[0]
    traces = (10 * recording.get_traces()).astype("int16")
    for name in ("first", "second"):
        traces.tofile(tmp_path / f"{name}.raw")
    return tmp_path


def table_of(folder, names):
    rows = [
        {
            "recording": str(folder / f"{name}.raw"),
            "sampling_rate": 25000.0,
            "num_channels": 4,
            "dtype": "int16",
            "probe": "tetrode",
        }
        for name in names
    ]
    pd.DataFrame(rows).to_parquet(folder / "table.parquet")
    return str(folder / "table.parquet")


@pytest.mark.slow
def test_a_recording_that_fails_does_not_end_the_run(raw_files, tiny_checkpoint, capsys):
    table = table_of(raw_files, ["first", "absent", "second"])
    arguments = ["sort-table", table, str(raw_files / "out"), "--model", str(tiny_checkpoint), "--quiet"]
    assert main(arguments) == 2
    assert "1 recordings failed" in capsys.readouterr().err
    failures = json.loads((raw_files / "out" / "failures.json").read_text())
    assert list(failures) == ["absent"] and "does not exist" in failures["absent"]
    for name in ("first", "second"):
        assert (raw_files / "out" / name / "provenance.json").is_file()
    # What is there is not sorted again.
    before = (raw_files / "out" / "first" / "provenance.json").read_text()
    assert main(arguments) == 2
    assert (raw_files / "out" / "first" / "provenance.json").read_text() == before


def test_whatever_fails_the_others_are_sorted(raw_files):
    table = table_of(raw_files, ["first", "second", "third"])
    is_sorted = []

    def sort_one(row, output):
        if output.name == "second":
            raise RuntimeError("CUDA out of memory")
        is_sorted.append(output.name)

    assert sort_table(raw_files / "table.parquet", raw_files / "out", sort_one) == {"second": "CUDA out of memory"}
    assert is_sorted == ["first", "third"] and table
    assert json.loads((raw_files / "out" / "failures.json").read_text()) == {"second": "CUDA out of memory"}
    # All are there now, by whatever means.
    for name in ("first", "second", "third"):
        (raw_files / "out" / name).mkdir()
    assert sort_table(raw_files / "table.parquet", raw_files / "out", sort_one) == {}
    assert json.loads((raw_files / "out" / "failures.json").read_text()) == {}
    # It is sorted again if asked.
    assert is_sorted == ["first", "third"]
    sort_table(raw_files / "table.parquet", raw_files / "out", sort_one, overwrite=True)
    assert is_sorted == ["first", "third"] * 2


@pytest.mark.parametrize(
    ("names", "message"), [(["first", "first"], "several rows of the name 'first'"), (None, "is no table")]
)
def test_a_wrong_table_is_refused(raw_files, tiny_checkpoint, capsys, names, message):
    table = str(raw_files / "absent.csv") if names is None else table_of(raw_files, names)
    assert main(["sort-table", table, str(raw_files / "out"), "--model", str(tiny_checkpoint), "--quiet"]) == 2
    assert message in capsys.readouterr().err
