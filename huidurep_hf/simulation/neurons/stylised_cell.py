"""Stylised neurons: random morphologies with random membranes, run in NEURON within this process.

They belong to this project and carry its licence; no published cell model is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..currents import CellCurrents
from ..electrodes.amplifier import record_potential
from ..electrodes.potential import CellPose, extracellular_potential
from .membrane import Membrane, random_membrane
from .morphology import Branch
from .neuron_families import FAMILIES, random_morphology
from .somatic_spikes import SAMPLES_AFTER, SAMPLES_BEFORE, SPIKE_THRESHOLD_MV, TIME_STEP_MS, choose_spikes
from .spike_shape import trough_to_peak_ms
from .spiking_mechanism import load_mechanism

if TYPE_CHECKING:
    from neuron.hoc import HocObject

MAXIMAL_TRIES = 200
MINIMAL_SPIKES = 3
WIDTH_RANGE_MS = (0.1, 1.2)
MINIMAL_TROUGH_UV = 40.0
"""A neuron whose deepest trough 20 µm from the soma's centre is shallower, or whose width is outside, is redrawn."""

_RING_UM = 20.0

# Each run: long steps to rest, a look whether the neuron stays there, a ramp to the first spike, two current steps.
_SETTLE_STEP_MS, _SETTLE_MS = 0.25, 60.0
_REST_MS, _HIGHEST_REST_MV = 10.0, -45.0
_RAMP_STEP_MS, _RAMP_MS = 2 * TIME_STEP_MS, 80.0
_STEP_SAMPLES = round(55 / TIME_STEP_MS)

_RAMP_MV = (4.0, 400.0)
"""The ramp rises exponentially between the currents that would depolarise an isopotential neuron by so much."""

_REPOLARISATION_MS = 4.0
"""So long after its first spike the soma is back below `_HIGHEST_REST_MV`, or the neuron is drawn again."""


def random_neuron(rng: np.random.Generator) -> CellCurrents:
    """Draw a neuron and simulate it; draw again until one spikes as extracellular recordings know it.

    Args:
        rng: source of all draws: the same generator gives the same neuron.

    Returns:
        Currents around three to five of its spikes, under a weak and a strong constant current into the soma. The
        name is `stylised_` and the family.

    Raises:
        ModuleNotFoundError: NEURON is not installed.
        RuntimeError: the mechanism could not be compiled, or no neuron was accepted.
    """
    load_mechanism()
    # Drawn once, or families that are refused more often would become rarer.
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    fast = bool(rng.random() < family.fast_probability)
    for _ in range(MAXIMAL_TRIES):
        branches = random_morphology(family, rng)
        membrane = random_membrane(branches, fast, rng)
        drive = rng.uniform(0.9, 1.1), rng.uniform(1.3, 2.2)
        currents = simulate_neuron(branches, membrane, drive)
        if currents is None:
            continue
        cell = CellCurrents(
            name=f"stylised_{family.name}",
            currents=currents,
            segment_start=np.concatenate([branch.points[:-1] for branch in branches]),
            segment_end=np.concatenate([branch.points[1:] for branch in branches]),
            segment_diameter=np.concatenate([branch.diameters for branch in branches]),
            sampling_rate=1000 / TIME_STEP_MS,
            spike_sample=SAMPLES_BEFORE,
            upright=family.upright,
        )
        if _is_plausible(cell):
            return cell
    raise RuntimeError(f"None of {MAXIMAL_TRIES} stylised neurons spiked as asked.")


