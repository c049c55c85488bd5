from dataclasses import replace

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest

from huidurep_hf.simulation.dataset.building import build_spike_dataset
from huidurep_hf.simulation.dataset.parameters import SpikeDatasetParameters
from huidurep_hf.simulation.dataset.rows import nearest_channels
from huidurep_hf.simulation.dataset.units import training_units
from huidurep_hf.simulation.electrodes.probes import HELD_OUT_PROBES, TRAINING_PROBES
from huidurep_hf.simulation.electrodes.templates import NoPlaceError, TemplateParameters, simulate_unit
from huidurep_hf.simulation.neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS
from huidurep_hf.spike_dataset.geometry import SpikeGeometry, read_geometry, spike_features

PARAMETERS = SpikeDatasetParameters(
    num_units=54, num_test_units=12, units_per_neuron=1, seed=3, templates=TemplateParameters(num_displacements=3)
)


@pytest.fixture(scope="module")
def cells_in_cache(cell, tmp_path_factory):
    """All thirteen names, with the currents of one real cell: rows are tested here, not neurons."""
    cache = tmp_path_factory.mktemp("cache")
    for name in TRAINING_CELLS + HELD_OUT_CELLS:
        replace(cell, name=name).save(cache / "cells" / f"{name}.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUIDUREP_CACHE", str(cache))
        yield


@pytest.fixture(scope="module")
def folder(cells_in_cache, tmp_path_factory):
    return build_spike_dataset(tmp_path_factory.mktemp("built") / "spikes", PARAMETERS, progress=False)


@pytest.fixture(scope="module")
def spikes(folder, tmp_path_factory):
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path_factory.mktemp("loaded")))
    return loaded.with_format("numpy")


def test_loads_with_its_features_and_shape(spikes):
    assert set(spikes) == {"train", "test"}
    assert spikes["train"].features == spike_features(SpikeGeometry())
    assert (spikes["train"].num_rows, spikes["test"].num_rows) == (162, 36)
    assert read_geometry(spikes["train"]) == SpikeGeometry(121, 21, 30000.0, 42, unit="uV", labelled=True)


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows(spikes, split):
    for row in spikes[split]:
        waveform = row["waveform"].reshape(121, 21)
        positions, mask = row["channel_positions"].reshape(21, 2), row["channel_mask"]
        # float16 may round the trough's neighbour to the same value.
        assert waveform[42, 0] == waveform.min() <= -19.9
        assert (positions[0] == 0).all()
        distances = np.linalg.norm(positions[mask], axis=1)
        assert (np.diff(distances) > -0.01).all()
        assert mask[: mask.sum()].all()
        assert (waveform[:, ~mask] == 0).all()
        assert (positions[~mask] == 0).all()
        assert np.abs(row["location"]).max() < 150


