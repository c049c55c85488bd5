import pytest

from huidurep_hf.evaluation.speed.aims import aims_table
from huidurep_hf.evaluation.speed.paper_estimate import paper_table
from huidurep_hf.evaluation.speed.row_groups import median_and_range
from huidurep_hf.evaluation.speed.sorting_tables import stage_table
from huidurep_hf.evaluation.speed.speed_plots import draw_scaling
from huidurep_hf.evaluation.speed.speed_tables import speed_tables


def sort_row(work="generated", size="dense", sorter="huidurep", minutes=10.0, **changes):
    row = {"work": work, "size": size, "sorter": sorter, "turn": 1, "machine": "Some CPU, 2 cores, 8 GiB"}
    row |= {"recording": {"duration_s": 60 * minutes}, "duration_s": 60 * minutes, "recording_seed": 100}
    row |= {
        "num_channels": 384,
        "traces": "binary",
        "seconds": 300.0,
        "cpu_seconds": 500.0,
        "realtime_factor": 2.0,
        "error": None,
    }
    row |= {"peak_own_memory_mib": 4096.0, "start_memory_mib": 512.0, "num_peaks": 1000, "peaks_per_s": 4000.0}
    row |= {"scores": {"accuracy": 0.9}, "gpu_memory_mib": None, "curve": [[0.0, 400, 0], [300.0, 4096, 0]]}
    return {**row, **changes}


def test_aims_are_judged():
    rows = [
        sort_row("silicon32", "bursting", seconds=30.0, cpu_seconds=39.0),
        sort_row("silicon32", "bursting", "near", seconds=20.0, scores={"accuracy": 0.86}),
        sort_row("silicon32", "bursting", "worse", seconds=1.0, scores={"accuracy": 0.5}),
        sort_row(),
        sort_row(minutes=60.0, size="long384", peak_own_memory_mib=7000.0),
    ]
    lines = aims_table(rows).splitlines()[2:]
    assert [line.split(" | ")[-1] for line in lines] == ["yes |", "no |", "yes |", "no |", "no |"] + ["not known |"] * 2
    # No machine had a GPU.
    assert "Kilosort4 | not measured" in lines[-1]
    assert "near 20.0 s" in lines[1] and "worse" not in lines[1] and "10 to 60 min" in lines[4]
    # What a lazy recording holds itself is not the sorter's.
    lazy = aims_table([sort_row(traces="lazy", peak_own_memory_mib=7168.0, start_memory_mib=2048.0)])
    assert "at most 6 GiB | 5.00 GiB beyond 2.00 GiB before the sort | yes" in lazy


def test_a_machine_has_one_letter_in_all_tables_and_peers_alone_are_left_out():
    names = [f"CPU {name}, 2 cores, 8 GiB" for name in ("one", "two", "three")]
    first, second, third = ({"machine": name, "load_average": 1.0, "run": 0} for name in names)
    more = {"recording": {"duration_s": 600.0}, "peak_memory_mib": 5000.0, "peak_disk_mib": 10.0, "num_scored_units": 1}
    more["scores"] = {"accuracy": 0.9, "num_well_detected_units": 1, "num_true_units": 1}
    rows = [
        sort_row("silicon32", "silicon32", "mountainsort5", **first, **more),
        sort_row("silicon32", "silicon32", **second, **more),
        sort_row("generated", "dense", **third, **more),
        sort_row("generated", "dense", **{**second, **more, "peak_own_memory_mib": 2048.0}),
    ]
    tables = speed_tables({"rows": rows, "runs": [{"versions": {"torch": "2"}}]})
    assert "CPU one" not in tables["machines"] and "mountainsort5" not in tables["peers"]
    assert "- A: CPU two" in tables["machines"] and "- B: CPU three" in tables["machines"]
    assert "| silicon32 | A | huidurep |" in tables["peers"]
    assert "| dense | 384 | 10.0 | B | huidurep |" in tables["generated"]
    memory = [line.split(" | ")[:5] for line in tables["memory"].splitlines()[2:]]
    assert memory == [["| 384", "10", "binary", "A", "2.00"], ["| 384", "10", "binary", "B", "4.00"]]


def test_aims_on_a_gpu():
    gpu = {"machine": "Some CPU, 16 cores, 128 GiB, NVIDIA H100"}
    table = aims_table([sort_row(**gpu, realtime_factor=30.0, seconds=20.0), sort_row(sorter="kilosort4", **gpu)])
    assert "not measured" not in table
    assert "at least 20 times real time | 30.00 times | yes" in table and "Kilosort4 | 15.00 times | yes" in table


def test_a_thousand_hours_on_paper():
    table = paper_table([sort_row(), sort_row(minutes=60.0, seconds=1800.0, num_peaks=6000)], price_per_core_hour=0.1)
    # Half real time on two cores.
    assert "1,000 core-hours · 0.1 | 100 |" in table and "| 83 TB |" in table and "| 2.7 TB |" in table
    # 50 of 100 s are of learning, which an hour needs but once: 50 s and 60 times 50 s.
    short = sort_row(minutes=1.0, seconds=100.0, stages={"scan": 50.0, "embed": 10.0, "learn units": 40.0})
    assert "1000 h · 0.85 s per s · 2 cores" in paper_table([short])
    # Traces that are generated when they are read say nothing of the time; an hour of them does of the memory.
    lazy = sort_row(minutes=60.0, traces="lazy", seconds=9000.0, num_peaks=6000)
    lazy |= {"peak_own_memory_mib": 7168.0, "start_memory_mib": 2048.0}
    whole = paper_table([sort_row(), lazy])
    assert "1000 h · 0.50 s per s" in whole and "32 sorts · 5.5 GiB (measured at 60 min)" in whole
    assert paper_table([lazy]) == paper_table([]) == "Not measured yet."


def test_stages_and_the_rest_make_the_wall_time():
    lines = stage_table([sort_row(seconds=100.0, stages={"scan": 60.0, "assign": 30.0})]).splitlines()
    assert lines[0] == "| stage | dense, A |" and lines[2] == "| scan | 60.0 s (60%) |"
    assert lines[-1] == "| load the model, save the result | 10.0 s (10%) |"


def test_nothing_measured_is_said():
    tables = speed_tables({"runs": [], "rows": []})
    assert all("Not measured yet." in table for table in tables.values())


@pytest.mark.parametrize(("values", "text"), [([], "–"), ([None, 2.0], "2.0"), ([3.0, 1.0, 20.0], "3.0 (1.0 to 20.0)")])
def test_median_and_range(values, text):
    assert median_and_range(values) == text


def test_the_plot_is_drawn(tmp_path):
    path = draw_scaling([sort_row(), sort_row(minutes=60.0)], tmp_path)
    assert path.stat().st_size > 1000 and draw_scaling([], tmp_path) is None
