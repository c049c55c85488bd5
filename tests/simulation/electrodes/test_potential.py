import numpy as np
import pytest

from huidurep_hf.simulation.currents import CellCurrents
from huidurep_hf.simulation.electrodes.potential import (
    EXTRACELLULAR_CONDUCTIVITY,
    CellPose,
    extracellular_potential,
    transfer_matrix,
)
from huidurep_hf.simulation.electrodes.probes import contact_positions


def _turn(degrees):
    # About an axis that is none of the coordinate axes.
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(np.deg2rad(degrees) * np.array([1, 2, -2]) / 3).as_matrix()


@pytest.mark.parametrize("size", [1.0, 1.2])
@pytest.mark.parametrize("position", [(0, 0, 30), (15, -20, 9), (3, 5, 0.5)])
def test_equals_lfpy_on_a_real_cell(cell, position, size):
    lfpy = pytest.importorskip("LFPy")
    lfpykit = pytest.importorskip("lfpykit")
    pose = CellPose(np.array(position, float), _turn(70), size)
    contacts = contact_positions("poly2_32")
    start, end = (size * ends @ pose.rotation.T + pose.position for ends in (cell.segment_start, cell.segment_end))
    geometry = lfpykit.CellGeometry(
        *(np.column_stack([start[:, axis], end[:, axis]]) for axis in range(3)), d=size * cell.segment_diameter
    )
    x, y = contacts.T
    electrode = lfpy.RecExtElectrode(geometry, sigma=EXTRACELLULAR_CONDUCTIVITY, x=x, y=y, z=np.zeros(len(x)))
    # LFPy gives mV; a cell of another size has membrane currents in proportion to its area.
    expected = 1000 * size**2 * electrode.get_transformation_matrix()
    np.testing.assert_allclose(transfer_matrix(cell, pose, contacts), expected, rtol=1e-6)
    potential = extracellular_potential(cell, pose, contacts, spike=1)
    assert potential.shape == (cell.currents.shape[2], 32)
    np.testing.assert_allclose(potential, (expected @ cell.currents[1]).T, atol=1e-4 * np.abs(potential).max())


def test_far_away_a_segment_is_a_point_source():
    line = CellCurrents(
        "line", np.ones((1, 1, 1), np.float32), np.zeros((1, 3)), np.array([[0, 10.0, 0]]), np.ones(1), 32_000.0, 0
    )
    potential = extracellular_potential(line, CellPose(np.array([0, -5.0, 1000])), np.zeros((1, 2)))
    np.testing.assert_allclose(potential, 1000 / (4 * np.pi * 0.3 * 1000), rtol=1e-4)


def test_moving_the_cell_is_moving_the_probe(cell):
    pose, contacts = CellPose(np.array([5.0, 3.0, 20.0]), _turn(30)), contact_positions("tetrode_diamond")
    moved = transfer_matrix(cell, pose.shifted(12), contacts)
    np.testing.assert_allclose(moved, transfer_matrix(cell, pose, contacts - [0, 12]), rtol=1e-9)


def test_wrong_contacts(cell):
    with pytest.raises(ValueError, match=r"shape \(4, 3\); expected \(num_contacts, 2\)"):
        transfer_matrix(cell, CellPose(np.zeros(3)), np.zeros((4, 3)))
