"""From membrane currents to the extracellular potential at contacts: the line-source method.

Every segment of the neuron is a line that gives off its current evenly along its length into an infinite, homogeneous,
ohmic medium (Holt & Koch, J. Comput. Neurosci. 6, 1999, 169-184). The soma is one such segment too, as in LFPy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..currents import CellCurrents

EXTRACELLULAR_CONDUCTIVITY = 0.3
"""Conductivity of grey matter, S/m."""


@dataclass(frozen=True)
class CellPose:
    """Where and how a cell lies before the probe, whose contacts are in the plane z = 0 with y along the shank.

    Attributes:
        position: `(3,)`, the soma's centre, µm.
        rotation: `(3, 3)` rotation matrix applied to the morphology, whose depth axis is y.
        size: factor on all lengths of the morphology. Membrane currents grow with its square, as membrane area does.
    """

    position: np.ndarray
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    size: float = 1.0

    def shifted(self, along_um: float, across_um: float = 0.0, away_um: float = 0.0) -> CellPose:
        """The same cell, moved along the probe (y), across it (x) and away from it (z)."""
        return CellPose(self.position + np.array([across_um, along_um, away_um]), self.rotation, self.size)


def transfer_matrix(cell: CellCurrents, pose: CellPose, contacts: np.ndarray) -> np.ndarray:
    """Potential at each contact for one nA leaving each segment.

    Args:
        cell: the neuron.
        pose: where it lies.
        contacts: `(num_contacts, 2)`, contact positions in the probe plane, µm.

    Returns:
        `(num_contacts, num_segments)`, µV per nA. A contact nearer to a line than half the segment's diameter is taken
        to lie on the segment's surface.
    """
    contacts = np.asarray(contacts, dtype=float)
    if contacts.ndim != 2 or contacts.shape[1] != 2:
        raise ValueError(f"Got contacts of shape {contacts.shape}; expected (num_contacts, 2), positions in µm.")
    start = pose.size * cell.segment_start @ pose.rotation.T + pose.position
    end = pose.size * cell.segment_end @ pose.rotation.T + pose.position
    along = end - start
    length = np.linalg.norm(along, axis=1)
    along /= length[:, None]

    from_start = np.column_stack([contacts, np.zeros(len(contacts))])[:, None, :] - start
    past_start = np.einsum("csk,sk->cs", from_start, along)
    surface = pose.size * cell.segment_diameter / 2
    distance = np.sqrt(np.maximum(np.einsum("csk,csk->cs", from_start, from_start) - past_start**2, surface**2))
    # The integral of 1 / sqrt(distance² + s²) over the line; asinh is stable on both sides of its ends.
    integral = np.arcsinh(past_start / distance) - np.arcsinh((past_start - length) / distance)
    # nA / (S/m · µm) is mV.
    return 1000 * pose.size**2 * integral / (4 * np.pi * EXTRACELLULAR_CONDUCTIVITY * length)


def extracellular_potential(cell: CellCurrents, pose: CellPose, contacts: np.ndarray, spike: int = 0) -> np.ndarray:
    """Unfiltered extracellular potential of one spike.

    Args:
        cell: the neuron.
        pose: where it lies.
        contacts: `(num_contacts, 2)`, contact positions in the probe plane, µm.
        spike: which of the cell's spikes, below `cell.num_spikes`.

    Returns:
        `(num_samples, num_contacts)`, µV, at the cell's sampling rate.
    """
    return cell.currents[spike].T @ transfer_matrix(cell, pose, contacts).T.astype(np.float32)
