"""Probe layouts by name: those that training data is made on, and those kept out of all training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from probeinterface import Probe

TRAINING_PROBES = ("tetrode", "linear", "neuronexus32", "neuropixels1", "neuropixels2", "random_planar")
"""Layouts that training data may be made on."""

RANDOM_PROBES = ("tetrode", "linear", "random_planar")
"""Layouts whose dimensions are drawn from a seed; each seed is a version of the layout."""

HELD_OUT_PROBES = ("tetrode_diamond", "poly2_32", "polytrode_64")
"""Layouts kept out of all training, for ever."""

BENCHMARK_PROBES = ("neuropixels1_96",)
"""Layouts for comparisons of sorters only: longer stretches of layouts that training data may be made on."""


def contact_positions(name: str, seed: int = 0) -> np.ndarray:
    """Contact positions of a layout.

    Args:
        name: from `TRAINING_PROBES` or `HELD_OUT_PROBES`.
        seed: draws the free dimensions of `tetrode` (side), `linear` (contacts, pitch) and `random_planar` (all);
            the other layouts are fixed.

    Returns:
        `(num_contacts, 2)`, µm, x across and y along the shank, centred on the origin and sorted by y, then x.

    Raises:
        ValueError: no layout has that name.
    """
    if name not in _LAYOUTS:
        raise ValueError(f"Got probe layout {name!r}; expected one of {sorted(_LAYOUTS)}.")
    contacts = _LAYOUTS[name](np.random.default_rng(seed))
    contacts = contacts - (contacts.min(axis=0) + contacts.max(axis=0)) / 2
    return contacts[np.lexsort((contacts[:, 0], contacts[:, 1]))]


def make_probe(name: str, seed: int = 0) -> Probe:
    """The layout `contact_positions(name, seed)` as a `probeinterface.Probe`, channel i wired to contact i."""
    return probe_of(contact_positions(name, seed), name)


def probe_of(contacts: np.ndarray, name: str = "") -> Probe:
    """Contacts `(num_contacts, 2)` (µm) as a `probeinterface.Probe`, channel i wired to contact i."""
    from probeinterface import Probe

    probe = Probe(ndim=2, si_units="um", name=name)
    probe.set_contacts(contacts, shapes="circle", shape_params={"radius": 5})
    probe.set_device_channel_indices(np.arange(len(contacts)))
    return probe


def _columns(columns_x: list[float], columns_y: list[float], num_rows: list[int], pitch_um: float) -> np.ndarray:
    """Columns of contacts, each with its x, the y of its first contact and its number of contacts."""
    return np.concatenate(
        [
            np.column_stack([np.full(rows, x), y + pitch_um * np.arange(rows)])
            for x, y, rows in zip(columns_x, columns_y, num_rows)
        ]
    )


def _tetrode(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(15, 40) * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])


def _linear(rng: np.random.Generator) -> np.ndarray:
    return _columns([0], [0], [int(rng.choice([16, 32]))], rng.uniform(15, 60))


def _random_planar(rng: np.random.Generator) -> np.ndarray:
    # From a narrow strip to a square; darts that land too near another contact are thrown away.
    size = np.array([rng.uniform(10, 150), rng.uniform(60, 400)])
    minimal_distance, wanted = rng.uniform(12, 30), int(rng.integers(6, 49))
    contacts = rng.uniform(0, size, (1, 2))
    for dart in rng.uniform(0, size, (20 * wanted, 2)):
        if len(contacts) < wanted and np.linalg.norm(contacts - dart, axis=1).min() >= minimal_distance:
            contacts = np.vstack([contacts, dart])
    return contacts


def _neuronexus32(_: np.random.Generator) -> np.ndarray:
    return _columns([-18, 0, 18], [12.5, 0, 12.5], [10, 12, 10], 25)


def _neuropixels1(_: np.random.Generator) -> np.ndarray:
    return _columns([11, 43, 27, 59], [0, 0, 20, 20], [16] * 4, 40)


def _neuropixels1_96(_: np.random.Generator) -> np.ndarray:
    return _columns([11, 43, 27, 59], [0, 0, 20, 20], [24] * 4, 40)


def _neuropixels2(_: np.random.Generator) -> np.ndarray:
    return _columns([0, 32], [0, 0], [32, 32], 15)


def _tetrode_diamond(_: np.random.Generator) -> np.ndarray:
    return 25 / np.sqrt(2) * np.array([[0, -1], [-1, 0], [1, 0], [0, 1]])


def _poly2_32(_: np.random.Generator) -> np.ndarray:
    return _columns([0, 43.3], [0, 25], [16, 16], 50)


def _polytrode_64(_: np.random.Generator) -> np.ndarray:
    return _columns([0, 22], [0, 12.5], [32, 32], 25)


_LAYOUTS = {
    "tetrode": _tetrode,
    "linear": _linear,
    "neuronexus32": _neuronexus32,
    "neuropixels1": _neuropixels1,
    "neuropixels1_96": _neuropixels1_96,
    "neuropixels2": _neuropixels2,
    "random_planar": _random_planar,
    "tetrode_diamond": _tetrode_diamond,
    "poly2_32": _poly2_32,
    "polytrode_64": _polytrode_64,
}
