"""The valley between two units of drifting tissue, in the traces as recorded.

Clusters are found in drift-corrected traces, where one neuron may look like two: at some displacements it lies between
contacts. In the traces as recorded each unit has a template for every state of the tissue, and its spikes are projected
on the difference of both templates, state by state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..templates.spike_waveforms import SpikeWaveforms, without_time_shift
from .valley import valley_depth_on_line

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording
    from ..parameters import SortingParameters
    from ..spikes import Spikes
    from ..templates.unit_templates import UnitTemplates


def valley_under_drift(
    first: int,
    second: int,
    lag: int,
    spikes: list[np.ndarray],
    matched: Spikes,
    templates: UnitTemplates,
    recorded: PreparedRecording,
    parameters: SortingParameters,
) -> float:
    """Depth of the valley between the spikes of two units, along the difference of their templates.

    Args:
        first, second: indices of the units.
        lag: samples to add to the second's spike times to align them with the first's.
        spikes: for each unit `(num_chosen,)` indices of some of its spikes.
        matched: [`~huidurep_hf.sorting.spikes.Spikes`] with `unit_index`.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`] with which they were found.
        recorded: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], as recorded.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `float`, 0 to 1, as [`~huidurep_hf.sorting.merging.valley.valley_depth_on_line`]; 1 where there are too few
        spikes to decide.
    """
    one, other = templates.of_unit(first), np.roll(templates.of_unit(second), -lag, axis=1)
    difference = without_time_shift(other - one, one + other)
    settings, energies = parameters.drift_merging, np.square(difference).sum(axis=(1, 2))
    is_compared = _most_different_states(energies, templates.states.shares(), settings.compared_time_share)
    peak_channels = np.ptp(one + other, axis=1).argmax(axis=1)
    lines = []
    for unit, shift in ((first, 0), (second, lag)):
        placed = matched[spikes[unit]]
        placed = placed.with_columns(sample_index=placed["sample_index"] + shift)
        states = templates.states_of(placed)
        placed, states = placed[is_compared[states]], states[is_compared[states]]
        # Both units are compared on the same channels.
        placed = placed.with_columns(channel_index=peak_channels[states])
        waveforms = SpikeWaveforms.cut(recorded, placed, parameters.waveforms)
        lines.append(_along(waveforms, states, 0.5 * (one + other), difference, templates.num_before))
    if min(len(line) for line in lines) < settings.min_compared_spikes:
        return 1.0
    return valley_depth_on_line(*lines)


def _most_different_states(differences: np.ndarray, shares: np.ndarray, min_share: float) -> np.ndarray:
    """Bool for each state: those that differ most, until they make up a share of the time."""
    order = np.argsort(-differences, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    is_compared = np.zeros(len(differences), dtype=bool)
    is_compared[order] = before < min_share
    return is_compared


def _along(
    waveforms: SpikeWaveforms, states: np.ndarray, middle: np.ndarray, difference: np.ndarray, num_before: int
) -> np.ndarray:
    """Distance of each spike from the middle of two templates along their difference, `(num_spikes,)` noise SDs."""
    line = np.zeros(len(states))
    for state, own, cut, window in waveforms.by_state(states, num_before):
        direction = difference[state][window]
        projections = np.tensordot(cut - middle[state][window], direction, axes=([1, 2], [0, 1]))
        line[own] = projections / max(np.linalg.norm(direction), 1e-9)
    return line
