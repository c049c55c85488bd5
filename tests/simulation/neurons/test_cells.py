from dataclasses import fields, replace

import numpy as np
import pytest

from huidurep_hf.simulation.currents import CellCurrents
from huidurep_hf.simulation.neurons import cells
from huidurep_hf.simulation.neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS, load_cells


def test_held_out_cells_are_the_four_and_in_no_training():
    assert set(HELD_OUT_CELLS) == {"L5_TTPC2", "L5_NBC", "L5_MC", "L5_STPC"}
    assert len(set(TRAINING_CELLS)) == 9
    assert not set(TRAINING_CELLS) & set(HELD_OUT_CELLS)


def test_membrane_currents_of_a_real_cell(cell):
    num_spikes, num_segments, num_samples = cell.currents.shape
    assert num_spikes >= 3
    assert num_samples == round(8e-3 * cell.sampling_rate) + 1
    assert cell.segment_start.shape == cell.segment_end.shape == (num_segments, 3)
    assert cell.sampling_rate >= 32_000
    # Charge is conserved: what leaves the cell is what was injected, which does not change within a step.
    total = cell.currents.sum(axis=1)
    assert np.ptp(total, axis=1).max() < 1e-3 * np.abs(cell.currents).max()
    # The spike's large currents flow within a millisecond of the somatic peak.
    largest = np.abs(cell.currents[0]).max(axis=0).argmax()
    assert abs(largest - cell.spike_sample) < 1e-3 * cell.sampling_rate


def test_spikes_of_a_cell_differ(cell):
    largest = np.abs(cell.currents).max(axis=(1, 2))
    assert np.ptp(largest) > 0.005 * largest.mean()


def test_orientation_comes_with_the_name_and_not_from_the_cache(tmp_path, cell):
    for name in ("L5_NBC", "L5_TTPC1"):
        replace(cell, name=name).save(tmp_path / "cells" / f"{name}.npz")
    loaded = load_cells(("L5_NBC", "L5_TTPC1"), cache_dir=tmp_path)
    assert [loaded[name].upright for name in loaded] == [False, True]


def test_save_and_load(tmp_path, cell):
    cell.save(tmp_path / "folder" / "cell.npz")
    again = CellCurrents.load(tmp_path / "folder" / "cell.npz")
    np.testing.assert_array_equal(again.currents, cell.currents)
    assert (again.name, again.sampling_rate, again.spike_sample) == (cell.name, cell.sampling_rate, cell.spike_sample)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["cell.npz"]


def test_a_file_without_an_orientation_loads(tmp_path, cell):
    stored = {field.name: getattr(cell, field.name) for field in fields(cell) if field.name != "upright"}
    np.savez(tmp_path / "old.npz", **stored)
    assert CellCurrents.load(tmp_path / "old.npz").upright is False


def test_a_cached_cell_is_not_simulated_again(tmp_path, cell, monkeypatch):
    cell.save(tmp_path / "cells" / "L5_NBC.npz")
    monkeypatch.setattr(cells, "_simulate_in_processes", lambda *_: pytest.fail("ran NEURON"))
    assert list(load_cells(("L5_NBC",), cache_dir=tmp_path)) == ["L5_NBC"]


def test_the_cache_is_where_the_environment_says(tmp_path, cell, monkeypatch):
    cell.save(tmp_path / "cells" / "L5_NBC.npz")
    monkeypatch.setenv("HUIDUREP_CACHE", str(tmp_path))
    monkeypatch.setattr(cells, "_simulate_in_processes", lambda *_: pytest.fail("ran NEURON"))
    assert load_cells(("L5_NBC",))["L5_NBC"].num_spikes == cell.num_spikes


def test_unknown_cell():
    with pytest.raises(ValueError, match=r"Got cell model\(s\) \['L9_XYZ'\].*L5_TTPC1"):
        load_cells(("L9_XYZ",))


def test_missing_simulator_says_how_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "MEArec", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "huidurep-hf\[simulation\]"'):
        load_cells(("L5_NBC",), cache_dir=tmp_path)


@pytest.mark.parametrize("compiler", ["false", "/nowhere/nrnivmodl"])
def test_missing_compiler_says_what_is_needed(tmp_path, cell, monkeypatch, compiler):
    from huidurep_hf.simulation.neurons import cell_simulation

    monkeypatch.setattr(cell_simulation.shutil, "which", lambda _: compiler)
    with pytest.raises(RuntimeError, match="gcc"):
        load_cells(("L5_NBC",), cache_dir=tmp_path)
    assert not list(tmp_path.glob("*cell_models*"))
