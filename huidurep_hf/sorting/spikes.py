"""The table of spikes that every stage takes and gives back with more columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

PEAK_DTYPES = {"segment_index": "int32", "sample_index": "int64", "channel_index": "int32", "amplitude": "float32"}
ORDER = ("segment_index", "sample_index", "unit_index", "channel_index")
# What an event can turn out to be; a column `outcome` holds int8 indices of these.
OUTCOMES = ("unit", "duplicate", "small unit", "noise")
UNIT, DUPLICATE, SMALL_UNIT, NOISE = range(len(OUTCOMES))


class Spikes:
    """Columns of one length: a row is a detected peak or a spike that template matching found.

    Names are SpikeInterface's where it has one: `segment_index`, `sample_index`, `channel_index` (of the preprocessed
    recording) and `amplitude` (in the unit of its traces) come first; each stage adds its own. Types are as small as
    values allow: an hour of 384 channels has 14 million events.
    A table is never changed: [`with_columns`] gives a new one.

    Args:
        columns: name -> array, its rows in the first dimension.

    Raises:
        ValueError: columns of different lengths.
    """

    def __init__(self, **columns: np.ndarray):
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Got columns of different lengths: {lengths}.")
        self._columns = columns

    @classmethod
    def from_peaks(cls, peaks: np.ndarray) -> Spikes:
        """Table of spikes from SpikeInterface's structured array of peaks, as detection gives them."""
        return cls(**{name: peaks[name].astype(dtype) for name, dtype in PEAK_DTYPES.items()})

    def to_peaks(self) -> np.ndarray:
        """Return SpikeInterface's structured array of peaks, `(num_spikes,)`."""
        from spikeinterface.core.base import base_peak_dtype

        peaks = np.zeros(len(self), dtype=base_peak_dtype)
        for name in peaks.dtype.names:
            peaks[name] = self[name]
        return peaks

    @classmethod
    def concatenate(cls, tables: Iterable[Spikes]) -> Spikes:
        """One table after the other; all have the same columns."""
        parts: dict[str, list[np.ndarray]] = {}
        for table in tables:
            for name, column in table.columns.items():
                parts.setdefault(name, []).append(column)
        # One column after the other: its parts are let go once it is whole.
        return cls(**{name: np.concatenate(parts.pop(name)) for name in list(parts)})

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """All columns by name."""
        return dict(self._columns)

    def chosen(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Some columns by name."""
        return {name: self._columns[name] for name in names}

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __getitem__(self, key: str | slice | np.ndarray) -> np.ndarray | Spikes:
        """A column by its name; or the rows of an index, slice or bool array, as a table."""
        if isinstance(key, str):
            return self._columns[key]
        return Spikes(**{name: column[key] for name, column in self._columns.items()})

    def with_columns(self, **columns: np.ndarray) -> Spikes:
        """Return this table with further columns, or others in place of those of the same name."""
        return Spikes(**{**self._columns, **columns})

    def in_order(self) -> Spikes:
        """Return the rows by segment, sample, unit and channel; columns that are so already stay what they are."""
        return in_order(self.columns)

    def on_disk(self, folder: Path) -> Spikes:
        """Return the same table with its columns in files of a folder, of which only what is used is read.

        Args:
            folder: is made, and files of these names in it are replaced. What is written into a column stays in memory.
        """
        folder.mkdir(parents=True, exist_ok=True)
        columns = {}
        for name, column in self._columns.items():
            np.save(folder / f"{name}.npy", column)
            columns[name] = np.asarray(np.load(folder / f"{name}.npy", mmap_mode="c"))
        return Spikes(**columns)


def rows_of_units(units: np.ndarray, num_units: int) -> list[np.ndarray]:
    """Rows of each unit, in order: one sort, as a search for each unit would go through all events again.

    Args:
        units: `(num_rows,)` numbers of units, -1 for none.
        num_units: how many there are.
    """
    order = np.argsort(units, kind="stable")
    # Of their own type: numpy would copy all of them to compare them with another.
    bounds = np.arange(num_units + 1, dtype=units.dtype)
    return np.split(order, np.searchsorted(units[order], bounds))[1:-1]


def in_order(columns: dict[str, np.ndarray]) -> Spikes:
    """Make a table whose rows are by segment, sample, unit and channel.

    Args:
        columns: of the table, in any order. They are taken out one by one, so that only one of them is in memory twice
            where nobody else holds them. Those that are in order already stay what they are.
    """
    keys = [columns[name] for name in ORDER if name in columns]
    if _are_in_order(keys):
        return Spikes(**columns)
    order = np.lexsort(keys[::-1])
    del keys
    return Spikes(**{name: columns.pop(name)[order] for name in list(columns)})


def _are_in_order(keys: list[np.ndarray]) -> bool:
    """Whether rows ascend by the first key, those of one value by the second, and so on."""
    is_tied = np.ones(max(len(keys[0]) - 1, 0), dtype=bool)
    for key in keys:
        if np.any(is_tied & (key[1:] < key[:-1])):
            return False
        is_tied &= key[1:] == key[:-1]
    return True
