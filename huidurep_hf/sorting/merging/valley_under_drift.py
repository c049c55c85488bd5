"""Is there a valley between two units of tissue that moves, in the traces as recorded?

Clusters are found in traces that were moved back, where one neuron may look like two: at some displacements it lies
between contacts. In the traces as recorded each unit has its templates for every state of the tissue, and its spikes
are looked at along what the templates of both differ by, state by state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..templates.spike_waveforms import SpikeWaveforms, without_time_shift
from .valley import valley_depth_on_line

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording
    from ..spikes import Spikes
    from ..templates.unit_templates import UnitTemplates


# Spikes are compared in the states in which two units differ most, so much of the time together.
SHARE_OF_TIME = 0.5
MIN_SPIKES_PER_TEST = 5


def valley_under_drift(
    first: int,
    second: int,
    lag: int,
    spikes: list[np.ndarray],
    matched: Spikes,
    templates: UnitTemplates,
    recorded: PreparedRecording,
) -> float:
    """Depth of the valley between the spikes of two units, along what their templates differ by.

    Args:
        first, second: units.
        lag: samples to add to the second's spike times to align them with the first's.
        spikes: for each unit the indices of some of its spikes.
        matched: [`~huidurep_hf.sorting.spikes.Spikes`] with `unit_index`.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`] with which they were found.
        recorded: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], as recorded.

    Returns:
        `float`, 0 to 1, as [`~huidurep_hf.sorting.merging.valley.valley_depth_on_line`]; 1 where there are too few
        spikes to tell.
    """
    one, other = templates.of_unit(first), np.roll(templates.of_unit(second), -lag, axis=1)
    difference = without_time_shift(other - one, one + other)
    tells = _states_that_tell(np.square(difference).sum(axis=(1, 2)), templates.states.shares())
    peak_channels = np.ptp(one + other, axis=1).argmax(axis=1)
    lines = []
    for unit, shift in ((first, 0), (second, lag)):
        placed = matched[spikes[unit]]
        placed = placed.with_columns(sample_index=placed["sample_index"] + shift)
        states = templates.states_of(placed)
        placed, states = placed[tells[states]], states[tells[states]]
        # Both are looked at on the same channels.
        placed = placed.with_columns(channel_index=peak_channels[states])
        lines.append(_along(placed, states, 0.5 * (one + other), difference, templates.num_before, recorded))
    if min(len(line) for line in lines) < MIN_SPIKES_PER_TEST:
        return 1.0
    return valley_depth_on_line(*lines)


def _states_that_tell(differences: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Bool for each state: those that differ most, until they make up half of the time."""
    order = np.argsort(-differences, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    tells = np.zeros(len(differences), dtype=bool)
    tells[order] = before < SHARE_OF_TIME
    return tells


def _along(
    spikes: Spikes,
    states: np.ndarray,
    middle: np.ndarray,
    difference: np.ndarray,
    num_before: int,
    recorded: PreparedRecording,
) -> np.ndarray:
    """How far each spike lies from the middle of two templates along what they differ by, SDs of the noise."""
    waveforms = SpikeWaveforms.cut(recorded, spikes)
    line = np.zeros(len(spikes))
    for state, own, cut, window in waveforms.by_state(states, num_before):
        direction = difference[state][window]
        projections = np.tensordot(cut - middle[state][window], direction, axes=([1, 2], [0, 1]))
        line[own] = projections / max(np.linalg.norm(direction), 1e-9)
    return line
