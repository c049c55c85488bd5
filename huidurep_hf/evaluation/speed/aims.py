"""What was aimed at, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from ..records.tables import markdown_table
from ..sorters.sorting_process import OUR_SORTER
from .embedding_tables import best_share, times_published
from .embedding_work import EMBEDDING_WORK
from .row_groups import GIB_IN_MIB, added_mib, counted_rows, group_rows, is_gpu, median_of, name_machines
from .speed_cases import CONDITION_WORK, GENERATED_WORK

MAX_CPU_S, COMPARED_ACCURACY = 40.0, 0.05
MIN_REALTIME = {"small": 4.0, "dense": 1.0}
MIN_REALTIME_GPU, MIN_TIMES_KILOSORT = 20.0, 3.0
MAX_MEMORY_GIB, MAX_GROWTH = 6.0, 0.1
MIN_TIMES_PUBLISHED, MIN_SHARES = 100.0, {"float32": 0.6, "bfloat16": 0.45}


def aims_table(rows: list[dict]) -> str:
    """Each aim with its figure (a median) and whether it is met, machine by machine; and those of a GPU without one."""
    letters, lines = name_machines(rows), []
    for (machine,), own in group_rows(rows, "machine").items():
        parts = (*_condition_aims(own), *_generated_aims(own), *_memory_aims(own), *_embedding_aims(own))
        lines += [
            [letters[machine], work, aim, figure, "yes" if is_met else "no"] for work, aim, figure, is_met in parts
        ]
    if not lines:
        return "Not measured yet."
    if not any(is_gpu(row) for row in rows if row["work"] == GENERATED_WORK):
        for aim in (
            f"at least {MIN_REALTIME_GPU:g} times real time",
            f"at least {MIN_TIMES_KILOSORT:g} times faster than Kilosort4",
        ):
            lines.append(["with a GPU", "dense", aim, "not measured", "not known"])
    return markdown_table(["machine", "work", "aim", "measured", "met"], lines, num_text_columns=5)


def _condition_aims(rows: list[dict]) -> Iterator[tuple[str, str, str, bool]]:
    for (size,), group in group_rows(counted_rows(rows, CONDITION_WORK), "size").items():
        sorters = {name: own for (name,), own in group_rows(group, "sorter").items()}
        ours = sorters.pop(OUR_SORTER, None)
        if ours is None:
            continue
        cpu, wall = median_of(ours, "cpu_seconds"), median_of(ours, "seconds")
        yield size, f"at most {MAX_CPU_S:g} CPU-s", f"{cpu:.1f} CPU-s", cpu <= MAX_CPU_S
        accuracy = _accuracy(ours)
        near = {
            name: median_of(own, "seconds")
            for name, own in sorters.items()
            if _accuracy(own) >= accuracy - COMPARED_ACCURACY
        }
        aim = f"faster than every peer within {COMPARED_ACCURACY:g} of its accuracy"
        others = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in near.items()) or "no peer is that near"
        yield size, aim, f"{wall:.1f} s; {others}", all(wall < seconds for seconds in near.values())


def _generated_aims(rows: list[dict]) -> Iterator[tuple[str, str, str, bool]]:
    for size, least in MIN_REALTIME.items():
        sized = [row for row in counted_rows(rows, GENERATED_WORK) if row["size"] == size]
        ours = [row for row in sized if row["sorter"] == OUR_SORTER]
        if not ours:
            continue
        factor = median_of(ours, "realtime_factor")
        if size == "dense" and is_gpu(ours[0]):
            least = MIN_REALTIME_GPU
            kilosort = median_of([row for row in sized if row["sorter"] == "kilosort4"], "seconds")
            if kilosort is not None:
                times = kilosort / median_of(ours, "seconds")
                aim = f"at least {MIN_TIMES_KILOSORT:g} times faster than Kilosort4"
                yield size, aim, f"{times:.2f} times", times >= MIN_TIMES_KILOSORT
        yield size, f"at least {least:g} times real time", f"{factor:.2f} times", factor >= least


def _memory_aims(rows: list[dict]) -> Iterator[tuple[str, str, str, bool]]:
    # Lazy traces take memory themselves: lengths are compared where traces are read in the same way.
    ours = counted_rows(rows, GENERATED_WORK, OUR_SORTER)
    for (channels, traces), group in group_rows(ours, "num_channels", "traces").items():
        work = f"memory, {channels} channels, {traces}"
        # Not the sorter's: what a lazy recording holds itself.
        highest, beyond = max(row["peak_own_memory_mib"] for row in group) / GIB_IN_MIB, ""
        if traces == "lazy":
            highest = max(map(added_mib, group)) / GIB_IN_MIB
            beyond = f" beyond {max(row['start_memory_mib'] for row in group) / GIB_IN_MIB:.2f} GiB before the sort"
        yield work, f"at most {MAX_MEMORY_GIB:g} GiB", f"{highest:.2f} GiB{beyond}", highest <= MAX_MEMORY_GIB
        added = {
            seconds: median(map(added_mib, own)) for (seconds,), own in sorted(group_rows(group, "duration_s").items())
        }
        if len(added) > 1:
            growth = max(added.values()) / next(iter(added.values())) - 1
            minutes = " to ".join(f"{seconds / 60:g}" for seconds in (min(added), max(added)))
            yield work, f"flat to within {MAX_GROWTH:.0%}", f"{growth:+.0%} over {minutes} min", growth <= MAX_GROWTH


def _embedding_aims(rows: list[dict]) -> Iterator[tuple[str, str, str, bool]]:
    turns = counted_rows(rows, EMBEDDING_WORK)
    if not turns:
        return
    times = times_published(turns)
    aim = f"at least {MIN_TIMES_PUBLISHED:g} times the published path"
    yield EMBEDDING_WORK, aim, f"{times:.0f} times", times >= MIN_TIMES_PUBLISHED
    for dtype, least in MIN_SHARES.items():
        share = best_share(turns, dtype)
        yield EMBEDDING_WORK, f"at least {least:.0%} of the {dtype} matrix peak", f"{share:.0%}", share >= least


def _accuracy(rows: list[dict]) -> float:
    return median_of([row["scores"] for row in rows], "accuracy")
