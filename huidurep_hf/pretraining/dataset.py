"""Read a spike dataset for the trainer: pairs of spikes of one unit, in batches of units from one kind of probe."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import torch
from datasets import Dataset, concatenate_datasets

from ..spike_dataset.geometry import (
    GEOMETRY_COLUMNS,
    PEAK_POSITION,
    SpikeGeometry,
    read_geometry,
    with_peak_positions,
)
from ..spike_dataset.loading import open_spikes
from .mapped_column import HeldColumn, MappedColumn
from .view_parameters import Spikes

COLUMNS = (
    "waveform",
    "channel_positions",
    "channel_mask",
    "unit_id",
    "location",
    "displacement_um",
    "cell_type",
    "probe",
    "layout",
    *GEOMETRY_COLUMNS,
)
"""Columns that the trainer reads; of recorded spikes also `peak_position`, where there is one."""


def load_spikes(sources: str | Path | Sequence[str | Path], split: str = "train") -> tuple[Dataset, SpikeGeometry]:
    """Return a split of a spike dataset, or of several one after the other, and the geometry of its spikes.

    Args:
        sources: folder, Parquet file or hub name of a dataset laid out as `docs/architecture.md` says, or several of
            them. The unit ids of several are numbered on, so that none is used twice.
        split: `train` or `test`.

    Raises:
        ImportError: `datasets` is not installed.
        ValueError: if there is no such dataset, it does not say its geometry, or the geometries differ.
    """
    sources = [sources] if isinstance(sources, str | Path) else list(sources)
    if not sources:
        raise ValueError("No spike dataset was named; give a folder or a hub name, or several.")
    parts = [_load_source(source, split) for source in sources]
    geometry = parts[0][1]
    for source, (_, other) in zip(sources, parts):
        if other.shape != geometry.shape:
            raise ValueError(
                f"The spikes of {str(source)!r} are {_in_words(other)}; those of {str(sources[0])!r} are "
                f"{_in_words(geometry)}. Only datasets of one geometry can be read together."
            )
    if len(parts) == 1:
        return parts[0]
    first_id, numbered = 0, []
    columns = COLUMNS
    if any(PEAK_POSITION in spikes.column_names for spikes, _ in parts):
        columns = (*COLUMNS, PEAK_POSITION)
        parts = [(with_peak_positions(spikes), geometry) for spikes, geometry in parts]
    for spikes, _ in parts:
        ids = np.asarray(spikes["unit_id"])
        rest = spikes.select_columns([name for name in columns if name != "unit_id"])
        ids = (ids - ids.min() + first_id).astype(np.int32)
        numbered.append(rest.add_column("unit_id", ids, feature=spikes.features["unit_id"]))
        first_id = int(ids.max()) + 1
    together = concatenate_datasets(numbered)
    # `datasets` would leave out those that state none.
    together.info.license = " ".join(sorted({spikes.info.license or "unknown" for spikes, _ in parts}))
    return together, read_geometry(together)


def _load_source(source: str | Path, split: str) -> tuple[Dataset, SpikeGeometry]:
    spikes = open_spikes(source, split)
    missing = [name for name in COLUMNS if name not in spikes.column_names]
    if missing:
        raise ValueError(f"The dataset {str(source)!r} has no column {', '.join(missing)}; build it anew.")
    return spikes, read_geometry(spikes)


def _in_words(geometry: SpikeGeometry) -> str:
    num_samples, num_channels, rate, peak_sample = geometry.shape
    return f"{num_samples} samples at {rate:g} Hz on {num_channels} channels, trough at sample {peak_sample}"


def describe_data(spikes: Dataset) -> dict:
    """Return what a card says of the spikes that a model was trained on: licences, neurons and probes, by name."""
    return {
        # Those of several datasets stand in one line.
        "licenses": sorted(set((spikes.info.license or "unknown").split())),
        "neurons": sorted(spikes.unique("cell_type")),
        "probes": sorted(spikes.unique("probe")),
    }


class SpikePairs:
    """The rows of a spike dataset, read as pairs of spikes of one unit.

    Waveforms and positions stay on disk, memory-mapped (5.3 kB a row; see [`MappedColumn`]), unless a GPU holds them
    (see [`SpikePairs.hold_on`]); masks, locations and ids, 1 % of that, are held in memory.

    Attributes:
        unit_ids, probes, first_row, num_rows: of each unit, `(num_units,)`.
        is_recorded: `(num_all_rows,)` bool: a recorded spike with its noise in it, in SDs of it, rather than a clean
            one in µV.
        peak_positions: `(num_all_rows, 2)` where the peak channel lies on the probe, µm; NaN where that is not known.
    """

    def __init__(self, spikes: Dataset, geometry: SpikeGeometry):
        self.geometry = geometry
        self.waveforms = MappedColumn(spikes, "waveform", (geometry.num_samples, geometry.num_channels))
        self.positions = MappedColumn(spikes, "channel_positions", (geometry.num_channels, 2))
        self.mask = _flat_column(spikes, "channel_mask").reshape(-1, geometry.num_channels)
        self.locations = _flat_column(spikes, "location").reshape(-1, 2)
        self.displacements_um = np.asarray(spikes["displacement_um"], dtype=np.float32)
        self.unit_ids, self.first_row, self.num_rows = _runs(np.asarray(spikes["unit_id"]))
        probes = zip(self._of_units(spikes, "probe"), self._of_units(spikes, "layout"))
        self.probes = np.array([f"{probe} {layout}" for probe, layout in probes])
        is_recorded = np.array([cell == "recorded" for cell in self._of_units(spikes, "cell_type")])
        self.is_recorded = np.repeat(is_recorded, self.num_rows)
        self.peak_positions = _peak_positions(spikes)

    def __len__(self) -> int:
        return len(self.unit_ids)

    @property
    def num_bytes(self) -> int:
        """Size of the waveforms and positions."""
        return self.waveforms.num_bytes + self.positions.num_bytes

    def hold_on(self, device: torch.device) -> None:
        """Copy waveforms and positions to a device's memory, and read them from there from now on."""
        self.waveforms, self.positions = HeldColumn(self.waveforms, device), HeldColumn(self.positions, device)

    def read(
        self,
        units: np.ndarray,
        random: np.random.Generator,
        max_displacement_um: float = np.inf,
        pairs_per_unit: int = 1,
    ) -> tuple[Spikes, Spikes, torch.Tensor]:
        """Return pairs of rows of each unit, drawn with replacement, and the units' ids `(n * pairs_per_unit,)`.

        Args:
            units: indices of units (not ids), `(n,)`.
            random: from which the rows are drawn.
            max_displacement_um: a row displaced farther than this from the unit's first gives way to that.
            pairs_per_unit: a pair of every unit follows another, so that the next spikes are of other units.
        """
        shape = (2, pairs_per_unit, len(units))
        rows = self.first_row[units] + np.floor(random.random(shape) * self.num_rows[units]).astype(int)
        apart = np.abs(self.displacements_um[rows] - self.displacements_um[rows[0, 0]])
        first, second = np.where(apart <= max_displacement_um, rows, rows[0, 0]).reshape(2, -1)
        ids = np.tile(self.unit_ids[units].astype(np.int64), pairs_per_unit)
        return *self._with_partners(first, second), torch.from_numpy(ids)

    def _with_partners(self, first: np.ndarray, second: np.ndarray) -> tuple[Spikes, Spikes]:
        """Return pairs of rows; of recorded ones each is the other's partner where both are on the same channels."""
        pair = self.rows(first), self.rows(second)
        at_same = (self.peak_positions[first] == self.peak_positions[second]).all(axis=1)
        may_be = at_same & self.is_recorded[first] & self.is_recorded[second]
        if not may_be.any():
            return pair
        one, other = pair
        # A unit may have been followed through recordings with different bad channels.
        same_contacts = (one.positions == other.positions).flatten(1).all(dim=1).cpu()
        same_contacts &= (one.mask == other.mask).all(dim=1).cpu()
        # No spike is its own partner, nor is one that a sorting lists twice: its noise would be learned.
        differ = (one.waveforms != other.waveforms).flatten(1).any(dim=1).cpu()
        known = (torch.from_numpy(may_be) & same_contacts & differ)[:, None, None].to(one.waveforms.device)
        return tuple(
            replace(mine, partners=torch.where(known, theirs.waveforms, torch.nan))
            for mine, theirs in (pair, pair[::-1])
        )

    def rows(self, rows: np.ndarray) -> Spikes:
        """Return clean spikes by their row; waveforms and positions on the device that holds them."""
        return Spikes(
            torch.as_tensor(self.waveforms[rows]),
            torch.as_tensor(self.positions[rows]),
            torch.from_numpy(self.mask[rows].astype(bool)),
            torch.from_numpy(self.locations[rows].astype(np.float32)),
            torch.from_numpy(self.is_recorded[rows]),
        )

    def _of_units(self, spikes: Dataset, name: str) -> list:
        """Return a column's value for each unit, without a Python object for each row."""
        return pc.take(spikes.with_format("arrow")[:][name], self.first_row).to_pylist()


