"""What the rows of a spike dataset are: their columns, and what all of them share (see docs/architecture.md)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset, DatasetInfo, Features

PEAK_POSITION = "peak_position"
"""Column that recorded spikes alone have: where on the probe their peak channel lies."""


@dataclass(frozen=True)
class SpikeGeometry:
    """What all spikes of a dataset share.

    Attributes:
        num_samples: samples of a waveform.
        num_channels: channels of a waveform, padding included.
        sampling_rate: Hz.
        peak_sample: sample of the trough.
        unit: "uV" for clean spikes; "noise_sd" for recorded ones, each channel in SDs of its noise, which is in them.
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


def spike_features(geometry: SpikeGeometry) -> Features:
    """Columns of a spike dataset; recorded spikes also say where on the probe their peak channel lies."""
    from datasets import Features, List, Value

    of_recorded = {PEAK_POSITION: List(Value("float32"), length=2)} if geometry.unit == "noise_sd" else {}
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
            **of_recorded,
        }
    )


def with_peak_positions(spikes: Dataset) -> Dataset:
    """Return a dataset of spikes that has the column; all NaN, not known, where an older one has none."""
    import pyarrow as pa

    if PEAK_POSITION in spikes.column_names:
        return spikes
    unknown = pa.FixedSizeListArray.from_arrays(pa.array(np.full(2 * len(spikes), np.nan, dtype="float32")), 2)
    feature = spike_features(SpikeGeometry(unit="noise_sd"))[PEAK_POSITION]
    return spikes.add_column(PEAK_POSITION, unknown, feature=feature)


def describe(geometry: SpikeGeometry, license: str) -> DatasetInfo:
    """State geometry (as JSON in `DatasetInfo.description`) and licence: Parquet itself has no place for them."""
    from datasets import DatasetInfo

    return DatasetInfo(description=json.dumps(asdict(geometry)), license=license, features=spike_features(geometry))


def read_geometry(spikes: Dataset) -> SpikeGeometry:
    """Return the geometry that a spike dataset states, as JSON, in its description.

    Raises:
        ValueError: if it states none.
    """
    try:
        stated = json.loads(spikes.info.description)
        # Defaults are for what older datasets do not say, not for the shape, nor for the unit, which would be a guess.
        needed = ("num_samples", "num_channels", "sampling_rate", "peak_sample", "unit")
        shape = {name: stated[name] for name in needed}
        return SpikeGeometry(**{**stated, **shape})
    except (TypeError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"The dataset's description is {spikes.info.description!r}; a spike dataset states num_samples, "
            "num_channels, sampling_rate, peak_sample and unit there, as JSON. See docs/architecture.md."
        ) from error
