"""Build the simulated spike dataset: rows of waveforms on their nearest channels, in shards that `datasets` reads."""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...spike_dataset.description import write_description
from ...spike_dataset.folder import check_dataset_folder, new_dataset_folder
from ...spike_dataset.geometry import spike_features
from ...spike_dataset.shards import write_shard
from ..electrodes.probes import contact_positions
from ..electrodes.templates import NoPlaceError, simulate_unit
from ..neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS, load_cells
from .card import dataset_card, dataset_license
from .parameters import SpikeDatasetParameters
from .rows import dataset_rows
from .units import held_out_units, training_units

logger = logging.getLogger("huidurep_hf")

UNITS_PER_SHARD = 500


@dataclass(frozen=True)
class _Shard:
    """One Parquet file: consecutive units of a split."""

    split: str
    first_unit: int
    num_units: int
    first_unit_id: int
    path: Path


def build_spike_dataset(
    output: str | Path,
    parameters: SpikeDatasetParameters | None = None,
    num_workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Simulate units and write them as a dataset folder that `datasets.load_dataset(output)` reads.

    Args:
        output: folder to make: `data/train-*.parquet`, `data/test-*.parquet` (where there are test units),
            `README.md`, `dataset_infos.json`.
        parameters: what to simulate.
        num_workers: processes. The result does not depend on it. With more than one, a script that calls this needs
            `if __name__ == "__main__":`.
        overwrite: replace an existing folder.
        progress: show progress bars.

    Returns:
        The folder. It appears when it is complete; until then the work lies beside it.

    Raises:
        FileExistsError: the folder exists, and `overwrite` is False or it is no spike dataset.
    """
    output, parameters = Path(output), parameters or SpikeDatasetParameters()
    check_dataset_folder(output, overwrite)
    _prepare_neurons(parameters, progress)
    with new_dataset_folder(output, overwrite) as unfinished:
        shards = _plan_shards(unfinished / "data", parameters)
        num_rows = _simulate_shards(shards, parameters, num_workers, progress)
        _describe(unfinished, parameters, num_rows)
    logger.info("Wrote %s: %s", output, ", ".join(f"{rows} {split} rows" for split, rows in num_rows.items()))
    num_wanted = (parameters.num_units + parameters.num_test_units) * parameters.templates.num_displacements
    if sum(num_rows.values()) < num_wanted:
        logger.info("%d rows fewer than asked for: units without a place", num_wanted - sum(num_rows.values()))
    return output


def _prepare_neurons(parameters: SpikeDatasetParameters, progress: bool) -> None:
    """Simulate cell models and compile mechanisms before there are workers, which would all do it at once."""
    names = () if parameters.source == "stylised" else TRAINING_CELLS
    if parameters.num_test_units:
        names += HELD_OUT_CELLS
    load_cells(names, progress=progress)
    if parameters.source != "cell_models":
        from ..neurons.spiking_mechanism import load_mechanism

        load_mechanism()


def _plan_shards(folder: Path, parameters: SpikeDatasetParameters) -> list[_Shard]:
    shards = []
    for split, num_units, first_unit_id in (
        ("train", parameters.num_units, 0),
        ("test", parameters.num_test_units, parameters.num_units),
    ):
        num_shards = -(-num_units // UNITS_PER_SHARD)
        for index in range(num_shards):
            first = index * UNITS_PER_SHARD
            path = folder / f"{split}-{index:05d}-of-{num_shards:05d}.parquet"
            shards.append(_Shard(split, first, min(UNITS_PER_SHARD, num_units - first), first_unit_id, path))
    return shards


def _simulate_shards(
    shards: list[_Shard], parameters: SpikeDatasetParameters, num_workers: int, progress: bool
) -> dict[str, int]:
    num_rows = {shard.split: 0 for shard in shards}
    with tqdm(total=sum(shard.num_units for shard in shards), desc="simulate units", disable=not progress) as bar:
        if num_workers == 1:
            for shard in shards:
                num_rows[shard.split] += _simulate_shard(shard, parameters)
                bar.update(shard.num_units)
            return num_rows
        # Spawned, not forked: a forked child of a process with running threads (torch, BLAS) can hang.
        with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
            runs = {pool.submit(_simulate_shard, shard, parameters): shard for shard in shards}
            for run in as_completed(runs):
                num_rows[runs[run].split] += run.result()
                bar.update(runs[run].num_units)
    return num_rows


def _simulate_shard(shard: _Shard, parameters: SpikeDatasetParameters) -> int:
    import pyarrow as pa

    held_out = shard.split == "test"
    indices = range(shard.first_unit, shard.first_unit + shard.num_units)
    units = held_out_units(indices) if held_out else training_units(parameters, indices)
    rows = []
    for unit in units:
        # A generator per unit: a unit is the same whatever the number of units, shards or workers.
        rng = np.random.default_rng([parameters.seed, held_out, unit.index])
        contacts = contact_positions(unit.probe, unit.layout)
        low, high = parameters.templates.stretch_range
        templates = replace(parameters.templates, stretch_range=(low * unit.stretch, high * unit.stretch))
        try:
            waveforms = simulate_unit(unit.cell, contacts, templates, rng, unit.band)
        except NoPlaceError as error:
            # Some filters leave too little of some neurons' spikes. Its number stays unused.
            refusal = error
            continue
        names = {
            "unit_id": shard.first_unit_id + unit.index,
            "cell_type": unit.cell.name,
            "probe": unit.probe,
            "layout": unit.layout,
            "group": unit.group,
            **parameters.geometry.said_in_rows,
        }
        rows += dataset_rows(waveforms, contacts, parameters.num_channels, names)
    if not rows:
        raise refusal
    features = spike_features(parameters.geometry)
    columns = {name: [row[name] for row in rows] for name in features}
    write_shard(shard.path, [pa.table(columns, schema=features.arrow_schema)], features.arrow_schema)
    return len(rows)


def _describe(folder: Path, parameters: SpikeDatasetParameters, num_rows: dict[str, int]) -> None:
    """Write the card and the dataset's description."""
    write_description(folder, parameters.geometry, dataset_license(parameters.source, "test" in num_rows))
    card = dataset_card(asdict(parameters.geometry), asdict(parameters), num_rows)
    (folder / "README.md").write_text(card, encoding="utf-8")
