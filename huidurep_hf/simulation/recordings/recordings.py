"""Ground-truth recordings for evaluation, of cells and on probes that no training data was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..electrodes.probes import contact_positions, make_probe
from ..electrodes.templates import TemplateParameters, random_unit
from ..neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS, load_cells
from .examples import example_recording
from .firing import FiringPattern
from .injection import GroundTruthRecording, RecordingChain, UnitTemplates, record_units
from .wide_band_templates import BEFORE_SPIKE_MS, displacements_of_drift, trough, wide_band_template

__all__ = [
    "DEVELOPMENT_CONDITIONS",
    "RECORDING_CONDITIONS",
    "SORTER_DEVELOPMENT_CONDITIONS",
    "RecordingParameters",
    "example_recording",
    "generate_recording",
    "place_units",
]

DISTANCE_UM = (8.0, 40.0)
MARGIN_UM = 20.0
"""Somata lie this far from the probe plane, and at most this far beside its outermost contacts."""

SIZE_RANGE = STRETCH_RANGE = (0.8, 1.25)
"""Factors on a cell's size and on its spikes' duration. Published figures rest on these: they never change."""

PLACEMENT_RATE = 30_000.0
"""Rate, in Hz, at which a unit's trough is measured before it is accepted."""

MINIMAL_SOMA_DISTANCE_UM = 12.0
MAXIMAL_TRIES_PER_UNIT = 500


@dataclass(frozen=True)
class RecordingParameters:
    """What a ground-truth recording is made of.

    Attributes:
        probe: layout, see `simulation.probes`.
        num_units: units in the recording, the cells in equal shares.
        cells: cell models the units are made from.
        duration_s: length.
        noise_level_uv: standard deviation of the noise after a band-pass of 300-6000 Hz, µV.
        snr_range: units whose trough over `noise_level_uv` lies outside are drawn again.
        firing_rate_range_hz: rates of the units, drawn log-uniformly; with a pattern, rates of their events.
        drift_um: distance between the extremes of a slow sinusoidal drift along the probe; None for no drift.
        pattern: bursts and synchrony; None for independent Poisson trains.
        sampling_rate: Hz.
        seed: the whole recording follows from it.
    """

    probe: str
    num_units: int
    cells: tuple[str, ...] = HELD_OUT_CELLS
    duration_s: float = 120.0
    noise_level_uv: float = 9.0
    snr_range: tuple[float, float] = (3.0, 20.0)
    firing_rate_range_hz: tuple[float, float] = (1.0, 8.0)
    drift_um: float | None = None
    pattern: FiringPattern | None = None
    sampling_rate: float = 30_000.0
    seed: int = 0


_SILICON32 = RecordingParameters("poly2_32", num_units=24)

RECORDING_CONDITIONS: dict[str, RecordingParameters] = {
    "tetrode": RecordingParameters("tetrode_diamond", num_units=10),
    "silicon32": _SILICON32,
    # Noise and range change together: the same units are accepted, at half their SNR.
    "silicon32_noisy": replace(_SILICON32, noise_level_uv=18.0, snr_range=(1.5, 10.0)),
    "polytrode64_drift": RecordingParameters("polytrode_64", num_units=45, drift_um=30.0),
}
"""Recordings that our figures are measured on, by name."""

_DEVELOPMENT_PROBES = {
    "tetrode": "tetrode",
    "silicon32": "neuronexus32",
    "silicon32_noisy": "neuronexus32",
    "polytrode64_drift": "neuropixels2",
}

DEVELOPMENT_CONDITIONS: dict[str, RecordingParameters] = {
    name: replace(parameters, probe=_DEVELOPMENT_PROBES[name], cells=TRAINING_CELLS, duration_s=60.0)
    for name, parameters in RECORDING_CONDITIONS.items()
}
"""Recordings that choices are made on: cells and probes that training data may be made from, and half as long."""

SORTER_DEVELOPMENT_CONDITIONS: dict[str, RecordingParameters] = {
    **DEVELOPMENT_CONDITIONS,
    # Rows of contacts 20 µm apart and staggered, and tissue that moves by more than two of them.
    "neuropixels64_drift": replace(
        DEVELOPMENT_CONDITIONS["polytrode64_drift"], probe="neuropixels1", num_units=30, drift_um=50.0
    ),
}
"""The same and what else the sorter's choices are made on."""