def test_rows_of_a_unit_are_neighbours(spikes):
    for split, first in (("train", 0), ("test", 54)):
        rows = spikes[split]
        np.testing.assert_array_equal(rows["unit_id"][:], first + np.arange(rows.num_rows) // 3)
        displacements = rows["displacement_um"][:].reshape(-1, 3)
        assert (displacements[:, 0] == 0).all()
        assert (displacements[:, 1:] != 0).all()


def test_held_out_cells_and_probes_are_only_in_the_test_split(spikes):
    assert set(spikes["train"]["cell_type"]) == set(TRAINING_CELLS)
    assert set(spikes["train"]["probe"]) == set(TRAINING_PROBES)
    assert set(spikes["test"]["cell_type"]) == set(HELD_OUT_CELLS)
    assert set(spikes["test"]["probe"]) == set(HELD_OUT_PROBES)
    assert list(spikes["train"]["group"]) == list(spikes["train"]["cell_type"])


def test_cells_and_probes_have_equal_shares(spikes):
    pairs = list(zip(spikes["train"]["cell_type"], spikes["train"]["probe"]))
    assert {pairs.count(pair) for pair in set(pairs)} == {3}
    assert len(set(pairs)) == 54


def test_units_of_a_chain_share_its_filter_and_others_have_their_own(cells_in_cache):
    parameters = replace(PARAMETERS, templates=TemplateParameters(random_band_probability=1.0))
    bands = {}
    for unit in training_units(parameters, range(540)):
        bands.setdefault((unit.probe, unit.layout), set()).add(unit.band)
    assert len(bands) == 6 * PARAMETERS.num_layouts
    assert {len(of_chain) for of_chain in bands.values()} == {1}
    assert len(set().union(*bands.values())) == len(bands)


def test_streams(folder, spikes):
    streamed = datasets.load_dataset(str(folder), split="test", streaming=True)
    rows = list(streamed)
    assert len(rows) == 36
    np.testing.assert_array_equal(rows[5]["waveform"], spikes["test"][5]["waveform"])


def test_the_seed_decides_and_not_the_workers(cells_in_cache, tmp_path, spikes):
    # One split, so that one process is started and not two: each takes seconds to import torch.
    few = replace(PARAMETERS, num_units=4, num_test_units=0)
    same = build_spike_dataset(tmp_path / "same", few, num_workers=2, progress=False)
    other = build_spike_dataset(tmp_path / "other", replace(few, seed=4), progress=False)
    first, second = (
        np.stack(pq.read_table(folder / "data")["waveform"].to_numpy().tolist()) for folder in (same, other)
    )
    np.testing.assert_array_equal(first, spikes["train"][:12]["waveform"])
    assert np.abs(first - second).max() > 1


def test_the_card_says_licence_and_splits(folder):
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == "cc-by-nc-sa-4.0"
    assert [split["split"] for split in card.data.to_dict()["configs"][0]["data_files"]] == ["train", "test"]
    assert "| train | 162 |" in card.text
    assert "L5_STPC" in card.text


@pytest.mark.slow
def test_a_unit_without_a_place_is_left_out(cells_in_cache, tmp_path, monkeypatch, caplog):
    def refuse_one_cell(cell, *arguments):
        if cell.name == TRAINING_CELLS[1]:
            raise NoPlaceError("too small")
        return simulate_unit(cell, *arguments)

    monkeypatch.setattr("huidurep_hf.simulation.dataset.building.simulate_unit", refuse_one_cell)
    few = replace(PARAMETERS, num_units=4, num_test_units=0)
    with caplog.at_level("INFO", logger="huidurep_hf"):
        folder = build_spike_dataset(tmp_path / "spikes", few, progress=False)
    assert pq.read_table(folder / "data")["unit_id"].to_pylist() == [0, 0, 0, 2, 2, 2, 3, 3, 3]
    assert "3 rows fewer than asked for" in caplog.text


@pytest.mark.slow
def test_an_existing_folder_is_refused(folder):
    with pytest.raises(FileExistsError, match="exists already; choose another folder or overwrite"):
        build_spike_dataset(folder, PARAMETERS, progress=False)


def test_a_failure_leaves_nothing_and_keeps_what_was_there(cells_in_cache, tmp_path, monkeypatch):
    (tmp_path / "spikes").mkdir()
    (tmp_path / "spikes" / "precious").touch()
    with pytest.raises(FileExistsError, match="no spike dataset, so it is not overwritten"):
        build_spike_dataset(tmp_path / "spikes", PARAMETERS, overwrite=True, progress=False)
    (tmp_path / "spikes" / "dataset_infos.json").touch()
    monkeypatch.setattr("huidurep_hf.simulation.electrodes.templates.MAXIMAL_TRIES", 0)
    with pytest.raises(ValueError, match="reached no trough"):
        build_spike_dataset(tmp_path / "spikes", PARAMETERS, overwrite=True, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["spikes"]
    assert (tmp_path / "spikes" / "precious").exists()


def test_nearest_channels_pads():
    waveform = np.zeros((5, 3))
    waveform[2] = [-1, -2, -5]
    contacts = np.array([[0.0, 0], [0, 20], [0, 50]])
    cut, positions, mask, peak = nearest_channels(waveform, contacts, 4)
    np.testing.assert_array_equal(cut[2], [-5, -2, -1, 0])
    np.testing.assert_array_equal(positions, [[0, 0], [0, -30], [0, -50], [0, 0]])
    np.testing.assert_array_equal(mask, [True, True, True, False])
    np.testing.assert_array_equal(peak, [0, 50])
