"""Which neuron and which probe each unit of a simulated spike dataset is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .cells import HELD_OUT_CELLS, TRAINING_CELLS, load_cells
from .currents import CellCurrents
from .probes import HELD_OUT_PROBES, TRAINING_PROBES

SOURCES = ("stylised", "cell_models", "both")
"""Where the neurons of the train split come from: our own stylised neurons, published cell models, half and half."""

_NEURON_STREAM = 2
"""Neurons are drawn from generators `[seed, 2, neuron]`; units from `[seed, 0, unit]`, and 1 for the test split."""


@dataclass(frozen=True)
class PlannedUnit:
    """A unit before it is placed.

    Attributes:
        index: number of the unit in its split.
        cell: its neuron.
        probe: layout it is recorded on.
        group: what must not be split: the cell model, or the stylised neuron's own name.
    """

    index: int
    cell: CellCurrents
    probe: str
    group: str


def training_units(indices: range, source: str, units_per_neuron: int, seed: int) -> Iterator[PlannedUnit]:
    """Units of the train split.

    A unit is the same whatever the range it is asked for in. Stylised neurons serve `units_per_neuron` consecutive
    (stylised) units, on the probes in turn.

    Args:
        indices: which units.
        source: from `SOURCES`.
        units_per_neuron: units of a stylised neuron.
        seed: stylised neurons follow from it.
    """
    models = [] if source == "stylised" else list(load_cells(TRAINING_CELLS, progress=False).values())
    for index in indices:
        # Of both, even units are stylised.
        stylised = source == "stylised" or (source == "both" and index % 2 == 0)
        turn = index // 2 if source == "both" else index
        if stylised:
            cell = _stylised_neuron(seed, turn // units_per_neuron)
            group = f"{cell.name}_{turn // units_per_neuron:06d}"
            yield PlannedUnit(index, cell, TRAINING_PROBES[turn % len(TRAINING_PROBES)], group)
        else:
            yield _model_unit(index, turn, models, TRAINING_PROBES)


def held_out_units(indices: range) -> Iterator[PlannedUnit]:
    """Units of the test split: held-out cell models on held-out probes."""
    models = list(load_cells(HELD_OUT_CELLS, progress=False).values())
    for index in indices:
        yield _model_unit(index, index, models, HELD_OUT_PROBES)


def _model_unit(index: int, turn: int, models: list[CellCurrents], probes: tuple[str, ...]) -> PlannedUnit:
    cell = models[turn % len(models)]
    return PlannedUnit(index, cell, probes[turn // len(models) % len(probes)], cell.name)


@lru_cache(maxsize=1)
def _stylised_neuron(seed: int, neuron: int) -> CellCurrents:
    from .stylised_cell import random_neuron

    return random_neuron(np.random.default_rng([seed, _NEURON_STREAM, neuron]))
