"""Distinguish one neuron from two by when they fire as the tissue moves: drift fragments of one replace each other.

Two neurons fire at all displacements, side by side. A neuron that is active for a part of the time only may fire at
some displacements alone as well; but when the tissue comes back to where it was, such a neuron is silent there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from .drift_fragments import explained_share
from .settings import DriftMergingSettings

if TYPE_CHECKING:
    from ...recording.motion.states import MotionStates
    from ..spikes import Spikes


def count_in_states(
    spikes: Spikes, units: np.ndarray, num_units: int, states: MotionStates, settings: DriftMergingSettings
) -> np.ndarray:
    """Count spikes in each state of the tissue, in each part of the time that was spent in it.

    Args:
        spikes: table of spikes with `segment_index` and `sample_index` (int64, samples).
        units: `(num_spikes,)` from 0.
        num_units: how many there are.
        states: [`~huidurep_hf.recording.motion.states.MotionStates`].
        settings: [`~huidurep_hf.sorting.merging.settings.DriftMergingSettings`].

    Returns:
        `(num_units, num_states, num_parts)` float64.
    """
    num_parts = settings.num_time_parts
    of_spike, elapsed = states.elapsed_at(spikes["segment_index"], spikes["sample_index"].astype("int64"))
    parts = np.minimum((num_parts * elapsed).astype("int64"), num_parts - 1)
    counts = np.zeros((num_units, len(states), num_parts))
    np.add.at(counts, (units, of_spike, parts), 1)
    return counts


def replace_each_other(first: np.ndarray, second: np.ndarray, distance: float, settings: DriftMergingSettings) -> bool:
    """Decide whether two units replace each other as the tissue moves.

    Args:
        first, second: `(num_states, num_parts)` spikes of each, as of [`count_in_states`].
        distance: how much their templates differ, 0 to 1; the more, the more surely they must replace each other.
        settings: [`~huidurep_hf.sorting.merging.settings.DriftMergingSettings`].

    Returns:
        bool; False also where there are too few spikes to decide.
    """
    if min(first.sum(), second.sum()) < settings.min_exclusive_spikes:
        return False
    share = explained_share(first.sum(axis=1), second.sum(axis=1))
    if share <= max(settings.min_exclusive_share, distance):
        return False
    return max(_explained_share_of_time(first), _explained_share_of_time(second)) < settings.max_time_share


def _explained_share_of_time(counts: np.ndarray) -> float:
    """Share, 0 to 1, of the entropy of the part of time of a unit's spikes that is explained given their states.

    Corrected for chance (Miller 1955). Summed over states first, a unit that fires early in one state and late in
    another would look even.

    Args:
        counts: `(num_states, num_parts)` spikes of the unit, not all 0.
    """
    num_parts, in_state = counts.shape[1], counts.sum(axis=1)
    conditional_entropy = (in_state * entr(counts / np.maximum(in_state, 1)[:, None]).sum(axis=1)).sum()
    conditional_entropy += np.count_nonzero(in_state) * (num_parts - 1) / 2
    return 1 - conditional_entropy / (in_state.sum() * np.log(num_parts))
