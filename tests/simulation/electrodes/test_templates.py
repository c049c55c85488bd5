from dataclasses import replace

import numpy as np
import pytest

from huidurep_hf.simulation.electrodes.potential import CellPose
from huidurep_hf.simulation.electrodes.probes import contact_positions
from huidurep_hf.simulation.electrodes.templates import (
    TemplateParameters,
    Unit,
    random_band,
    random_pose,
    simulate_unit,
    unit_waveform,
)

PARAMETERS = TemplateParameters()


@pytest.fixture(scope="module")
def units(cell):
    rng = np.random.default_rng(0)
    contacts = contact_positions("polytrode_64")
    return contacts, [simulate_unit(cell, contacts, PARAMETERS, rng) for _ in range(12)]


def test_shapes_and_alignment(units):
    contacts, units = units
    for unit in units:
        assert unit.waveforms.shape == (4, 121, 64)
        assert unit.waveforms.dtype == np.float32
        assert unit.locations.shape == (4, 2)
        for waveform in unit.waveforms:
            sample, _ = np.unravel_index(waveform.argmin(), waveform.shape)
            assert sample == 42


def test_amplitudes(units):
    for unit in units[1]:
        troughs = -unit.waveforms.min(axis=(1, 2))
        assert (troughs >= PARAMETERS.minimal_amplitude_uv).all()
        assert (troughs < 2000).all()
        assert (troughs >= unit.waveforms.max(axis=(1, 2))).all()


def test_displacements(units):
    contacts, units = units
    for unit in units:
        assert unit.displacements_um[0] == 0
        assert (np.abs(unit.displacements_um) <= 40).all()
        np.testing.assert_allclose(unit.locations[:, 1] - unit.locations[0, 1], unit.displacements_um, atol=1e-9)
    aside = np.concatenate([unit.locations[1:, 0] - unit.locations[0, 0] for unit in units])
    assert 1 < np.sqrt(np.mean(aside**2)) < 6


def test_no_scatter_comes_nearer_than_units_may(cell, monkeypatch):
    contacts, rng = contact_positions("tetrode_diamond"), np.random.default_rng(0)
    parameters = TemplateParameters(distance_um=(8.0, 9.0), scatter_um=10.0, num_displacements=12)
    depths = []

    def note_depth(unit, *arguments):
        depths.append(unit.pose.position[2])
        return unit_waveform(unit, *arguments)

    monkeypatch.setattr("huidurep_hf.simulation.electrodes.templates.unit_waveform", note_depth)
    simulate_unit(cell, contacts, parameters, rng)
    assert min(depths) >= 8 - 1e-9
    assert max(depths) > 12


def test_a_displaced_cell_peaks_on_displaced_contacts(cell):
    contacts = contact_positions("polytrode_64")
    unit = Unit(cell, CellPose(np.array([0.0, 0.0, 25.0])))
    moved_units = [replace(unit, pose=unit.pose.shifted(d)) for d in (-50.0, 0.0, 50.0)]
    weights = [-unit_waveform(moved, contacts, PARAMETERS)[42].clip(max=0) for moved in moved_units]
    centres = np.array([weight @ contacts[:, 1] / weight.sum() for weight in weights])
    np.testing.assert_allclose(np.diff(centres), 50, atol=8)
    # Moving by one whole period of the layout is the same waveform on the next contacts.
    moved = unit_waveform(replace(unit, pose=unit.pose.shifted(25.0)), contacts, PARAMETERS)
    rest = unit_waveform(unit, contacts, PARAMETERS)
    np.testing.assert_allclose(moved[:, 2:], rest[:, :-2], atol=1e-3)


def test_too_small_is_none(cell):
    contacts = contact_positions("tetrode_diamond")
    assert unit_waveform(Unit(cell, CellPose(np.array([0, 0, 500.0]))), contacts, PARAMETERS) is None


def test_placement(cell):
    contacts, rng = contact_positions("poly2_32"), np.random.default_rng(0)
    poses = [random_pose(cell, contacts, PARAMETERS, rng) for _ in range(200)]
    positions = np.array([pose.position for pose in poses])
    assert (np.abs(positions[:, :2]) <= np.abs(contacts).max(axis=0) + 35).all()
    assert positions[:, 2].min() >= 8
    assert positions[:, 2].max() <= 60
    for pose in poses:
        np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(pose.rotation) == pytest.approx(1)
        assert 0.7 <= pose.size <= 1.4
    # A basket cell lies in any direction: its depth axis points up and down alike.
    assert abs(np.mean([pose.rotation[1, 1] for pose in poses])) < 0.15


def test_upright_cells_stand_upright(cell):
    rng = np.random.default_rng(0)
    pyramidal = replace(cell, upright=True)
    poses = [random_pose(pyramidal, np.zeros((1, 2)), PARAMETERS, rng) for _ in range(200)]
    tilts = np.rad2deg(np.arccos([pose.rotation[1, 1] for pose in poses]))
    assert 10 < tilts.max() <= 15 + 1e-6


def test_bands():
    rng = np.random.default_rng(0)
    drawn = [random_band(PARAMETERS, rng) for _ in range(400)]
    bands = np.array([band.edges_hz for band in drawn])
    nominal = (bands == (300, 6000)).all(axis=1)
    assert 0.4 < nominal.mean() < 0.6
    low, high = bands[~nominal].T
    assert (low >= 100).all() and (low <= 600).all()
    assert (high >= 2500).all() and (high <= 12_000).all()
    orders = np.array([band.causal_order or 0 for band in drawn])
    assert (orders[nominal] == 0).all()
    assert set(orders) == {0, 1, 2, 3}
    assert 0.2 < (orders[~nominal] > 0).mean() < 0.4


def test_same_seed_same_unit(cell):
    contacts = contact_positions("tetrode_diamond")
    first, again, other = (
        simulate_unit(cell, contacts, PARAMETERS, np.random.default_rng(seed)).waveforms for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_an_unreachable_floor_is_an_error(cell, monkeypatch):
    monkeypatch.setattr("huidurep_hf.simulation.electrodes.templates.MAXIMAL_TRIES", 3)
    parameters = TemplateParameters(minimal_amplitude_uv=1e6)
    with pytest.raises(ValueError, match="L5_NBC reached no trough of 1000000.0 µV in 3 positions; lower"):
        simulate_unit(cell, contact_positions("tetrode_diamond"), parameters, np.random.default_rng(0))
