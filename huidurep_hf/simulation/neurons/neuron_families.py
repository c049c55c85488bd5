"""Families of random neurons: what a pyramidal, a basket or a granule cell of ours may look like.

The ranges are round numbers in the order of what anatomy textbooks give; a family is a wide distribution, not a model
of a cell type.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .morphology import (
    APICAL,
    AXON,
    DENDRITE,
    INITIAL_SEGMENT,
    Branch,
    TreeStyle,
    grow_tree,
    make_soma,
    random_direction,
    unit_vector,
)

SEGMENTS_RANGE = (40, 260)
"""Morphologies with fewer or more segments are drawn again: neither balls nor slow to simulate."""

_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class NeuronFamily:
    """Ranges that a family's neurons are drawn from, uniformly.

    Attributes:
        name: of the family.
        upright: the neuron's y axis follows the depth of the tissue.
        apical: it has one thick dendrite along +y beside its stems.
        poles: its stems leave along both ends of y (2), about one end (1) or to all sides (0).
        soma_um: diameter of the soma.
        num_stems: dendrites that leave the soma, both ends included.
        reach_um: path length of its dendrites.
        fork_um: path length between forks.
        stem_share: diameter of a stem as a share of the soma's.
        fast_probability: share of its neurons with narrow, fast spikes.
    """

    name: str
    upright: bool
    apical: bool
    poles: int
    soma_um: tuple[float, float]
    num_stems: tuple[int, int]
    reach_um: tuple[float, float]
    fork_um: tuple[float, float]
    stem_share: tuple[float, float]
    fast_probability: float


FAMILIES = (
    NeuronFamily("pyramidal", True, True, 0, (12, 24), (3, 7), (90, 260), (40, 90), (0.08, 0.2), 0.15),
    NeuronFamily("basket", False, False, 0, (10, 21), (4, 9), (100, 300), (50, 120), (0.08, 0.18), 0.7),
    NeuronFamily("stellate", False, False, 0, (9, 16), (4, 8), (80, 200), (30, 80), (0.09, 0.2), 0.2),
    NeuronFamily("bipolar", True, False, 2, (9, 15), (2, 3), (120, 350), (70, 160), (0.12, 0.25), 0.3),
    NeuronFamily("bitufted", True, False, 2, (10, 18), (3, 6), (100, 300), (40, 100), (0.1, 0.2), 0.3),
    NeuronFamily("granule", True, False, 1, (8, 12), (2, 4), (90, 220), (40, 100), (0.12, 0.2), 0.2),
    NeuronFamily("motor", False, False, 0, (22, 30), (5, 9), (220, 480), (100, 200), (0.12, 0.25), 0.15),
)
"""All families, each as likely as the others."""


def random_morphology(family: NeuronFamily, rng: np.random.Generator) -> list[Branch]:
    """Draw the branches of a neuron: the soma around the origin first, every parent before its daughters."""
    while True:
        branches = _grow_neuron(family, rng)
        if SEGMENTS_RANGE[0] <= sum(branch.num_segments for branch in branches) <= SEGMENTS_RANGE[1]:
            return branches


def _grow_neuron(family: NeuronFamily, rng: np.random.Generator) -> list[Branch]:
    soma_um = rng.uniform(*family.soma_um)
    branches = [make_soma(soma_um)]
    style = TreeStyle(
        kind=DENDRITE,
        reach_um=rng.uniform(*family.reach_um),
        step_um=rng.uniform(22, 36),
        fork_um=rng.uniform(*family.fork_um),
        fork_angle_deg=rng.uniform(30, 90),
        wander_deg=rng.uniform(5, 25),
        bias=np.zeros(3),
        taper=rng.uniform(0.05, 0.35),
        minimal_diameter_um=rng.uniform(0.4, 0.9),
    )
    num_stems = int(rng.integers(family.num_stems[0], family.num_stems[1] + 1))
    for index in range(num_stems):
        direction = _stem_direction(family, index, rng)
        stem_um = soma_um * rng.uniform(*family.stem_share)
        grow_tree(branches, 0, 0.5, direction * soma_um / 2, direction, stem_um, style, rng)
    if family.apical:
        _grow_apical(branches, soma_um, style, rng)
    _grow_axon(branches, soma_um, -0.8 * _UP if family.upright else np.zeros(3), rng)
    return branches


def _stem_direction(family: NeuronFamily, index: int, rng: np.random.Generator) -> np.ndarray:
    if family.poles == 0:
        # Beside an apical dendrite the others spread sideways and down.
        return unit_vector(random_direction(rng) - (0.5 * _UP if family.apical else 0))
    end = 1 if family.poles == 1 or index % 2 == 0 else -1
    return unit_vector(end * _UP + 0.5 * random_direction(rng))


def _grow_apical(branches: list[Branch], soma_um: float, basal: TreeStyle, rng: np.random.Generator) -> None:
    """A trunk along +y with oblique dendrites on its way and a tuft at its end."""
    trunk_um, trunk_length = soma_um * rng.uniform(0.15, 0.32), rng.uniform(80, 420)
    step = basal.step_um
    trunk = TreeStyle(APICAL, trunk_length, step, 1e6, 0, rng.uniform(2, 8), 0.1 * _UP, 0.12, 0.8)
    first = len(branches)
    grow_tree(branches, 0, 0.5, np.array([0, soma_um / 2, 0]), _UP, trunk_um, trunk, rng)
    trunk = branches[first]
    oblique = TreeStyle(
        APICAL, rng.uniform(60, 180), step, basal.fork_um, basal.fork_angle_deg, basal.wander_deg, np.zeros(3), 0.2, 0.5
    )
    for _ in range(int(rng.integers(0, 6))):
        place = rng.integers(1, trunk.num_segments + 1) / trunk.num_segments
        point = trunk.points[round(place * trunk.num_segments)]
        direction = unit_vector(random_direction(rng) + 0.4 * _UP)
        grow_tree(branches, first, place, point, direction, rng.uniform(0.25, 0.5) * trunk_um, oblique, rng)
    tuft = TreeStyle(
        APICAL, rng.uniform(60, 200), step, rng.uniform(30, 80), rng.uniform(30, 80), 15, 0.05 * _UP, 0.2, 0.5
    )
    for _ in range(int(rng.integers(0, 4))):
        direction = unit_vector(random_direction(rng) + 1.2 * _UP)
        grow_tree(branches, first, 1.0, trunk.points[-1], direction, 0.5 * trunk_um, tuft, rng)


def _grow_axon(branches: list[Branch], soma_um: float, preference: np.ndarray, rng: np.random.Generator) -> None:
    """An initial segment from the soma or, in one neuron of five, from a stem; then a thin axon with collaterals."""
    direction = unit_vector(random_direction(rng) + preference)
    stems = [index for index, branch in enumerate(branches) if branch.parent == 0]
    if rng.random() < 0.2:
        parent = int(rng.choice(stems))
        place, start = 1 / branches[parent].num_segments, branches[parent].points[1]
        width = min(rng.uniform(0.8, 1.6), branches[parent].diameters[0])
    else:
        parent, place, start = 0, 0.5, direction * soma_um / 2
        width = rng.uniform(0.05, 0.13) * soma_um + 0.4
    length = rng.uniform(15, 60)
    bends = 0.1 * preference
    hot = TreeStyle(INITIAL_SEGMENT, length, 10.0, 1e6, 0, 5, bends, 0.5, 0.5)
    index = len(branches)
    grow_tree(branches, parent, place, start, direction, width, hot, rng)
    end = branches[index]
    thin = rng.uniform(0.4, 0.9) * end.diameters[-1]
    axon = TreeStyle(
        AXON, rng.uniform(50, 400), rng.uniform(25, 40), rng.choice([1e6, 120.0]), 70, rng.uniform(3, 15), bends, 0, 0.3
    )
    grow_tree(branches, index, 1.0, end.points[-1], end.points[-1] - end.points[-2], thin, axon, rng)
