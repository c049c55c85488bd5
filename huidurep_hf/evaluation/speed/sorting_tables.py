"""Tables of timed sorts."""

from __future__ import annotations

from collections.abc import Callable

from ..records.tables import markdown_table
from ..sorters.sorting_process import OUR_SORTER
from .row_groups import GIB_IN_MIB, counted_rows, group_rows, median_and_range, median_of, name_machines
from .speed_cases import CONDITION_WORK, GENERATED_WORK

NOTHING = "Not measured yet."
OUTSIDE = "load the model, save the result"


def peers_table(rows: list[dict]) -> str:
    """Sorters on a condition of the benchmark: accuracy, time and memory; median (min to max) of the runs."""
    return _sorts_table(rows, CONDITION_WORK, ("size",), ("condition",), _condition_cells)


def generated_table(rows: list[dict]) -> str:
    """Sorts of generated recordings: speed against real time, memory, disk, accuracy; median (min to max)."""
    named = [{**row, "minutes": _minutes(row)} if row["work"] == GENERATED_WORK else row for row in rows]
    fields = ("size", "num_channels", "minutes")
    return _sorts_table(named, GENERATED_WORK, fields, ("size", "channels", "minutes"), _generated_cells)


def stage_table(rows: list[dict]) -> str:
    """Median seconds of each stage of our sorter, and its share of the wall time; a recording per column."""
    letters = name_machines(rows)
    named = [{**row, "letter": letters[row["machine"]], "stages": _stages(row)} for row in rows if row.get("stages")]
    done = [row for work in (CONDITION_WORK, GENERATED_WORK) for row in counted_rows(named, work, OUR_SORTER)]
    if not done:
        return NOTHING
    groups = group_rows(done, "size", "letter")
    stages = list(dict.fromkeys(stage for row in done for stage in row["stages"]))
    lines = []
    for stage in stages:
        cells = []
        for group in groups.values():
            seconds = median_of([row["stages"] for row in group], stage) or 0.0
            cells.append(f"{seconds:,.1f} s ({seconds / median_of(group, 'seconds'):.0%})")
        lines.append([stage, *cells])
    return markdown_table(["stage", *(f"{size}, {letter}" for size, letter in groups)], lines)


def memory_table(rows: list[dict]) -> str:
    """Peak memory of our sorter by channels, length and machine."""
    letters = name_machines(rows)
    counted = counted_rows(rows, GENERATED_WORK, OUR_SORTER)
    done = [{**row, "minutes": _minutes(row), "letter": letters[row["machine"]]} for row in counted]
    if not done:
        return NOTHING
    lines = []
    groups = group_rows(done, "num_channels", "minutes", "traces", "letter")
    for (channels, minutes, traces, letter), group in sorted(groups.items()):
        fields = ("peak_own_memory_mib", "peak_memory_mib", "start_memory_mib")
        cells = [median_and_range([row[field] for row in group], 2, GIB_IN_MIB) for field in fields]
        lines.append([f"{channels}", f"{minutes:g}", traces, letter, *cells])
    sizes = ["peak (GiB)", "with mapped files (GiB)", "before the sort (GiB)"]
    return markdown_table(["channels", "minutes", "traces read", "machine", *sizes], lines, num_text_columns=4)


def _sorts_table(
    rows: list[dict], work: str, fields: tuple, titles: tuple, cells: Callable[[list[dict]], dict[str, str]]
) -> str:
    letters, lines, header = name_machines(rows), [], []
    for key, group in group_rows(counted_rows(rows, work), *fields, "machine", "sorter").items():
        named = cells(group)
        header = [*titles, "machine", "sorter", *named, "runs"]
        *values, machine, sorter = key
        lines.append([*values, letters[machine], sorter, *named.values(), len(group)])
    # By machine, in the order of the sizes; sorters in the order in which they were measured.
    sizes = list(dict.fromkeys(tuple(line[: len(titles)]) for line in lines))
    lines.sort(key=lambda line: (sizes.index(tuple(line[: len(titles)])), line[len(titles)]))
    failed = [row for row in rows if row["work"] == work and row.get("error") is not None]
    failures = dict.fromkeys(f"- {row['size']}, {row['sorter']}: {row['error']}" for row in failed)
    table = markdown_table(header, lines, num_text_columns=len(titles) + 2) if lines else NOTHING
    return table + ("\n\nFailures:\n\n" + "\n".join(failures) if failures else "")


def _condition_cells(rows: list[dict]) -> dict[str, str]:
    found = [f"{row['scores']['num_well_detected_units']} of {row['scores']['num_true_units']}" for row in rows[:1]]
    return {
        "accuracy": median_and_range({row["scores"]["accuracy"] for row in rows}, 3),
        "units >= 0.8": found[0],
        "wall (s)": median_and_range(row["seconds"] for row in rows),
        "CPU (s)": median_and_range(row["cpu_seconds"] for row in rows),
        "memory (GiB)": median_and_range((row["peak_own_memory_mib"] for row in rows), 2, GIB_IN_MIB),
        "with mapped files (GiB)": median_and_range((row["peak_memory_mib"] for row in rows), 2, GIB_IN_MIB),
    }


def _generated_cells(rows: list[dict]) -> dict[str, str]:
    per_second = [row["cpu_seconds"] / row["duration_s"] for row in rows]
    return {
        "peaks/s": median_and_range([median_of(rows, "peaks_per_s")], 0),
        "wall (s)": median_and_range((row["seconds"] for row in rows), 0),
        "times real time": median_and_range((row["realtime_factor"] for row in rows), 2),
        "CPU s per s": median_and_range(per_second, 2),
        "memory (GiB)": median_and_range((row["peak_own_memory_mib"] for row in rows), 2, GIB_IN_MIB),
        "disk (GiB)": median_and_range((row["peak_disk_mib"] for row in rows), 1, GIB_IN_MIB),
        "traces": rows[0]["traces"],
        "accuracy": median_and_range({row["scores"]["accuracy"] for row in rows}, 3),
        "units >= 0.8": f"{rows[0]['scores']['num_well_detected_units']} of {rows[0]['num_scored_units']}",
    }


def _stages(row: dict) -> dict[str, float]:
    """Stage -> s, with the time outside of all stages."""
    return {**row["stages"], OUTSIDE: row["seconds"] - sum(row["stages"].values())}


def _minutes(row: dict) -> float:
    return round(row["recording"]["duration_s"] / 60, 2)
