"""The wide-band waveform of a unit of a recording, wherever drift moves it, and the trough that it is aligned to."""

from __future__ import annotations

import numpy as np

from ..electrodes.amplifier import NOMINAL_BAND_HZ, record_potential
from ..electrodes.potential import extracellular_potential
from ..electrodes.templates import Unit

BEFORE_SPIKE_MS = 1.8
AFTER_SPIKE_MS = 5.2
FADE_IN_MS, FADE_OUT_MS = 0.5, 2.0
DRIFT_STEP_UM = 2.0


def displacements_of_drift(drift_um: float | None) -> np.ndarray:
    """Displacements (µm) between the extremes of a drift, about 2 µm apart, rest in the middle."""
    reach = 0.5 * (drift_um or 0.0)
    num_steps = int(np.ceil(reach / DRIFT_STEP_UM))
    return np.linspace(-reach, reach, 2 * num_steps + 1)


def trough(unit: Unit, spike: int, contacts: np.ndarray, sampling_rate: float) -> tuple[int, float]:
    """Sample and depth (µV) of the trough of the band-passed template; depth 0 if its peak is higher."""
    potential = extracellular_potential(unit.cell, unit.pose, contacts, spike)
    waveform = record_potential(potential, unit.cell.sampling_rate, sampling_rate, NOMINAL_BAND_HZ, unit.stretch)
    depth = -waveform.min()
    return int(waveform.min(axis=1).argmin()), float(depth) if depth >= waveform.max() else 0.0


def wide_band_template(
    unit: Unit, spike: int, contacts: np.ndarray, sampling_rate: float, trough_index: int, displacement_um: float
) -> np.ndarray:
    """Unfiltered template of a unit that is moved along the probe.

    Args:
        unit: the unit at rest.
        spike: which of the cell's spikes.
        contacts: `(num_contacts, 2)`, µm.
        sampling_rate: Hz.
        trough_index: of the unit at rest, from `trough` at the same rate.
        displacement_um: along the probe.

    Returns:
        `(num_samples, num_contacts)` float32, µV, from 1.8 ms before to 5.2 ms after that trough, zero at both ends.
    """
    potential = extracellular_potential(unit.cell, unit.pose.shifted(displacement_um), contacts, spike)
    waveform = record_potential(potential, unit.cell.sampling_rate, sampling_rate, None, unit.stretch)
    start = trough_index - round(BEFORE_SPIKE_MS * 1e-3 * sampling_rate)
    stop = trough_index + round(AFTER_SPIKE_MS * 1e-3 * sampling_rate)
    waveform = waveform[start:stop]
    # The slow after-potential outlasts the window; without a fade every spike would end in a step.
    fade_in, fade_out = (_rise(round(ms * 1e-3 * sampling_rate)) for ms in (FADE_IN_MS, FADE_OUT_MS))
    waveform[: len(fade_in)] *= fade_in[:, None]
    waveform[-len(fade_out) :] *= fade_out[::-1, None]
    return waveform.astype(np.float32)


def _rise(num_samples: int) -> np.ndarray:
    """Half a cosine from 0 to 1."""
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(num_samples) / num_samples)