class ProbeBatches:
    """Batches of units that sit on the same probe as far as may be, in an order that follows from the seed alone.

    Units on other probes are told apart by their contacts; as negatives they teach little. Each epoch shuffles the
    units of a probe, puts the probes in a random row, cuts it into batches (some hold the end of one probe and the
    start of the next) and shuffles these. Any batch can be asked for by its number, so a resumed run needs no state
    of a data loader.

    Args:
        probes: the probe of each unit, `(num_units,)`.
        batch_size: units in a batch, over all processes; at most as many as there are.
        seed: from which the order follows.

    """

    def __init__(self, probes: np.ndarray, batch_size: int, seed: int = 0):
        # Numbers in the order of the names: comparing names would take longer than a step on a GPU.
        _, self.probes = np.unique(probes, return_inverse=True)
        self.batch_size = batch_size
        self.seed = seed
        self.batches_per_epoch = len(self.probes) // batch_size
        self._epoch, self._plan = None, None

    def units(self, index: int) -> np.ndarray:
        """Return the units `(batch_size,)` of a batch by its number, counted through all epochs."""
        epoch, position = divmod(index, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._plan = epoch, self._shuffle(epoch)
        return self._plan[position]

    def _shuffle(self, epoch: int) -> np.ndarray:
        random = np.random.default_rng([self.seed, epoch])
        probes = random.permutation(np.unique(self.probes))
        units = np.concatenate([random.permutation(np.flatnonzero(self.probes == probe)) for probe in probes])
        full = self.batches_per_epoch * self.batch_size
        # The remainder is another one each time: the row starts anywhere.
        units = np.roll(units, random.integers(len(units)))[:full]
        return random.permutation(units.reshape(-1, self.batch_size))


def _peak_positions(spikes: Dataset) -> np.ndarray:
    """Return where each row's peak channel lies, `(num_rows, 2)` µm; NaN if the dataset does not say."""
    positions = np.full((len(spikes), 2), np.nan, dtype=np.float32)
    if PEAK_POSITION in spikes.column_names:
        column = spikes.with_format("arrow")[:][PEAK_POSITION].combine_chunks()
        # Rows without one, which a flattened column leaves out, come from joining datasets by hand.
        is_known = column.is_valid().to_numpy(zero_copy_only=False)
        positions[is_known] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, 2)
    return positions


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
