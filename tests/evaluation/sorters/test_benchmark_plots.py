import pytest

from huidurep_hf.evaluation.records.tables import put_table
from huidurep_hf.evaluation.sorters.benchmark_plots import draw_benchmark


def _row(condition, sorter, seed, *, false=1, error=None):
    scores = {
        "accuracy": 0.7,
        "num_well_detected_units": 3,
        "num_true_units": 5,
        "num_false_positive_units": false,
        "num_redundant_units": 1,
    }
    units = [{"snr": snr, "accuracy": min(snr / 10, 1.0)} for snr in (2.0, 4.0, 9.0, 25.0)]
    row = {"condition": condition, "sorter": sorter, "recording_seed": seed, "error": error}
    return {**row, "scores": None if error else scores, "units": None if error else units}


def test_plots(tmp_path):
    rows = [_row(c, s, seed) for c in ("tetrode", "silicon32") for s in ("peer", "huidurep") for seed in (1, 2)]
    rows += [_row("hybrid4", "peer", 1, false=None), _row("hybrid4", "huidurep", 1, error="KeyError: 1")]
    folder = tmp_path / "plots"
    assert draw_benchmark(rows, folder) == ["benchmark_overview.png", "benchmark_snr.png"]
    assert all(1000 < path.stat().st_size < 150_000 for path in folder.iterdir())
    assert draw_benchmark([_row("tetrode", "peer", 1, error="not installed")], tmp_path) == []


def test_a_table_takes_its_place_in_a_document(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- table begin -->\nold\n<!-- table end -->\n\nMore.\n")
    for table in ("| a |", "| b |"):
        put_table(table, page)
    assert page.read_text() == "# Title\n\n<!-- table begin -->\n| b |\n<!-- table end -->\n\nMore.\n"
    page.write_text("# Title\n")
    with pytest.raises(ValueError, match="no place for the table"):
        put_table("| a |", page)
