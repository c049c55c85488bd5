"""From templates to a recording whose spikes are known: spike trains, noise, and the templates added at each spike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import spikeinterface.core as si
from spikeinterface.generation import DriftingTemplates, InjectDriftingTemplatesRecording

from .background_noise import generate_noise
from .firing import FiringPattern, patterned_times, poisson_times

if TYPE_CHECKING:
    import pandas as pd
    from probeinterface import Probe

AMPLITUDE_VARIATION = 0.07
"""Standard deviation of the factor on each spike's amplitude."""

NUM_PHASES = 4
"""A spike's trough falls on one of so many evenly spaced moments of a sampling period."""

_EDGE_MS = 10.0
_DRIFT_RATE_HZ = 100.0


@dataclass(frozen=True)
class GroundTruthRecording:
    """A recording and what is true of it.

    Attributes:
        recording: SpikeInterface recording with its probe, float32, wide-band, in µV (gain 1, offset 0).
        sorting: SpikeInterface sorting of the true spikes; a spike's time is the trough of its unit's band-passed
            template on its largest channel.
        units: table with one row per unit in the order of `sorting.unit_ids`: `unit_id`, `cell_type`, `x`, `y` (soma
            in the probe plane at rest, µm), `amplitude_uv` (trough after a band-pass of 300-6000 Hz, at rest), `snr`
            (that over the noise's standard deviation), `firing_rate_hz` (as drawn; with a pattern, of the events).
        far_sorting: of neurons that the noise is made of, where it is; they are real, but need not be found.
    """

    recording: si.BaseRecording
    sorting: si.BaseSorting
    units: pd.DataFrame
    far_sorting: si.BaseSorting | None = None

    @property
    def unit_snr(self) -> dict[int, float]:
        """Signal-to-noise ratio by unit id."""
        return dict(zip(self.units["unit_id"], self.units["snr"]))


@dataclass(frozen=True)
class UnitTemplates:
    """Wide-band templates of several units.

    Attributes:
        waveforms: `(num_displacements, num_units, num_samples, num_channels)`, µV, zero at both ends.
        displacements_um: `(num_displacements,)`, how far along the probe the units are moved.
        peak_sample: sample that a spike's time stands for.
        units: `unit_id` (0, 1, ...), `cell_type`, `x`, `y`, `amplitude_uv`, see `GroundTruthRecording`.
    """

    waveforms: np.ndarray
    displacements_um: np.ndarray
    peak_sample: int
    units: pd.DataFrame


@dataclass(frozen=True)
class RecordingChain:
    """How long, with what noise and at which rates the units are recorded.

    Attributes:
        duration_s: length of the recording.
        noise_level_uv: standard deviation of the noise after a band-pass of 300-6000 Hz.
        firing_rate_range_hz: rates of the units, drawn log-uniformly; with a pattern, rates of their events.
        drift_um: distance between the extremes of a sinusoidal drift of all units along the probe, one period long;
            None for no drift.
        pattern: bursts and synchrony; None for independent Poisson trains.
        sampling_rate: Hz, also that of the templates.
        seed: spike trains and noise follow from it.
    """

    duration_s: float
    noise_level_uv: float
    firing_rate_range_hz: tuple[float, float] = (1.0, 8.0)
    drift_um: float | None = None
    pattern: FiringPattern | None = None
    sampling_rate: float = 30_000.0
    seed: int = 0


def record_units(
    templates: UnitTemplates, probe: Probe, chain: RecordingChain, background: np.ndarray | None = None
) -> GroundTruthRecording:
    """Let units fire and add their templates to noise.

    Every spike has its own amplitude (factor of mean 1 and deviation 0.07) and its own place between two samples. The
    noise is held in memory (4 bytes a sample and channel); spikes are added as traces are read.

    Args:
        templates: of the units, at the sampling rate of the recording.
        probe: with one contact per channel of the templates.
        chain: duration, noise, rates, drift and pattern.
        background: recorded traces in place of generated noise, `(num_samples, num_channels)` float32, µV; their
            length is the chain's duration and their noise level the chain's.

    Returns:
        The recording with the truth. The same arguments give the same recording.

    Raises:
        ValueError: the recording is too short to hold a spike, or the background has another shape.
    """
    num_samples = round(chain.duration_s * chain.sampling_rate)
    if chain.duration_s * 1000 <= 2 * _EDGE_MS:
        raise ValueError(f"Got a duration of {chain.duration_s} s; expected more than {2 * _EDGE_MS / 1000} s.")
    train_seed, noise_seed, jitter_seed = np.random.SeedSequence(chain.seed).spawn(3)
    rates, trains, amplitudes = spike_trains(templates.units["y"], chain, np.random.default_rng(train_seed))
    if background is None:
        background = generate_noise(
            num_samples,
            probe.contact_positions,
            chain.sampling_rate,
            chain.noise_level_uv,
            np.random.default_rng(noise_seed),
        )
    expected = (num_samples, probe.get_contact_count())
    if background.shape != expected:
        raise ValueError(f"Got a background of shape {background.shape}; expected {expected}: the chain's duration.")
    recording = _inject(templates, probe, chain, trains, amplitudes, background, np.random.default_rng(jitter_seed))
    units = templates.units.assign(snr=templates.units["amplitude_uv"] / chain.noise_level_uv, firing_rate_hz=rates)
    sorting = si.NumpySorting.from_unit_dict([dict(enumerate(trains))], chain.sampling_rate)
    return GroundTruthRecording(recording, sorting, units)


