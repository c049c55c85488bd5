"""Rows of a dataset's column, read where they lie on disk."""

import numpy as np
from datasets import Dataset


class MappedColumn:
    """A column of fixed-length lists of numbers, as an array whose rows stay in the memory-mapped Arrow file.

    The operating system reads the pages that are asked for and keeps those for which there is memory, shared among
    the processes of a run; a dataset may be larger than memory.

    Args:
        spikes: a dataset; the rows of one that was selected or shuffled are copied into memory.
        name: column.
        shape: of a row, as which its flat list is seen.
    """

    def __init__(self, spikes: Dataset, name: str, shape: tuple[int, ...]):
        chunks = spikes.with_format("arrow")[:][name].chunks
        # Without copying: a chunk's array is a view of the file.
        self._chunks = [
            chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, *shape) for chunk in chunks if len(chunk)
        ]
        self._ends = np.cumsum([len(chunk) for chunk in self._chunks], dtype=np.int64)
        self.shape = (len(spikes), *shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return rows by their numbers `(n,)`, as float32 `(n, *shape)`."""
        rows = np.asarray(rows)
        values = np.empty((len(rows), *self.shape[1:]), dtype=np.float32)
        chunks = np.searchsorted(self._ends, rows, side="right")
        # A loop over rows, not over chunks: rows drawn at random seldom share one, and each is a cheap copy.
        for place, (chunk, row) in enumerate(zip(chunks.tolist(), rows.tolist())):
            values[place] = self._chunks[chunk][row - self._ends[chunk]]
        return values
