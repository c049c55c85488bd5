"""Recordings of one probe on several days, in which it is known which unit is which neuron.

The tissue moves along the probe between the days, so it is longer than the probe: as many neurons lie in each stretch
of it. On each day some of them are replaced. A neuron's own place, its distance and its amplitude may wander. What a
contact sees is the potential of the cell at its place on that day, not an interpolation over contacts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..electrodes.probes import contact_positions, make_probe
from ..electrodes.templates import TemplateParameters, Unit, random_unit
from ..neurons.cells import load_cells
from .injection import GroundTruthRecording, RecordingChain, UnitTemplates, record_units
from .recordings import (
    DISTANCE_UM,
    MARGIN_UM,
    MAXIMAL_TRIES_PER_UNIT,
    MINIMAL_SOMA_DISTANCE_UM,
    SIZE_RANGE,
    STRETCH_RANGE,
)
from .session_settings import SessionSettings
from .wide_band_templates import BEFORE_SPIKE_MS, displacements_of_drift, trough, wide_band_template

DISPLACEMENT_SPREAD = 0.2
"""The displacement between two days lies within this share of the one asked for."""


@dataclass(frozen=True)
class SessionDays:
    """What each day is like; arrays of `(num_days,)`.

    Attributes:
        displacements_um: of the tissue along the probe, against the first day.
        gains: factor on spikes and noise.
        noise_factors: further factor on the noise.
    """

    displacements_um: np.ndarray
    gains: np.ndarray
    noise_factors: np.ndarray


@dataclass(frozen=True)
class SessionNeuron:
    """A neuron and what becomes of it; arrays of `(num_days, ...)`.

    Attributes:
        unit: the cell at its place before the probe as the tissue lies on the first day.
        spike: which of the cell's spikes it fires.
        lives: whether it is there.
        fires: whether it is there and not silent.
        steps_um: `(num_days, 3)`, its own way along the probe, across it and away from it, against its first day.
        amplitudes: factor on its waveform, against its first day.
    """

    unit: Unit
    spike: int
    lives: np.ndarray
    fires: np.ndarray
    steps_um: np.ndarray
    amplitudes: np.ndarray

    def on_day(self, day: int, displacement_um: float) -> Unit:
        """The unit where it lies on a day on which the tissue is displaced so far; never nearer than neurons may be."""
        along, across, away = self.steps_um[day]
        away = max(away, DISTANCE_UM[0] - self.unit.pose.position[2])
        return replace(self.unit, pose=self.unit.pose.shifted(displacement_um + along, across, away))


@dataclass(frozen=True)
class SimulatedSession:
    """One day.

    Attributes:
        truth: the recording; its sorting has the property `neuron`, and so has its table of units: the number of the
            neuron, the same on all days. Unit ids say nothing of it.
        displacement_um: of the tissue along the probe, against the first day.
        gain: factor on spikes and noise.
        noise_level_uv: standard deviation after a band-pass of 300-6000 Hz, with the gain.
    """

    truth: GroundTruthRecording
    displacement_um: float
    gain: float
    noise_level_uv: float


def generate_sessions(settings: SessionSettings) -> Iterator[SimulatedSession]:
    """Make the days one after the other: only one is in memory (4 bytes a sample and channel).

    Args:
        settings: what to make. The same settings give the same days.

    Returns:
        Iterator over the days.

    Raises:
        ValueError: unknown probe or cell, not enough places for the neurons, or a day without any neuron.
        ModuleNotFoundError: a cell is not in the cache yet and NEURON, LFPy or MEArec is not installed.
    """
    days = draw_days(settings)
    neurons = draw_neurons(settings, days)
    order, chains = (np.random.default_rng([settings.seed, stream]) for stream in (3, 4))
    probe = make_probe(settings.probe, settings.seed)
    for day, displacement in enumerate(days.displacements_um):
        templates = day_templates(neurons, day, settings, days, order)
        noise_level = settings.noise_level_uv * days.gains[day] * days.noise_factors[day]
        chain = RecordingChain(
            duration_s=settings.duration_s,
            noise_level_uv=float(noise_level),
            firing_rate_range_hz=settings.firing_rate_range_hz,
            drift_um=settings.drift_um or None,
            sampling_rate=settings.sampling_rate,
            seed=int(chains.integers(2**31)),
        )
        truth = record_units(templates, probe, chain)
        truth.sorting.set_property("neuron", templates.units["neuron"].to_numpy())
        yield SimulatedSession(truth, float(displacement), float(days.gains[day]), float(noise_level))


def draw_days(settings: SessionSettings) -> SessionDays:
    """Draw where the tissue lies on each day, and gain and noise; the first day is the nominal one."""
    rng = np.random.default_rng([settings.seed, 1])
    num_steps = settings.num_days - 1
    sizes = settings.displacement_um * rng.uniform(1 - DISPLACEMENT_SPREAD, 1 + DISPLACEMENT_SPREAD, num_steps)
    steps = sizes * rng.choice([-1.0, 1.0], num_steps)
    gains, noises = (
        np.exp(rng.uniform(-1, 1, num_steps) * np.log1p(change))
        for change in (settings.gain_change, settings.noise_change)
    )
    return SessionDays(np.append(0.0, np.cumsum(steps)), np.append(1.0, gains), np.append(1.0, noises))


def draw_neurons(settings: SessionSettings, days: SessionDays) -> list[SessionNeuron]:
    """Fill the tissue with neurons and let a share of them be replaced on each day.

    Args:
        settings: probe, cells, number of neurons, what changes, and the seed are used.
        days: of the same settings; they say how far the tissue reaches.

    Returns:
        Neurons that lie before the probe on at least one day.

    Raises:
        ValueError: as `generate_sessions`.
    """
    cells = list(load_cells(settings.cells).values())
    contacts = contact_positions(settings.probe, settings.seed)
    placement = TemplateParameters(
        distance_um=DISTANCE_UM, margin_um=MARGIN_UM, size_range=SIZE_RANGE, stretch_range=STRETCH_RANGE
    )
    rng = np.random.default_rng([settings.seed, 2])
    low, high = contacts.min(axis=0), contacts.max(axis=0)
    reach = np.array([low - [0, days.displacements_um.max()], high - [0, days.displacements_um.min()]])
    length, tissue = high[1] - low[1] + 2 * MARGIN_UM, reach[1, 1] - reach[0, 1] + 2 * MARGIN_UM
    num_places = round(settings.num_neurons * tissue / length)

    neurons = []
    for lives in _draw_lives(num_places, settings, rng):
        for _ in range(MAXIMAL_TRIES_PER_UNIT):
            cell = cells[len(neurons) % len(cells)]
            unit = random_unit(cell, reach, placement, rng)
            neuron = SessionNeuron(
                unit, int(rng.integers(cell.num_spikes)), lives, *_draw_changes(lives, settings, rng)
            )
            depths = np.abs(unit.pose.position[1] + days.displacements_um)
            depths[~lives] = np.inf
            home = int(depths.argmin())
            if depths[home] > length / 2:
                # It lives and dies where the probe never is.
                break
            if _is_crowded(neuron, neurons):
                continue
            # Without its own steps: what wanders begins from a neuron of the range asked for.
            there = replace(unit, pose=unit.pose.shifted(days.displacements_um[home]))
            _, amplitude = trough(there, neuron.spike, contacts, settings.sampling_rate)
            if settings.snr_range[0] <= amplitude / settings.noise_level_uv <= settings.snr_range[1]:
                neurons.append(neuron)
                break
        else:
            raise ValueError(
                f"After {len(neurons)} neurons no other with an SNR of {settings.snr_range} found a place before "
                f"{settings.probe}; ask for fewer neurons, a wider snr_range or less noise."
            )
    return neurons


def day_templates(
    neurons: list[SessionNeuron], day: int, settings: SessionSettings, days: SessionDays, rng: np.random.Generator
) -> UnitTemplates:
    """Wide-band templates of the neurons that the probe sees on a day, at every displacement of the day's drift.

    Args:
        neurons: all of the tissue; their numbers are their places in this list.
        day: which.
        settings: of the sessions.
        days: of the sessions.
        rng: draws the order of the units.

    Returns:
        Templates with the day's gain; the table of units has the column `neuron`.

    Raises:
        ValueError: no neuron is seen.
    """
    contacts = contact_positions(settings.probe, settings.seed)
    displacements = displacements_of_drift(settings.drift_um)
    waveforms, rows = [], []
    for number in rng.permutation(len(neurons)):
        neuron = neurons[number]
        if not neuron.fires[day]:
            continue
        unit = neuron.on_day(day, days.displacements_um[day])
        trough_index, amplitude = trough(unit, neuron.spike, contacts, settings.sampling_rate)
        amplitude *= neuron.amplitudes[day]
        if amplitude < settings.visible_snr * settings.noise_level_uv:
            continue
        factor = neuron.amplitudes[day] * days.gains[day]
        waveforms.append(
            [
                factor * wide_band_template(unit, neuron.spike, contacts, settings.sampling_rate, trough_index, moved)
                for moved in displacements
            ]
        )
        x, y, _ = unit.pose.position
        rows.append((len(rows), int(number), unit.cell.name, x, y, amplitude * days.gains[day]))
    if not rows:
        raise ValueError(f"No neuron is before {settings.probe} on day {day}; ask for more neurons.")
    units = pd.DataFrame(rows, columns=["unit_id", "neuron", "cell_type", "x", "y", "amplitude_uv"])
    peak_sample = round(BEFORE_SPIKE_MS * 1e-3 * settings.sampling_rate)
    return UnitTemplates(np.array(waveforms, dtype=np.float32).swapaxes(0, 1), displacements, peak_sample, units)


def _draw_lives(num_places: int, settings: SessionSettings, rng: np.random.Generator) -> list[np.ndarray]:
    """For each neuron that ever is in the tissue, whether it lives on each day; each place always holds one."""
    holder = np.arange(num_places)
    by_day = [holder]
    num_replaced, num_neurons = round(settings.replaced_share * num_places), num_places
    for _ in range(settings.num_days - 1):
        holder = holder.copy()
        holder[rng.choice(num_places, num_replaced, replace=False)] = num_neurons + np.arange(num_replaced)
        num_neurons += num_replaced
        by_day.append(holder)
    return [np.array([neuron in holder for holder in by_day]) for neuron in range(num_neurons)]


def _draw_changes(
    lives: np.ndarray, settings: SessionSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether a neuron fires on each day, its steps and its amplitudes, see `SessionNeuron`."""
    fires = lives & (rng.random(settings.num_days) >= settings.silent_share)
    deviations = (settings.scatter_um, settings.scatter_um, settings.distance_step_um)
    steps = np.cumsum(rng.normal(0, deviations, (settings.num_days, 3)), axis=0)
    factors = np.cumsum(rng.normal(0, settings.amplitude_step, settings.num_days))
    born = int(lives.argmax())
    return fires, steps - steps[born], np.exp(factors - factors[born])


def _is_crowded(neuron: SessionNeuron, others: list[SessionNeuron]) -> bool:
    """Whether it would lie too near to another one that lives on some of its days."""
    position = neuron.unit.pose.position
    return any(
        np.linalg.norm(other.unit.pose.position - position) < MINIMAL_SOMA_DISTANCE_UM
        for other in others
        if (other.lives & neuron.lives).any()
    )