def simulate_neuron(branches: list[Branch], membrane: Membrane, drive: tuple[float, float]) -> np.ndarray | None:
    """Run a neuron and keep its membrane currents around its spikes.

    A slow current ramp into the soma finds the current at which it spikes; then the weak and the strong step follow,
    in multiples (`drive`) of that.

    Returns:
        `(num_spikes, num_segments, num_samples)` in nA, three to five spikes; None when it does not rest, does not
        spike or spikes too rarely. Their sum over segments is the injected current, constant in time.
    """
    from neuron import h

    sections = _make_sections(branches, membrane)
    soma = sections[0](0.5)
    clamp = h.IClamp(soma)
    clamp.delay, clamp.dur, clamp.amp = 0, 1e9, 0
    controls = h.CVode()
    controls.use_fast_imem(1)
    try:
        threshold_na = _threshold_current(sections, clamp, membrane)
        if threshold_na is None:
            return None
        recorded = [h.Vector().record(segment._ref_i_membrane_) for section in sections for segment in section]
        soma_mv = h.Vector().record(soma._ref_v)
        clamp.amp = 0
        h.finitialize(membrane.kinetics.eleak)
        _settle()
        h.dt = TIME_STEP_MS
        num_samples = 2 * _STEP_SAMPLES
        for factor in drive:
            clamp.amp = factor * threshold_na
            _advance(_STEP_SAMPLES)
        # The current changes where the recording begins and in its middle.
        starts = np.array([0, _STEP_SAMPLES])
        spikes = choose_spikes(soma_mv.as_numpy()[-num_samples:], starts, starts)
        if len(spikes) < MINIMAL_SPIKES:
            return None
        imem = np.stack([vector.as_numpy()[-num_samples:] for vector in recorded])
        windows = [imem[:, spike - SAMPLES_BEFORE : spike + SAMPLES_AFTER + 1] for spike in spikes]
        return np.stack(windows).astype(np.float32)
    finally:
        controls.use_fast_imem(0)


def _make_sections(branches: list[Branch], membrane: Membrane) -> list:
    """NEURON's sections, one per branch. They exist as long as the list does."""
    from neuron import h

    sections = []
    for branch, capacitance, threshold, densities in zip(
        branches, membrane.capacitance, membrane.threshold_mv, membrane.densities
    ):
        section = h.Section(name=f"{branch.kind}{len(sections)}")
        sections.append(section)
        section.L, section.nseg = branch.length_um, branch.num_segments
        section.Ra, section.cm = membrane.axial_resistivity, capacitance
        if branch.parent >= 0:
            section.connect(sections[branch.parent](branch.parent_place), 0)
        section.insert("spiking")
        for segment, diameter, (sodium, potassium, slow) in zip(section, branch.diameters, densities):
            segment.diam = diameter
            channels = segment.spiking
            channels.gna, channels.gk, channels.gm, channels.vt = sodium, potassium, slow, threshold
            for name, value in vars(membrane.kinetics).items():
                setattr(channels, name, value)
    return sections


def _threshold_current(sections: list, clamp: HocObject, membrane: Membrane) -> float | None:
    """Current (nA) of a slow ramp at which the soma spikes; None if it does so without, not at all, or for long."""
    from neuron import h

    # S/cm² · µm² is 0.01 µS, and µS · mV is nA.
    area = sum(segment.area() for section in sections for segment in section)
    conductance = 0.01 * membrane.kinetics.gleak * area
    soma = sections[0](0.5)
    h.finitialize(membrane.kinetics.eleak)
    _settle()
    h.dt = _RAMP_STEP_MS
    for _ in range(round(_REST_MS / _RAMP_STEP_MS)):
        h.fadvance()
        if soma.v > _HIGHEST_REST_MV:
            return None
    low, high = (conductance * millivolts for millivolts in _RAMP_MV)
    for current in np.geomspace(low, high, round(_RAMP_MS / _RAMP_STEP_MS)).tolist():
        clamp.amp = current
        h.fadvance()
        if soma.v > SPIKE_THRESHOLD_MV:
            break
    else:
        return None
    # A spike that does not end is a plateau, or the soma answering an axon that fires on its own.
    _advance(round(_REPOLARISATION_MS / _RAMP_STEP_MS))
    return current if soma.v < _HIGHEST_REST_MV else None


def _settle() -> None:
    from neuron import h

    h.dt = _SETTLE_STEP_MS
    _advance(round(_SETTLE_MS / _SETTLE_STEP_MS))


def _advance(num_steps: int) -> None:
    from neuron import h

    for _ in range(num_steps):
        h.fadvance()


def _is_plausible(cell: CellCurrents) -> bool:
    """Whether the first spike is deep and wide enough, but not too wide, on a ring of contacts around the soma."""
    angles = np.arange(8) * np.pi / 4
    ring = _RING_UM * np.column_stack([np.cos(angles), np.sin(angles)])
    potential = extracellular_potential(cell, CellPose(np.zeros(3)), ring)
    waveforms = record_potential(potential, cell.sampling_rate, cell.sampling_rate)
    deepest = waveforms[:, waveforms.min(axis=0).argmin()]
    width = trough_to_peak_ms(deepest, cell.sampling_rate)
    return -deepest.min() >= MINIMAL_TROUGH_UV and WIDTH_RANGE_MS[0] <= width <= WIDTH_RANGE_MS[1]
