"""Read a spike dataset for the trainer: pairs of spikes of one unit, in batches of units from one kind of probe."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, load_dataset

from .view_parameters import Spikes


@dataclass(frozen=True)
class SpikeGeometry:
    """What all spikes of a dataset share: the shape of their waveforms, their rate and where the trough lies."""

    num_samples: int
    num_channels: int
    sampling_rate: float
    peak_sample: int


def load_spikes(path: str | Path, split: str = "train") -> tuple[Dataset, SpikeGeometry]:
    """Return a split of a spike dataset and its geometry.

    Args:
        path: folder or hub name of a dataset laid out as `docs/architecture.md` says.
        split: `train` or `test`.

    Raises:
        ValueError: if there is no such dataset, or it does not state its geometry.
    """
    try:
        spikes = load_dataset(str(path), split=split)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(
            f"No spike dataset with a split {split!r} in {str(path)!r} ({error}). "
            "Make one with: python scripts/build_dataset.py --output data/spikes"
        ) from error
    return spikes, read_geometry(spikes)


def read_geometry(spikes: Dataset) -> SpikeGeometry:
    """Return the geometry that a spike dataset states, as JSON, in its description.

    Raises:
        ValueError: if it states none.
    """
    try:
        return SpikeGeometry(**json.loads(spikes.info.description))
    except (TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"The dataset's description is {spikes.info.description!r}; a spike dataset states num_samples, "
            "num_channels, sampling_rate and peak_sample there, as JSON. See docs/architecture.md."
        ) from error


class SpikePairs:
    """The rows of a spike dataset, read as pairs of spikes of one unit.

    All rows are held in memory (5 kB a row): reading is then a copy, and never what a training step waits for.
    """

    def __init__(self, spikes: Dataset, geometry: SpikeGeometry):
        self.geometry = geometry
        shape = (-1, geometry.num_samples, geometry.num_channels)
        self.waveforms = _flat_column(spikes, "waveform").reshape(shape)
        self.positions = _flat_column(spikes, "channel_positions").reshape(-1, geometry.num_channels, 2)
        self.mask = _flat_column(spikes, "channel_mask").reshape(-1, geometry.num_channels)
        self.locations = _flat_column(spikes, "location").reshape(-1, 2)
        self.unit_ids, self.first_row, self.num_rows = _runs(np.asarray(spikes["unit_id"]))
        self.probes = np.asarray(spikes["probe"])[self.first_row]

    def __len__(self) -> int:
        return len(self.unit_ids)

    def read(self, units: np.ndarray, random: np.random.Generator) -> tuple[Spikes, Spikes, torch.Tensor]:
        """Return two rows of each unit, drawn with replacement, and the units' ids `(n,)`.

        Args:
            units: indices of units (not ids), `(n,)`.
            random: from which the rows are drawn.
        """
        draws = np.floor(random.random((2, len(units))) * self.num_rows[units]).astype(int)
        first, second = (self.rows(self.first_row[units] + draw) for draw in draws)
        return first, second, torch.from_numpy(self.unit_ids[units].astype(np.int64))

    def rows(self, rows: np.ndarray) -> Spikes:
        """Return clean spikes by their row."""
        return Spikes(
            torch.from_numpy(self.waveforms[rows].astype(np.float32)),
            torch.from_numpy(self.positions[rows].astype(np.float32)),
            torch.from_numpy(self.mask[rows].astype(bool)),
            torch.from_numpy(self.locations[rows].astype(np.float32)),
        )


class ProbeBatches:
    """Batches of units that sit on the same kind of probe, in an order that follows from the seed alone.

    Units on other probes are told apart by their geometry; as negatives they teach little. Each epoch shuffles the
    units of a probe and the order of the batches; what does not fill a batch is left for another epoch. Any batch can
    be asked for by its number, so a resumed run needs no state of a data loader.

    Args:
        probes: the probe of each unit, `(num_units,)`.
        batch_size: units in a batch, over all processes.
        seed: from which the order follows.

    Raises:
        ValueError: if no probe has enough units for a batch.
    """

    def __init__(self, probes: np.ndarray, batch_size: int, seed: int = 0):
        self.probes = np.asarray(probes)
        self.batch_size = batch_size
        self.seed = seed
        counts = np.unique(self.probes, return_counts=True)[1]
        self.batches_per_epoch = int((counts // batch_size).sum())
        if self.batches_per_epoch == 0:
            raise ValueError(
                f"No probe has the {batch_size} units of a batch (most: {counts.max(initial=0)}). "
                "Take a smaller batch_size or a larger dataset."
            )
        self._epoch, self._plan = None, None

    def units(self, index: int) -> np.ndarray:
        """Return the units `(batch_size,)` of a batch by its number, counted through all epochs."""
        epoch, position = divmod(index, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._plan = epoch, self._shuffle(epoch)
        return self._plan[position]

    def _shuffle(self, epoch: int) -> np.ndarray:
        random = np.random.default_rng([self.seed, epoch])
        batches = []
        for probe in np.unique(self.probes):
            units = random.permutation(np.flatnonzero(self.probes == probe))
            full = len(units) // self.batch_size * self.batch_size
            batches.append(units[:full].reshape(-1, self.batch_size))
        return random.permutation(np.concatenate(batches))


def _flat_column(spikes: Dataset, name: str) -> np.ndarray:
    """Return a column of fixed-length lists as one flat array, without a Python object for each row."""
    column = spikes.with_format("arrow")[:][name]
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False)


def _runs(unit_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each unit's id, first row and number of rows; the rows of a unit stand together."""
    if len(unit_ids) == 0:
        raise ValueError("The dataset is empty: there is nothing to train on.")
    first = np.flatnonzero(np.r_[True, unit_ids[1:] != unit_ids[:-1]])
    if len(np.unique(unit_ids)) != len(first):
        raise ValueError("Rows of one unit do not stand together; sort the dataset by unit_id.")
    return unit_ids[first], first, np.diff(np.r_[first, len(unit_ids)])