def generate_recording(parameters: RecordingParameters, background: np.ndarray | None = None) -> GroundTruthRecording:
    """Place units before a probe and record them.

    Args:
        parameters: what to make. `dataclasses.replace(RECORDING_CONDITIONS["tetrode"], cells=TRAINING_CELLS,
            probe="tetrode", seed=7)` is a recording for development, that no figure is measured on.
        background: traces in place of generated noise, as for [`record_units`].

    Returns:
        The recording with its true sorting and a table of its units. The noise is in memory: 0.9 GB for 120 s of 64
        channels. The same parameters give the same recording.

    Raises:
        ValueError: unknown probe or cell, or not enough places for the units.
        ModuleNotFoundError: a cell is not in the cache yet and NEURON, LFPy or MEArec is not installed.
    """
    chain = RecordingChain(
        duration_s=parameters.duration_s,
        noise_level_uv=parameters.noise_level_uv,
        firing_rate_range_hz=parameters.firing_rate_range_hz,
        drift_um=parameters.drift_um,
        pattern=parameters.pattern,
        sampling_rate=parameters.sampling_rate,
        seed=parameters.seed,
    )
    return record_units(place_units(parameters), make_probe(parameters.probe, parameters.seed), chain, background)


def place_units(
    parameters: RecordingParameters,
    contacts: np.ndarray | None = None,
    placement: TemplateParameters | None = None,
) -> UnitTemplates:
    """Draw units at random positions and compute their wide-band templates, at every displacement of the drift.

    Each displacement (steps of 2 µm) is the potential of the cell really moved, not an interpolation over contacts.

    Args:
        parameters: probe, cells, number of units, SNR range, drift and seed are used.
        contacts: `(num_contacts, 2)`, µm, in place of those of the probe.
        placement: how far from the contacts somata lie, and how cells vary; left out, near the probe.

    Returns:
        Templates from 1.8 ms before to 5.2 ms after the trough that the band-passed template has at rest.

    Raises:
        ValueError: as `generate_recording`.
    """
    cells = list(load_cells(parameters.cells).values())
    if contacts is None:
        contacts = contact_positions(parameters.probe, parameters.seed)
    placement = placement or TemplateParameters(
        distance_um=DISTANCE_UM,
        margin_um=MARGIN_UM,
        size_range=SIZE_RANGE,
        stretch_range=STRETCH_RANGE,
    )
    rng = np.random.default_rng(parameters.seed)
    displacements = displacements_of_drift(parameters.drift_um)

    positions, waveforms, rows = np.empty((0, 3)), [], []
    for _ in range(MAXIMAL_TRIES_PER_UNIT * parameters.num_units):
        if len(rows) == parameters.num_units:
            break
        # A draw that decides nothing any more: published recordings rest on the draws after it.
        rng.random()
        unit = random_unit(cells[len(rows) % len(cells)], contacts, placement, rng)
        spike = int(rng.integers(unit.cell.num_spikes))
        position = unit.pose.position
        if (np.linalg.norm(positions - position, axis=1) < MINIMAL_SOMA_DISTANCE_UM).any():
            continue
        # At one rate, so that recordings at other rates are of the same units.
        trough_index, amplitude = trough(unit, spike, contacts, PLACEMENT_RATE)
        if not parameters.snr_range[0] <= amplitude / parameters.noise_level_uv <= parameters.snr_range[1]:
            continue
        if parameters.sampling_rate != PLACEMENT_RATE:
            trough_index, _ = trough(unit, spike, contacts, parameters.sampling_rate)
        positions = np.vstack([positions, position])
        waveforms.append(
            [
                wide_band_template(unit, spike, contacts, parameters.sampling_rate, trough_index, d)
                for d in displacements
            ]
        )
        rows.append((len(rows), unit.cell.name, position[0], position[1], amplitude))
    if len(rows) < parameters.num_units:
        raise ValueError(
            f"Only {len(rows)} of {parameters.num_units} units with an SNR of {parameters.snr_range} found a place "
            f"before {parameters.probe}; ask for fewer units, a wider snr_range or less noise."
        )
    units = pd.DataFrame(rows, columns=["unit_id", "cell_type", "x", "y", "amplitude_uv"])
    peak_sample = round(BEFORE_SPIKE_MS * 1e-3 * parameters.sampling_rate)
    return UnitTemplates(np.array(waveforms).swapaxes(0, 1), displacements, peak_sample, units)