def spike_trains(
    depths_um: np.ndarray, chain: RecordingChain, rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Draw when units fire, never in the first and last 10 ms.

    Args:
        depths_um: `(num_units,)`, where the units lie along the probe.
        chain: duration, sampling rate, range of firing rates and pattern.
        rng: source of the trains.

    Returns:
        Firing rates `(num_units,)` in Hz, and for each unit an int64 array of spike samples and the factors on their
        amplitudes.
    """
    rates = np.exp(rng.uniform(*np.log(chain.firing_rate_range_hz), len(depths_um)))
    if chain.pattern is None:
        times = [poisson_times(rate, chain.duration_s, rng) for rate in rates]
        amplitudes = [np.ones(len(train)) for train in times]
    else:
        times, amplitudes = patterned_times(rates, np.asarray(depths_um), chain.duration_s, chain.pattern, rng)
    inside = [(train > _EDGE_MS / 1000) & (train < chain.duration_s - _EDGE_MS / 1000) for train in times]
    samples = [np.round(train[kept] * chain.sampling_rate).astype(np.int64) for train, kept in zip(times, inside)]
    return rates, samples, [factors[kept] for factors, kept in zip(amplitudes, inside)]


def _inject(
    templates: UnitTemplates,
    probe: Probe,
    chain: RecordingChain,
    trains: list[np.ndarray],
    amplitudes: list[np.ndarray],
    noise: np.ndarray,
    rng: np.random.Generator,
) -> InjectDriftingTemplatesRecording:
    # SpikeInterface adds templates at whole samples. Each unit is injected as NUM_PHASES units whose templates are
    # moved by fractions of a sample, and each of its spikes goes to one of them at random.
    num_units = len(trains)
    samples = np.concatenate([*trains, np.empty(0, np.int64)])
    units = np.repeat(np.arange(num_units), [len(train) for train in trains])
    phases = rng.integers(NUM_PHASES, size=len(units))
    labels = units * NUM_PHASES + phases
    injected = si.NumpySorting.from_samples_and_labels(
        [samples],
        [labels],
        chain.sampling_rate,
        unit_ids=np.arange(num_units * NUM_PHASES),
    )
    displacements = np.column_stack([np.zeros_like(templates.displacements_um), templates.displacements_um])
    moved = DriftingTemplates.from_precomputed_templates(
        _shift_by_phases(templates.waveforms), displacements, chain.sampling_rate, templates.peak_sample, probe
    )
    # SpikeInterface takes the factors in order of time.
    in_time = np.concatenate([*amplitudes, np.empty(0)])[np.argsort(samples, kind="stable")]
    variation = rng.normal(1, AMPLITUDE_VARIATION, len(units)).astype(np.float32)
    parent = si.NumpyRecording([noise], chain.sampling_rate)
    recording = InjectDriftingTemplatesRecording(
        sorting=injected,
        drifting_templates=moved,
        displacement_vectors=[drift_trajectory(chain)[:, :, None]],
        displacement_sampling_frequency=_DRIFT_RATE_HZ,
        displacement_unit_factor=np.ones((num_units * NUM_PHASES, 1)),
        parent_recording=parent,
        amplitude_factor=variation * in_time.astype(np.float32),
    )
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    return recording


def drift_trajectory(chain: RecordingChain) -> np.ndarray:
    """Where the units are, 100 times a second: `(num_times, 2)`, µm from rest; moved along the probe only."""
    times = np.arange(int(np.ceil(chain.duration_s * _DRIFT_RATE_HZ)) + 1) / _DRIFT_RATE_HZ
    along = 0.5 * (chain.drift_um or 0.0) * np.sin(2 * np.pi * times / chain.duration_s)
    return np.column_stack([np.zeros_like(along), along])


def _shift_by_phases(waveforms: np.ndarray) -> np.ndarray:
    """Templates moved by fractions of a sample, phases of a unit one after the other; phases average to no shift."""
    num_displacements, num_units, num_samples, num_channels = waveforms.shape
    shifts = (np.arange(NUM_PHASES) - (NUM_PHASES - 1) / 2) / NUM_PHASES
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(num_samples) * shifts[:, None]).astype(np.complex64)
    shifted = np.empty((num_displacements, num_units, NUM_PHASES, num_samples, num_channels), dtype=np.float32)
    for displaced, result in zip(waveforms, shifted):
        spectrum = np.fft.rfft(displaced, axis=1)[:, None]
        result[:] = np.fft.irfft(spectrum * turns[None, :, :, None], num_samples, axis=2)
    return shifted.reshape(num_displacements, num_units * NUM_PHASES, num_samples, num_channels)
