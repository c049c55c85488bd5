"""What very much data would take, from the measured rates, on paper."""

from __future__ import annotations

from statistics import median

from ..records.tables import markdown_table
from ..sorters.sorting_process import OUR_SORTER
from .row_groups import GIB_IN_MIB, added_mib, counted_rows, group_rows, median_of
from .sorting_tables import NOTHING
from .speed_cases import GENERATED_WORK

NUM_CHANNELS, SAMPLING_RATE, BYTES_PER_SAMPLE = 384, 30000, 2
HOURS = 1000
PRICE_PER_CORE_HOUR = 0.05
HOUR_S = 3600
# Stages that work on a bounded number of peaks, however long the recording; the other stages grow with its length.
BOUNDED_STAGES = ("embed", "learn clusters", "learn units")
# A machine that recordings are shared out to.
MACHINE_CORES = 64


def paper_table(rows: list[dict], price_per_core_hour: float = PRICE_PER_CORE_HOUR) -> str:
    """Time, memory, disk and money of 1,000 recordings of an hour and 384 channels: formula and value.

    Rates are of the longest measured recording of 384 channels that was read from disk, on a machine without a GPU.
    Where it is shorter than an hour, what grows with the length is projected to one, and what does not is taken once.
    Memory is of the longest of all, without what a lazy recording holds itself.

    Args:
        rows: of the file of figures.
        price_per_core_hour: of a rented core, in any currency.
    """
    done = [row for row in counted_rows(rows, GENERATED_WORK, OUR_SORTER) if row["num_channels"] == NUM_CHANNELS]
    done = [row for row in done if row["gpu_memory_mib"] is None]
    read = [row for row in done if row["traces"] == "binary"]
    if not read:
        return NOTHING
    longest = max(row["duration_s"] for row in read)
    used = [row for row in read if row["duration_s"] == longest]
    cores = _num_cores(used[0])
    wall = median_of(used, "seconds")
    bounded = sum(median_of([row.get("stages") or {} for row in used], stage) or 0.0 for stage in BOUNDED_STAGES)
    slowness = (bounded + (wall - bounded) * HOUR_S / longest) / HOUR_S
    cpu = slowness * median_of(used, "cpu_seconds") / wall
    core_hours = cores * slowness * HOURS
    hour_gb = 1e-9 * BYTES_PER_SAMPLE * NUM_CHANNELS * SAMPLING_RATE * HOUR_S
    largest = max(row["duration_s"] for row in done)
    held = median_of(used, "start_memory_mib") + median(added_mib(row) for row in done if row["duration_s"] == largest)
    memory = held / GIB_IN_MIB
    events = HOUR_S * (median_of(used, "peaks_per_s") or 0.0)
    lines = [
        ["raw data", f"{HOURS} h · {hour_gb:.0f} GB/h", f"{1e-3 * HOURS * hour_gb:,.0f} TB"],
        ["busy cores", f"{HOURS} h · {cpu:.2f} CPU-s per s", f"{HOURS * cpu:,.0f} core-hours"],
        ["rented cores", f"{HOURS} h · {slowness:.2f} s per s · {cores} cores", f"{core_hours:,.0f} core-hours"],
        ["time, one such machine", f"{HOURS} h · {slowness:.2f} / 24", f"{HOURS * slowness / 24:,.1f} days"],
        [
            f"time, {MACHINE_CORES} cores",
            f"{core_hours:,.0f} core-hours / {MACHINE_CORES} / 24, {MACHINE_CORES // cores} sorts at once",
            f"{core_hours / MACHINE_CORES / 24:,.1f} days",
        ],
        [
            "money",
            f"{core_hours:,.0f} core-hours · {price_per_core_hour:g}",
            f"{core_hours * price_per_core_hour:,.0f}",
        ],
        [
            f"memory, {MACHINE_CORES} cores",
            f"{MACHINE_CORES // cores} sorts · {memory:.1f} GiB (measured at {largest / 60:g} min)",
            f"{MACHINE_CORES // cores * memory:,.0f} GiB",
        ],
        [
            "scratch disk",
            f"{MACHINE_CORES // cores} sorts · {hour_gb:.0f} GB",
            f"{1e-3 * (MACHINE_CORES // cores) * hour_gb:,.1f} TB",
        ],
        ["events", f"{HOURS} h · {events:,.0f} an hour", f"{1e-9 * HOURS * events:,.1f} billion"],
    ]
    growth = _bytes_per_event(done)
    if growth is not None:
        whole = f"{1e-12 * growth * HOURS * events:,.1f} TB"
        lines.append(["memory of one recording of 1,000 h", f"growth measured, {growth:,.0f} B an event", whole])
    return markdown_table(["what", "formula", "value"], lines, num_text_columns=3)


def _bytes_per_event(rows: list[dict]) -> float | None:
    """Growth of peak memory with detected peaks, from the shortest to the longest recording."""
    groups = group_rows(rows, "duration_s")
    if len(groups) < 2:
        return None
    short, long = groups[min(groups)], groups[max(groups)]
    more_memory = 2**20 * (median(map(added_mib, long)) - median(map(added_mib, short)))
    return max(more_memory / (median_of(long, "num_peaks") - median_of(short, "num_peaks")), 0.0)


def _num_cores(row: dict) -> int:
    (cores,) = (part.split()[0] for part in row["machine"].split(", ") if part.endswith(" cores"))
    return int(cores)
