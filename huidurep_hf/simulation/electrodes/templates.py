"""Units: a cell placed at random before a probe, and its spike waveform there and at displaced positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..currents import CellCurrents
from ..random_draws import log_uniform
from .amplifier import NOMINAL_BAND_HZ, record_potential
from .potential import CellPose, extracellular_potential

MAXIMAL_TRIES = 2000


@dataclass(frozen=True)
class TemplateParameters:
    """How units are placed and their waveforms cut.

    Attributes:
        sampling_rate: of the waveforms, Hz.
        num_samples: length of a waveform.
        peak_sample: where the deepest trough of the peak channel comes to lie.
        minimal_amplitude_uv: waveforms with a shallower trough are drawn again.
        distance_um: nearest and farthest distance of the soma from the probe plane.
        margin_um: how far beside the outermost contacts the soma may lie.
        size_range: factor on the morphology, drawn per unit (log-uniform).
        stretch_range: factor on the spike's duration, drawn per unit (log-uniform).
        random_band_probability: share of recording chains whose filter is drawn (high-pass 100-600 Hz, low-pass
            2.5-12 kHz) instead of the nominal 300-6000 Hz.
        causal_probability: share of those whose high-pass is causal, as in analogue and online filters.
        num_displacements: waveforms per unit; the first one is not displaced.
        maximal_displacement_um: displacements along the probe are drawn up to this, both ways.
        scatter_um: standard deviation of the displacements across the probe and away from it.
    """

    sampling_rate: float = 30_000.0
    num_samples: int = 121
    peak_sample: int = 42
    minimal_amplitude_uv: float = 20.0
    distance_um: tuple[float, float] = (8.0, 60.0)
    margin_um: float = 35.0
    size_range: tuple[float, float] = (0.7, 1.4)
    stretch_range: tuple[float, float] = (0.93, 1.08)
    random_band_probability: float = 0.5
    causal_probability: float = 0.3
    num_displacements: int = 4
    maximal_displacement_um: float = 40.0
    scatter_um: float = 3.0


@dataclass(frozen=True)
class Band:
    """The filter of a recording chain; see [`~huidurep_hf.simulation.electrodes.amplifier.record_potential`]."""

    edges_hz: tuple[float, float] = NOMINAL_BAND_HZ
    causal_order: int | None = None


@dataclass(frozen=True)
class Unit:
    """A cell before the probe with the filter that it is seen through."""

    cell: CellCurrents
    pose: CellPose
    stretch: float = 1.0
    band: Band = Band()


@dataclass(frozen=True)
class UnitWaveforms:
    """Waveforms of one unit.

    Attributes:
        waveforms: `(num_displacements, num_samples, num_contacts)`, µV.
        displacements_um: `(num_displacements,)`, along the probe. There is scatter in the other directions too.
        locations: `(num_displacements, 2)`, soma in the probe plane, µm.
    """

    waveforms: np.ndarray
    displacements_um: np.ndarray
    locations: np.ndarray


def random_pose(
    cell: CellCurrents, contacts: np.ndarray, parameters: TemplateParameters, rng: np.random.Generator
) -> CellPose:
    """Draw a position before the contacts `(num_contacts, 2)` (µm), a rotation and a size.

    Cells whose dendrites follow cortical depth keep that axis within 15 degrees, the others lie in any direction
    (MEArec's "physrot").
    """
    low, high = contacts.min(axis=0) - parameters.margin_um, contacts.max(axis=0) + parameters.margin_um
    position = np.append(rng.uniform(low, high), rng.uniform(*parameters.distance_um))
    rotation = _upright_rotation(rng) if cell.upright else _any_rotation(rng)
    return CellPose(position, rotation, log_uniform(rng, *parameters.size_range))


def random_band(parameters: TemplateParameters, rng: np.random.Generator) -> Band:
    """Draw the filter of a recording chain, the nominal one or another."""
    if rng.random() >= parameters.random_band_probability:
        return Band()
    edges_hz = (log_uniform(rng, 100, 600), log_uniform(rng, 2500, 12_000))
    is_causal = rng.random() < parameters.causal_probability
    return Band(edges_hz, int(rng.integers(1, 4)) if is_causal else None)


def random_unit(
    cell: CellCurrents,
    contacts: np.ndarray,
    parameters: TemplateParameters,
    rng: np.random.Generator,
    band: Band = Band(),
) -> Unit:
    """Draw a pose and a duration for `cell` before contacts `(num_contacts, 2)` (µm), seen through `band`."""
    pose = random_pose(cell, contacts, parameters, rng)
    return Unit(cell, pose, log_uniform(rng, *parameters.stretch_range), band)


def unit_waveform(
    unit: Unit, contacts: np.ndarray, parameters: TemplateParameters, spike: int = 0
) -> np.ndarray | None:
    """One filtered waveform of a unit, aligned to its trough.

    Args:
        unit: the unit.
        contacts: `(num_contacts, 2)`, µm.
        parameters: rate, length, alignment and smallest amplitude.
        spike: which of the cell's spikes.

    Returns:
        `(num_samples, num_contacts)` in µV, float32, its deepest trough at `peak_sample`; None when that trough is
        shallower than `minimal_amplitude_uv` or than the highest peak (then the spike would be seen as positive).
    """
    potential = extracellular_potential(unit.cell, unit.pose, contacts, spike)
    waveform = record_potential(
        potential,
        unit.cell.sampling_rate,
        parameters.sampling_rate,
        unit.band.edges_hz,
        unit.stretch,
        unit.band.causal_order,
    )
    trough = -waveform.min()
    if trough < max(parameters.minimal_amplitude_uv, waveform.max()):
        return None
    start = int(waveform.min(axis=1).argmin()) - parameters.peak_sample
    return waveform[start : start + parameters.num_samples].astype(np.float32)


class NoPlaceError(ValueError):
    """A cell is too small on a probe, or its spikes are positive there, wherever it is put."""


def simulate_unit(
    cell: CellCurrents,
    contacts: np.ndarray,
    parameters: TemplateParameters,
    rng: np.random.Generator,
    band: Band = Band(),
) -> UnitWaveforms:
    """Draw units until one is large enough on the probe, and give its waveforms at all its displacements.

    Each waveform is another of the cell's spikes, drawn at random: a unit's shape changes within its trains too.

    Raises:
        NoPlaceError: no position was found; the amplitude floor is too high for this cell, probe and filter.
    """
    for _ in range(MAXIMAL_TRIES):
        unit = random_unit(cell, contacts, parameters, rng, band)
        first = unit_waveform(unit, contacts, parameters, int(rng.integers(cell.num_spikes)))
        if first is None:
            continue
        waveforms, poses = [first], [unit.pose]
        # Each refused displacement (the cell left the probe) shortens the reach, so that the search ends near zero.
        reach = parameters.maximal_displacement_um
        while len(waveforms) < parameters.num_displacements and reach > 0.5:
            pose = _random_shift(unit.pose, reach, parameters, rng)
            spike = int(rng.integers(cell.num_spikes))
            waveform = unit_waveform(replace(unit, pose=pose), contacts, parameters, spike)
            if waveform is None:
                reach *= 0.7
                continue
            waveforms.append(waveform)
            poses.append(pose)
        if len(waveforms) == parameters.num_displacements:
            locations = np.array([pose.position[:2] for pose in poses])
            return UnitWaveforms(np.stack(waveforms), locations[:, 1] - locations[0, 1], locations)
    raise NoPlaceError(
        f"Cell {cell.name} reached no trough of {parameters.minimal_amplitude_uv} µV in {MAXIMAL_TRIES} positions; "
        "lower minimal_amplitude_uv or distance_um."
    )


def _random_shift(
    pose: CellPose, reach_um: float, parameters: TemplateParameters, rng: np.random.Generator
) -> CellPose:
    """Moved along the probe by up to `reach_um` and a little otherwise, but no nearer than units may come."""
    across, away = rng.normal(0, parameters.scatter_um, 2)
    away = max(away, parameters.distance_um[0] - pose.position[2])
    return pose.shifted(rng.uniform(-reach_um, reach_um), across, away)


def _any_rotation(rng: np.random.Generator) -> np.ndarray:
    """Uniform over all rotations, from a random unit quaternion."""
    w, x, y, z = (quaternion := rng.normal(size=4)) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _upright_rotation(rng: np.random.Generator) -> np.ndarray:
    """Any turn about the depth axis y, then a tilt of that axis by at most 15 degrees in any direction."""
    turn, direction, tilt = rng.uniform(0, 2 * np.pi, 2).tolist() + [np.deg2rad(rng.uniform(0, 15))]
    about_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    # Rodrigues' formula about the horizontal axis (cos d, 0, sin d).
    axis = np.array([np.cos(direction), 0, np.sin(direction)])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + np.sin(tilt) * cross + (1 - np.cos(tilt)) * cross @ cross) @ about_y
