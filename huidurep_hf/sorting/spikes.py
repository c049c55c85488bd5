"""The table of spikes that every stage takes and gives back with more columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PEAK_DTYPES = {"segment_index": "int32", "sample_index": "int64", "channel_index": "int32", "amplitude": "float32"}
# What can become of an event; a column `outcome` holds int8 indices of these.
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
        tables = list(tables)
        return cls(**{name: np.concatenate([table[name] for table in tables]) for name in tables[0].names})

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
        """Return the rows by segment, sample, unit and channel."""
        keys = ("channel_index", "unit_index", "sample_index", "segment_index")
        return self[np.lexsort([self._columns[name] for name in keys if name in self._columns])]
