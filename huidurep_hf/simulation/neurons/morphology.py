"""The shape of a neuron as branches of cylinders, and the growth of random trees of them.

A tree grows as a walk: straight steps whose direction wanders and is drawn towards a bias, forking at random into two
daughters whose diameters follow Rall's three-halves power law (Rall, Exp. Neurol. 1, 1959, 491-527).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DENDRITE, APICAL, INITIAL_SEGMENT, AXON, SOMA = "dendrite", "apical", "initial_segment", "axon", "soma"


@dataclass(frozen=True)
class Branch:
    """An unforked piece of a neuron: a chain of equally long cylinders (segments).

    Attributes:
        kind: `SOMA`, `DENDRITE`, `APICAL`, `INITIAL_SEGMENT` or `AXON`.
        parent: index of the branch it leaves from, -1 for the soma.
        parent_place: where on the parent it leaves, from 0 (its beginning) to 1 (its end).
        points: `(num_segments + 1, 3)`, ends of the segments, µm.
        diameters: `(num_segments,)`, µm.
        path_um: distance along the neuron from the soma to the branch's beginning.
    """

    kind: str
    parent: int
    parent_place: float
    points: np.ndarray
    diameters: np.ndarray
    path_um: float

    @property
    def num_segments(self) -> int:
        """Number of cylinders."""
        return len(self.diameters)

    @property
    def length_um(self) -> float:
        """Length along the branch."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

    @property
    def segment_path_um(self) -> np.ndarray:
        """`(num_segments,)`, distance along the neuron from the soma to the middle of each segment."""
        return self.path_um + (np.arange(self.num_segments) + 0.5) * self.length_um / self.num_segments


@dataclass(frozen=True)
class TreeStyle:
    """How a tree grows.

    Attributes:
        kind: kind of its branches.
        reach_um: path length from its root at which its branches end, give or take a quarter.
        step_um: length of a segment.
        fork_um: mean path length between forks.
        fork_angle_deg: mean angle between the two daughters.
        wander_deg: standard deviation of the direction's change per step.
        bias: `(3,)`, added to the direction at every step.
        taper: share of the diameter lost per 100 µm.
        minimal_diameter_um: diameters end here.
    """

    kind: str
    reach_um: float
    step_um: float
    fork_um: float
    fork_angle_deg: float
    wander_deg: float
    bias: np.ndarray
    taper: float
    minimal_diameter_um: float


def make_soma(diameter_um: float) -> Branch:
    """A cylinder along y, as long as it is wide, around the origin."""
    points = np.array([[0.0, -diameter_um / 2, 0.0], [0.0, diameter_um / 2, 0.0]])
    return Branch(SOMA, -1, 0.0, points, np.array([diameter_um]), 0.0)


def grow_tree(
    branches: list[Branch],
    parent: int,
    parent_place: float,
    start: np.ndarray,
    direction: np.ndarray,
    diameter_um: float,
    style: TreeStyle,
    rng: np.random.Generator,
) -> None:
    """Append a tree to `branches`, its root branch leaving `branches[parent]`.

    Args:
        branches: the neuron so far.
        parent: index of the branch it leaves from.
        parent_place: where on that branch, from 0 to 1.
        start: `(3,)`, where the tree begins, µm.
        direction: `(3,)`, in which it begins.
        diameter_um: of its root.
        style: how it grows.
        rng: source of all draws.
    """
    root_path = path_at(branches, parent, parent_place)
    tips = [(parent, parent_place, np.asarray(start, dtype=float), unit_vector(direction), diameter_um, 0.0)]
    while tips:
        parent, parent_place, start, direction, diameter, path = tips.pop()
        to_fork, to_end = rng.gamma(3.0, style.fork_um / 3), style.reach_um * rng.uniform(0.75, 1.25) - path
        length = max(min(to_fork, to_end), 0.5 * style.step_um)
        num_segments = max(1, round(length / style.step_um))
        step = length / num_segments
        # Equal steps, so that a segment of NEURON's section is one step of the walk.
        steps = np.empty((num_segments, 3))
        for index in range(num_segments):
            noise = rng.normal(size=3) * np.deg2rad(style.wander_deg)
            direction = unit_vector(direction + noise + style.bias)
            steps[index] = step * direction
        points = start + np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
        taper = (1 - style.taper) ** (step * np.arange(num_segments + 1) / 100)
        diameters = np.maximum(diameter * taper, style.minimal_diameter_um)
        branches.append(Branch(style.kind, parent, parent_place, points, diameters[:-1], root_path + path))
        if to_end <= to_fork:
            continue
        path += length
        index = len(branches) - 1
        for daughter, width in zip(_fork(direction, style.fork_angle_deg, rng), _daughters(diameters[-1], rng)):
            tips.append((index, 1.0, points[-1], daughter, max(width, style.minimal_diameter_um), path))


def path_at(branches: list[Branch], index: int, place: float) -> float:
    """Distance along the neuron from the soma to a place (0 to 1) on one of its branches, µm."""
    branch = branches[index]
    return 0.0 if branch.kind == SOMA else branch.path_um + place * branch.length_um


def unit_vector(vector: np.ndarray) -> np.ndarray:
    """`vector` at length 1."""
    return vector / np.linalg.norm(vector)


def random_direction(rng: np.random.Generator) -> np.ndarray:
    """Uniform over the sphere, `(3,)`."""
    return unit_vector(rng.normal(size=3))


def _fork(direction: np.ndarray, angle_deg: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two directions with about `angle_deg` between them, in a random plane through `direction`."""
    sideways = np.cross(direction, random_direction(rng))
    sideways = unit_vector(sideways)
    # The angle is shared unevenly: one daughter goes on straighter than the other.
    angle = np.deg2rad(angle_deg) * rng.uniform(0.6, 1.4)
    first = angle * rng.uniform(0.2, 0.8)
    return (
        np.cos(first) * direction + np.sin(first) * sideways,
        np.cos(angle - first) * direction - np.sin(angle - first) * sideways,
    )


def _daughters(diameter: float, rng: np.random.Generator) -> tuple[float, float]:
    """Diameters of two daughters: d^1.5 = a^1.5 + b^1.5."""
    share = rng.uniform(0.3, 0.7)
    return diameter * share ** (2 / 3), diameter * (1 - share) ** (2 / 3)
