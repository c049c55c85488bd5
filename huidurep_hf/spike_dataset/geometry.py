"""What the rows of a spike dataset are: their columns, and what all of them share (see docs/architecture.md)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ..model.spike_rows_huidurep import UNITS

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo, Features, IterableDataset

PEAK_POSITION = "peak_position"
"""Column that recorded spikes alone have: where on the probe their peak channel lies."""
GEOMETRY_COLUMNS = ("sampling_rate", "peak_sample", "unit", "labelled")
"""Said in every row, so that no operation on a dataset loses it; Parquet stores a constant column once."""
LISTS = ("waveform", "channel_positions", "channel_mask")


@dataclass(frozen=True)
class SpikeGeometry:
    """What all spikes of a dataset share.

    Attributes:
        num_samples: samples of a waveform.
        num_channels: channels of a waveform, padding included.
        sampling_rate: Hz.
        peak_sample: sample of the trough.
        unit: "uV" for clean spikes; "noise_sd" for recorded ones, each channel in SDs of its noise, which is in them;
            "noise_sd or uV" where both stand in one dataset.
        labelled: `unit_id` says which neuron fired; otherwise each row has one of its own.
    """

    num_samples: int = 121
    num_channels: int = 21
    sampling_rate: float = 30000.0
    peak_sample: int = 42
    unit: str = "uV"
    labelled: bool = True

    @property
    def shape(self) -> tuple:
        """What must agree for waveforms to stand in one batch."""
        return self.num_samples, self.num_channels, self.sampling_rate, self.peak_sample

    @property
    def said_in_rows(self) -> dict[str, float | int | str | bool]:
        """What each row says by the columns `GEOMETRY_COLUMNS`."""
        return {name: getattr(self, name) for name in GEOMETRY_COLUMNS}


def spike_features(geometry: SpikeGeometry) -> Features:
    """Columns of a spike dataset; recorded spikes also say where on the probe their peak channel lies."""
    from datasets import Features, List, Value

    of_recorded = {PEAK_POSITION: List(Value("float32"), length=2)} if "noise_sd" in geometry.unit else {}
    return Features(
        {
            "waveform": List(Value("float16"), length=geometry.num_samples * geometry.num_channels),
            "channel_positions": List(Value("float32"), length=geometry.num_channels * 2),
            "channel_mask": List(Value("bool"), length=geometry.num_channels),
            "unit_id": Value("int32"),
            "location": List(Value("float32"), length=2),
            "displacement_um": Value("float32"),
            "cell_type": Value("string"),
            "probe": Value("string"),
            "layout": Value("int32"),
            "group": Value("string"),
            "sampling_rate": Value("float64"),
            "peak_sample": Value("int32"),
            "unit": Value("string"),
            "labelled": Value("bool"),
            **of_recorded,
        }
    )


def with_peak_positions(spikes: Dataset) -> Dataset:
    """Return a dataset of spikes that has the column; all NaN, not known, where one of clean spikes has none."""
    import pyarrow as pa

    if PEAK_POSITION in spikes.column_names:
        return spikes
    unknown = pa.FixedSizeListArray.from_arrays(pa.array(np.full(2 * len(spikes), np.nan, dtype="float32")), 2)
    feature = spike_features(SpikeGeometry(unit="noise_sd"))[PEAK_POSITION]
    return spikes.add_column(PEAK_POSITION, unknown, feature=feature)


def describe(geometry: SpikeGeometry, license: str) -> DatasetInfo:
    """State columns and licence as `datasets` does."""
    from datasets import DatasetInfo

    return DatasetInfo(license=license, features=spike_features(geometry))


def read_geometry(spikes: Dataset | IterableDataset) -> SpikeGeometry:
    """Return what the rows of a spike dataset say of themselves; of a stream, what its first row says.

    Raises:
        ValueError: a column is missing or empty, there are no rows, or rows differ in rate, window or channels.
    """
    columns = _columns(spikes)
    lengths = {name: _only(f"lengths of {name}", columns[name].list_lengths()) for name in LISTS}
    num_samples, rest = divmod(lengths["waveform"], max(lengths["channel_mask"], 1))
    if rest or num_samples == 0 or lengths["channel_positions"] != 2 * lengths["channel_mask"]:
        raise ValueError(
            f"A row has {lengths['waveform']} values of waveform and {lengths['channel_positions']} of "
            f"channel_positions on {lengths['channel_mask']} channels (channel_mask); there must be a multiple of"
            " these, and twice as many."
        )
    values = {name: columns[name].values() for name in GEOMETRY_COLUMNS}
    for name, found in values.items():
        if None in found:
            raise ValueError(f"Some rows of the dataset do not say their {name}; fill the column, or remove them.")
    unknown = sorted(set(values["unit"]) - set(UNITS))
    if unknown:
        raise ValueError(f"The dataset's unit is {unknown[0]!r}; it must be one of {', '.join(UNITS)}.")
    return SpikeGeometry(
        num_samples,
        lengths["channel_mask"],
        float(_only("sampling_rate", values["sampling_rate"])),
        int(_only("peak_sample", values["peak_sample"])),
        " or ".join(sorted(values["unit"])),
        all(values["labelled"]),
    )


@dataclass(frozen=True)
class _Column:
    """A column of a dataset, as Arrow has it."""

    data: pa.ChunkedArray

    def values(self) -> list:
        """The different values in it."""
        return self.data.unique().to_pylist()

    def list_lengths(self) -> list:
        """The different lengths of its lists."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_fixed_size_list(self.data.type):
            return [self.data.type.list_size]
        if not pa.types.is_list(self.data.type) and not pa.types.is_large_list(self.data.type):
            return [None]
        return pc.unique(pc.list_value_length(self.data)).to_pylist()


def _columns(spikes: Dataset | IterableDataset) -> dict[str, _Column]:
    """Return the columns that say the geometry, of all rows of a table or of the first one of a stream."""
    import pyarrow as pa
    from datasets import IterableDataset

    needed = (*LISTS, *GEOMETRY_COLUMNS)
    if isinstance(spikes, IterableDataset):
        rows = list(islice(spikes.with_format(None), 1))
        names, num_rows = list(rows[0]) if rows else needed, len(rows)
    else:
        names, num_rows = spikes.column_names, len(spikes)
    missing = [name for name in needed if name not in names]
    if missing:
        raise ValueError(
            f"The dataset has no column {', '.join(missing)}, so it is no spike dataset; docs/architecture.md lists the"
            " columns, and scripts/build_dataset.py builds one."
        )
    if num_rows == 0:
        raise ValueError("The dataset is empty: it has no rows.")
    if isinstance(spikes, IterableDataset):
        return {name: _Column(pa.chunked_array([pa.array([rows[0][name]])])) for name in needed}
    # A column at a time: those that were selected from a dataset are copied.
    return {name: _Column(spikes.select_columns([name]).with_format("arrow")[:][name]) for name in needed}


def _only(name: str, values: list) -> int | float:
    if len(values) > 1 or values[0] is None:
        raise ValueError(
            f"Rows of the dataset have several {name} ({', '.join(map(str, values[:3]))}); only those of one rate,"
            " window and number of channels can be read together."
        )
    return values[0]
