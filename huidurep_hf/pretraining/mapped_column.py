"""Rows of a dataset's column, read where they lie: on disk, or held by a GPU."""

import numpy as np
import torch
from datasets import Dataset


class MappedColumn:
    """A column of fixed-length lists of numbers, as an array whose rows stay in the memory-mapped Arrow file.

    The operating system reads the pages that are asked for and keeps those for which there is memory, shared among
    the processes of a run; a dataset may be larger than memory.

    Args:
        spikes: a dataset; the rows of one that was selected or shuffled are copied into memory.
        name: column.
        shape: of a row, as which its flat list is seen.

    Attributes:
        chunks: the parts of the file, each `(num_rows, *shape)`.
        shape: of the whole.
    """

    def __init__(self, spikes: Dataset, name: str, shape: tuple[int, ...]):
        chunks = spikes.with_format("arrow")[:][name].chunks
        # Without copying: a chunk's array is a view of the file.
        self.chunks = [
            chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, *shape) for chunk in chunks if len(chunk)
        ]
        self._ends = np.cumsum([len(chunk) for chunk in self.chunks], dtype=np.int64)
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
            values[place] = self.chunks[chunk][row - self._ends[chunk]]
        return values

    @property
    def num_bytes(self) -> int:
        """Size of all rows, as they are stored."""
        return sum(chunk.nbytes for chunk in self.chunks)


class HeldColumn:
    """A column whose rows lie in the memory of a device, as they are stored.

    A GPU takes a step in the time that a processor needs to copy its rows; here it reads them itself.

    Args:
        column: what to copy, whole.
        device: where to.
    """

    def __init__(self, column: MappedColumn, device: torch.device):
        # Copies: torch takes no array that cannot be written to.
        self.values = torch.cat([torch.from_numpy(chunk.copy()).to(device) for chunk in column.chunks])

    def __getitem__(self, rows: np.ndarray) -> torch.Tensor:
        """Return rows by their numbers `(n,)`, as float32 `(n, *shape)` on the device."""
        return self.values[torch.as_tensor(rows, device=self.values.device)].float()
