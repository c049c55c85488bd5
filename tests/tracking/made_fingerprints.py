"""Fingerprints of neurons at known places, as a session before any contacts would give them, without a recording."""

from dataclasses import dataclass

import numpy as np
from spikeinterface.generation import generate_templates

from huidurep_hf.sorting.output.fingerprint_table import UnitFingerprints

RATE, NUM_CHANNELS, EMBEDDING_SIZE = 15000.0, 12, 8


@dataclass(frozen=True)
class Neurons:
    """Neurons with their places `(num_neurons, 3)` µm, shapes in time, phases of ripples in space, and embeddings."""

    places: np.ndarray
    shapes: dict
    phases: np.ndarray
    embeddings: np.ndarray


def make_neurons(num_neurons, contacts, seed=0):
    rng = np.random.default_rng(seed)
    low, high = contacts.min(axis=0), contacts.max(axis=0)
    depths = np.linspace(low[1], high[1], num_neurons) if num_neurons > 1 else np.full(num_neurons, contacts[0, 1])
    places = np.column_stack([rng.uniform(low[0], high[0] + 1, num_neurons), depths, rng.uniform(15, 25, num_neurons)])
    ranges = {"depolarization_ms": (0.08, 0.25), "repolarization_ms": (0.3, 0.9), "recovery_ms": (0.8, 1.5)}
    shapes = {name: rng.uniform(*span, num_neurons) for name, span in ranges.items()}
    phases = rng.uniform(0, 2 * np.pi, (num_neurons, 2))
    return Neurons(places, shapes, phases, rng.normal(0, 2, (num_neurons, EMBEDDING_SIZE)))


def see_neurons(neurons, contacts, *, chosen=None, displacement=0.0, gain=1.0, shanks=None, seed=0):
    """Fingerprints of some neurons; unit ids are the neurons' numbers."""
    rng = np.random.default_rng(seed)
    chosen = np.arange(len(neurons.places)) if chosen is None else np.asarray(chosen, dtype=int)
    shanks = np.full(len(contacts), "0") if shanks is None else np.asarray(shanks)
    moved = neurons.places[chosen] + [0.0, displacement, 0.0]
    num_units, num_local = len(chosen), min(NUM_CHANNELS, len(contacts))
    everyone = neurons.places + [0.0, displacement, 0.0]
    # Of all neurons, as the generator draws from the seed in their order.
    waveforms = generate_templates(
        contacts, everyone, RATE, 0.8, 3.0, seed=0, mode="sphere", unit_params=neurons.shapes
    )[chosen, :36]
    # What dendrites do: no two neurons look alike from all sides.
    relative = (contacts[None] - moved[:, None, :2]) / [25.0, 40.0]
    waveforms = waveforms * (1 + 0.5 * np.cos(relative + neurons.phases[chosen][:, None]).prod(axis=2))[:, None]
    waveforms = 15 * waveforms / np.abs(waveforms).max(axis=(1, 2), keepdims=True)
    distances = np.linalg.norm(contacts[None] - moved[:, None, :2], axis=2)
    main = distances.argmin(axis=1)
    distances[shanks[None, :] != shanks[main][:, None]] = np.inf
    local = np.argsort(distances, axis=1)[:, :num_local]
    is_there = np.isfinite(np.take_along_axis(distances, local, axis=1))
    template = np.take_along_axis(waveforms, local[:, None, :], axis=2) * is_there[:, None, :]
    halves = template[:, None] + 0.1 * rng.normal(size=(num_units, 2, *template.shape[1:]))
    embedding = neurons.embeddings[chosen][:, None] + 0.1 * rng.normal(size=(num_units, 2, EMBEDDING_SIZE))
    location = moved[:, None, :2] + rng.normal(size=(num_units, 2, 2))
    return UnitFingerprints(
        unit_ids=chosen,
        shank=shanks[main].astype(str),
        num_spikes=np.full((num_units, 2), 200),
        rate_hz=np.full(num_units, 4.0),
        num_embedded=np.full((num_units, 2), 100),
        embedding=embedding.astype("float32"),
        embedding_covariance=np.tile(np.eye(EMBEDDING_SIZE, dtype="float32"), (num_units, 1, 1)),
        location=location.astype("float32"),
        location_spread=np.full((num_units, 2), 5.0, dtype="float32"),
        num_averaged=np.full((num_units, 2), 100),
        template=(halves * is_there[:, None, None, :]).astype("float32"),
        template_error=np.full((num_units, 2, num_local), 0.1, dtype="float32"),
        positions=(contacts[local] * is_there[:, :, None]).astype("float32"),
        noise_levels=(10.0 * gain * is_there).astype("float32"),
        correlogram=np.full((num_units, 2, 50), 0.01, dtype="float32"),
        contacts=contacts.astype("float64"),
        contact_shanks=shanks.astype(str),
        description={
            "template_rate_hz": RATE,
            "peak_sample": 12,
            "lag_ms": 1.0,
            "duration_s": 100.0,
            "unit": "uV",
            "model": "none",
        },
    )


def two_columns(num_rows, first_row=0):
    """Contacts 20 µm apart in two staggered columns."""
    rows = np.arange(first_row, first_row + num_rows)
    return np.column_stack([np.where(rows % 2, 24.0, 0.0), 20.0 * rows])
