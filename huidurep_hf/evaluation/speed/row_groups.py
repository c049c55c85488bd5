"""Rows of several runs in a few words: which count, which belong together, median and range."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from ..sorters.sorting_process import OUR_SORTER
from .sorting_speed import WARM_UP_TURN

GIB_IN_MIB = 1024


def counted_rows(rows: Iterable[dict], work: str, sorter: str | None = None) -> list[dict]:
    """Rows of a work that are no warm-up and did not fail; of one sorter if it is named."""
    return [
        row
        for row in rows
        if row["work"] == work
        and row["turn"] != WARM_UP_TURN
        and row.get("error") is None
        and sorter in (None, row.get("sorter"))
    ]


def group_rows(rows: Iterable[dict], *fields: str) -> dict[tuple, list[dict]]:
    """Values of these fields -> rows that share them, in the order in which they come."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[field] for field in fields), []).append(row)
    return groups


def median_of(rows: Iterable[dict], field: str) -> float | None:
    """Median of a field over the rows that have it; None if none has."""
    values = [row[field] for row in rows if row.get(field) is not None]
    return statistics.median(values) if values else None


def added_mib(row: dict) -> float:
    """Peak memory of a sort beyond what was there before it: a lazy recording holds its true spikes."""
    return row["peak_own_memory_mib"] - row["start_memory_mib"]


def median_and_range(values: Iterable[float | None], digits: int = 1, divisor: float = 1.0) -> str:
    """Return `median (min to max)`, the value alone if there is one, a dash for none; each divided by `divisor`."""
    known = [value / divisor for value in values if value is not None]
    if not known:
        return "–"
    middle = f"{statistics.median(known):,.{digits}f}"
    return middle if len(known) == 1 else f"{middle} ({min(known):,.{digits}f} to {max(known):,.{digits}f})"


def of_compared_machines(rows: Iterable[dict]) -> list[dict]:
    """Rows of the machines that ours was measured on: elsewhere peers' rows have nothing to stand beside."""
    rows = list(rows)
    compared = {row["machine"] for row in rows if row.get("sorter", OUR_SORTER) == OUR_SORTER}
    return [row for row in rows if row["machine"] in compared]


def name_machines(rows: Iterable[dict]) -> dict[str, str]:
    """Machine -> letter, in the order in which they come."""
    machines = dict.fromkeys(row["machine"] for row in rows)
    return {machine: chr(ord("A") + place) for place, machine in enumerate(machines)}


def is_gpu(row: dict) -> bool:
    """Whether a sort of ours used a GPU, or the machine has one that a peer may have used."""
    return "NVIDIA" in row["machine"]
