"""The membrane of a random neuron: passive properties, channel densities and kinetics of every branch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..random_draws import log_uniform
from .morphology import APICAL, AXON, DENDRITE, INITIAL_SEGMENT, SOMA, Branch


@dataclass(frozen=True)
class Kinetics:
    """Parameters of `mechanisms/spiking.mod` that are the same all over a neuron, under the names they have there.

    Attributes:
        gleak: leak, S/cm².
        eleak: reversal potential of the leak, mV.
        shift_h: shift of sodium inactivation, mV.
        shift_n: shift of the delayed rectifier, mV.
        speed_na: factor on the speed of the sodium gates.
        speed_k: factor on the speed of the delayed rectifier.
        tau_m_max: slowest time constant of the M current, ms.
    """

    gleak: float
    eleak: float
    shift_h: float
    shift_n: float
    speed_na: float
    speed_k: float
    tau_m_max: float


@dataclass(frozen=True)
class Membrane:
    """What `stylised_cell` gives to NEURON.

    Attributes:
        kinetics: of the channels, the same everywhere.
        axial_resistivity: Ω cm.
        capacitance: µF/cm² of each branch.
        threshold_mv: VT of each branch.
        densities: of each branch, `(num_segments, 3)`: sodium, delayed rectifier and M current, S/cm².
    """

    kinetics: Kinetics
    axial_resistivity: float
    capacitance: list[float]
    threshold_mv: list[float]
    densities: list[np.ndarray]


def random_membrane(branches: list[Branch], fast: bool, rng: np.random.Generator) -> Membrane:
    """Draw a membrane for a neuron's branches.

    Sodium is densest in the initial segment, which also has the lowest threshold; the dendrites of a third of the
    neurons are passive, in the others channels thin out with distance from the soma.

    Args:
        branches: the neuron.
        fast: fast gates, for a narrow spike with a deep and short after-hyperpolarisation. Otherwise slower ones.
        rng: source of all draws.
    """
    # The M current, sped up, also stands for the potassium currents of the after-hyperpolarisation; slow, it adapts.
    brief_m = fast or rng.random() < 0.5
    speed_na = log_uniform(rng, 1.0, 2.5) if fast else log_uniform(rng, 0.6, 1.6)
    kinetics = Kinetics(
        gleak=log_uniform(rng, 1e-5, 1.2e-4),
        eleak=rng.uniform(-76, -66),
        shift_h=rng.uniform(-4, 6),
        shift_n=rng.uniform(-3, 10) if fast else rng.uniform(-8, 5),
        speed_na=speed_na,
        speed_k=speed_na * (log_uniform(rng, 0.7, 2.0) if fast else log_uniform(rng, 0.3, 1.3)),
        tau_m_max=log_uniform(rng, 15, 60) if brief_m else log_uniform(rng, 200, 2000),
    )
    soma_na = log_uniform(rng, 0.04, 0.18)
    # A share of the sodium: repolarisation must keep up with the spike.
    potassium = log_uniform(rng, 0.4, 1.6) if fast else log_uniform(rng, 0.12, 1.0)
    m_current = soma_na * log_uniform(rng, 0.02, 0.15) if brief_m else log_uniform(rng, 1e-5, 3e-4)
    soma_vt = rng.uniform(-60, -48)
    hot_vt = soma_vt - rng.uniform(1, 8)
    dendritic = 0.0 if rng.random() < 0.35 else log_uniform(rng, 0.05, 0.8)
    apical = dendritic * log_uniform(rng, 0.5, 2.0)
    fall_um = log_uniform(rng, 60, 800)
    initial_na = np.clip(log_uniform(rng, 2, 10) * soma_na, 0.12, 0.7)
    axonal = rng.uniform(0.15, 0.6)
    spines = rng.uniform(1.0, 1.8)
    capacitance = rng.uniform(0.75, 1.1)

    shares = {DENDRITE: dendritic, APICAL: apical}
    densities, thresholds, capacitances = [], [], []
    for branch in branches:
        axonic = branch.kind in (INITIAL_SEGMENT, AXON)
        if axonic:
            sodium = np.full(branch.num_segments, initial_na * (1.0 if branch.kind == INITIAL_SEGMENT else axonal))
        elif branch.kind == SOMA:
            sodium = np.full(branch.num_segments, soma_na)
        else:
            sodium = soma_na * shares[branch.kind] * np.exp(-branch.segment_path_um / fall_um)
        slow = np.full(branch.num_segments, m_current if branch.kind in (SOMA, INITIAL_SEGMENT) else 0.0)
        densities.append(np.column_stack([sodium, potassium * sodium, slow]))
        thresholds.append(hot_vt if axonic else soma_vt)
        capacitances.append(capacitance * (spines if branch.kind in (DENDRITE, APICAL) else 1.0))
    return Membrane(kinetics, rng.uniform(80, 180), capacitances, thresholds, densities)
