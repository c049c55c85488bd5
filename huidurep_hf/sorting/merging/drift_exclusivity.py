"""Tell one neuron from two by when they fire as the tissue moves: parts of one replace each other.

Two neurons fire at all displacements, side by side. A neuron that is active for a part of the time only may fire at
some displacements alone as well; but when the tissue comes back to where it was, such a neuron is silent there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from .drift_fragments import share_told

if TYPE_CHECKING:
    from ...recording.motion.states import MotionStates
    from ..spikes import Spikes


# How far the state tells of which unit a spike is, times the dial from split to merged: 0.3 at its default. On seven
# development recordings four of five parts of one neuron have more, two neurons that are always active up to 0.22
# (0.29 where one of their units holds a third of another's spikes).
MIN_SHARE_TIMES_VALLEY = 0.09
# The time that was spent in a state is looked at in so many parts: a neuron silent at first and at last shows.
NUM_PARTS = 4
# Of what there is to know about the part that a spike fell in. A neuron that fires three times as fast in one half of
# the time as in the other has 0.1, one that is silent in one part 0.2 and in two parts 0.5.
MAX_SHARE_OF_TIME = 0.17
# Fewer spikes do not tell at which displacements and when a unit fires.
MIN_SPIKES = 12


def count_in_states(spikes: Spikes, units: np.ndarray, num_units: int, states: MotionStates) -> np.ndarray:
    """Count spikes in each state of the tissue, in each part of the time that was spent in it.

    Args:
        spikes: structured array with `segment_index` and `sample_index`.
        units: `(num_spikes,)` from 0.
        num_units: how many there are.
        states: [`~huidurep_hf.recording.motion.states.MotionStates`].

    Returns:
        `(num_units, num_states, NUM_PARTS)` float64.
    """
    of_spike, elapsed = states.elapsed_at(spikes["segment_index"], spikes["sample_index"].astype("int64"))
    parts = np.minimum((NUM_PARTS * elapsed).astype("int64"), NUM_PARTS - 1)
    counts = np.zeros((num_units, len(states), NUM_PARTS))
    np.add.at(counts, (units, of_spike, parts), 1)
    return counts


def replace_each_other(first: np.ndarray, second: np.ndarray, distance: float, min_valley: float) -> bool:
    """Tell whether two units replace each other as the tissue moves.

    Args:
        first, second: `(num_states, NUM_PARTS)` spikes of each, as of [`count_in_states`].
        distance: how much their templates differ, 0 to 1; the more, the more surely they must replace each other.
        min_valley: the dial from split (0) to merged (1).
    """
    if min(first.sum(), second.sum()) < MIN_SPIKES:
        return False
    share = share_told(first.sum(axis=1), second.sum(axis=1))
    if share * min_valley <= MIN_SHARE_TIMES_VALLEY or share <= distance:
        return False
    return max(_time_told(first), _time_told(second)) < MAX_SHARE_OF_TIME


def _time_told(counts: np.ndarray) -> float:
    """How much of what there is to know about the part that a unit's spikes fell in is known, where their states are.

    Corrected for chance (Miller 1955). A sum over states would take early in one and late in another for even.
    """
    in_state = counts.sum(axis=1)
    left = (in_state * entr(counts / np.maximum(in_state, 1)[:, None]).sum(axis=1)).sum()
    left += np.count_nonzero(in_state) * (NUM_PARTS - 1) / 2
    return 1 - left / (in_state.sum() * np.log(NUM_PARTS))
