"""Which neuron and which probe each unit of a simulated spike dataset is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..currents import CellCurrents
from ..electrodes.probes import HELD_OUT_PROBES, TRAINING_PROBES
from ..electrodes.templates import Band, random_band
from ..neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS, load_cells
from ..random_draws import log_uniform
from .parameters import SpikeDatasetParameters

# Stylised neurons are drawn from generators `[seed, 2, neuron]`, what a neuron's units share from
# `[seed, 3, is stylised, neuron]`, recording chains from `[seed, 4, probe, layout]`; units from `[seed, 0, unit]`, and
# those of the test split from `[seed, 1, unit]`.
_NEURON_STREAM, _KIN_STREAM, _CHAIN_STREAM = 2, 3, 4


@dataclass(frozen=True)
class PlannedUnit:
    """A unit before it is placed.

    Attributes:
        index: number of the unit in its split.
        cell: its neuron.
        probe: layout it is recorded on.
        layout: version of the layout and of the recording chain behind it.
        band: the filter of that chain.
        stretch: factor on the duration of its neuron's spikes, about which its own is drawn.
        group: what must not be split: the cell model, or the stylised neuron's own name.
    """

    index: int
    cell: CellCurrents
    probe: str
    layout: int
    band: Band
    stretch: float
    group: str


def training_units(parameters: SpikeDatasetParameters, indices: range) -> Iterator[PlannedUnit]:
    """Units of the train split.

    A unit is the same whatever the range it is asked for in. A neuron serves `units_per_neuron` consecutive units (of
    its source) on one probe behind one recording chain: they differ by their places and little else, as neurons of a
    type do in a recording, and are the negatives of one another that are hard to tell apart.

    Args:
        parameters: source, neurons, layouts and seed are used.
        indices: which units.
    """
    source, seed = parameters.source, parameters.seed
    models = [] if source == "stylised" else list(load_cells(TRAINING_CELLS, progress=False).values())
    for index in indices:
        # Of both, even units are stylised.
        stylised = source == "stylised" or (source == "both" and index % 2 == 0)
        turn = index // 2 if source == "both" else index
        neuron = turn // parameters.units_per_neuron
        rng = np.random.default_rng([seed, _KIN_STREAM, stylised, neuron])
        layout = int(rng.integers(parameters.num_layouts))
        stretch = log_uniform(rng, *parameters.stretch_range)
        if stylised:
            cell = _stylised_neuron(seed, neuron)
            probe, group = TRAINING_PROBES[neuron % len(TRAINING_PROBES)], f"{cell.name}_{neuron:06d}"
        else:
            cell = models[neuron % len(models)]
            probe, group = TRAINING_PROBES[neuron // len(models) % len(TRAINING_PROBES)], cell.name
        rng = np.random.default_rng([seed, _CHAIN_STREAM, TRAINING_PROBES.index(probe), layout])
        yield PlannedUnit(index, cell, probe, layout, random_band(parameters.templates, rng), stretch, group)


def held_out_units(indices: range) -> Iterator[PlannedUnit]:
    """Units of the test split: held-out cell models on held-out probes."""
    models = list(load_cells(HELD_OUT_CELLS, progress=False).values())
    for index in indices:
        cell = models[index % len(models)]
        probe = HELD_OUT_PROBES[index // len(models) % len(HELD_OUT_PROBES)]
        yield PlannedUnit(index, cell, probe, 0, Band(), 1.0, cell.name)


@lru_cache(maxsize=1)
def _stylised_neuron(seed: int, neuron: int) -> CellCurrents:
    from ..neurons.stylised_cell import random_neuron

    return random_neuron(np.random.default_rng([seed, _NEURON_STREAM, neuron]))
