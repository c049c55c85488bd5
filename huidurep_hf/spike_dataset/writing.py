"""Write spikes as a dataset folder of Parquet shards with a card, laid out as the simulated datasets are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .description import write_description
from .folder import new_dataset_folder
from .geometry import read_geometry, spike_features, with_peak_positions
from .recorded_card import RecordedCard
from .shards import ROWS_PER_GROUP, write_shard

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

ROWS_PER_SHARD = 10_000
"""About 50 MB."""


def write_spikes(
    spikes: Dataset, folder: str | Path, card: RecordedCard | None = None, overwrite: bool = False
) -> Path:
    """Write a recording's spikes as a folder that `datasets.load_dataset(folder)` reads, streaming included.

    Args:
        spikes: dataset of [`~huidurep_hf.spike_dataset.from_recording.spikes_from_recording`].
        folder: to make: `data/train-*.parquet`, `README.md`, `dataset_infos.json`.
        card: what is known of the recording.
        overwrite: replace an existing folder.

    Returns:
        The folder. It appears when it is complete; until then the work lies beside it.

    Raises:
        FileExistsError: the folder exists, and `overwrite` is False or it is no spike dataset.
        ValueError: not a spike dataset, or one without rows, of which `datasets` would read no split.
    """
    folder, geometry = Path(folder), read_geometry(spikes)
    card, split = card or RecordedCard(), str(spikes.split or "train")
    spikes = with_peak_positions(spikes) if "noise_sd" in geometry.unit else spikes
    schema = spike_features(geometry).arrow_schema
    with new_dataset_folder(folder, overwrite) as unfinished:
        num_shards = -(-len(spikes) // ROWS_PER_SHARD)
        for index in range(num_shards):
            path = unfinished / "data" / f"{split}-{index:05d}-of-{num_shards:05d}.parquet"
            write_shard(path, _groups(spikes, index * ROWS_PER_SHARD, schema), schema)
        write_description(unfinished, geometry, card.license)
        num_units = len(np.unique(spikes.with_format("numpy")["unit_id"][:]))
        text = card.render(geometry, split, len(spikes), num_units)
        (unfinished / "README.md").write_text(text, encoding="utf-8")
    return folder


def _groups(spikes: Dataset, first: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of a shard, a group in memory at a time."""
    arrow = spikes.with_format("arrow")
    last = min(first + ROWS_PER_SHARD, len(spikes))
    for start in range(first, last, ROWS_PER_GROUP):
        yield arrow[start : min(start + ROWS_PER_GROUP, last)].select(schema.names).cast(schema)
