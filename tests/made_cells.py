"""Cells that need no NEURON: a soma and a dendrite whose currents are made up, under the names of the real ones."""

import numpy as np

from huidurep_hf.simulation.currents import CellCurrents
from huidurep_hf.simulation.neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS

RATE = 32_000.0
NUM_SEGMENTS, NUM_SAMPLES, SPIKE_SAMPLE = 6, 288, 80


def fill_cache(folder):
    """Write such cells where `load_cells` looks for simulated ones, below a cache folder."""
    for place, name in enumerate(TRAINING_CELLS + HELD_OUT_CELLS):
        make_cell(name, seed=place).save(folder / "cells" / f"{name}.npz")


def make_cell(name, seed):
    """Current flows into the soma during a spike and out of it after, and the other way round along the dendrite."""
    rng = np.random.default_rng(seed)
    times = (np.arange(NUM_SAMPLES) - SPIKE_SAMPLE) / RATE * 1000
    width = rng.uniform(0.12, 0.25)
    spike = -np.exp(-((times / width) ** 2)) + 0.35 * np.exp(-(((times - 3 * width) / (2 * width)) ** 2))
    shares = rng.dirichlet(np.ones(NUM_SEGMENTS - 1))
    currents = 12.0 * np.outer(np.append(1.0, -shares), spike)
    ends = np.cumsum(np.append([[8.0, 0, 0]], rng.normal([0, 25, 0], 12, (NUM_SEGMENTS - 1, 3)), axis=0), axis=0)
    starts = np.vstack([[-8.0, 0, 0], ends[:-1]])
    diameters = np.append(16.0, np.full(NUM_SEGMENTS - 1, 2.0))
    return CellCurrents(name, currents[None].astype("float32"), starts, ends, diameters, RATE, SPIKE_SAMPLE)
