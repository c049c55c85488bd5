"""Distinguish one neuron from two by when they fire as the tissue moves: drift fragments of one replace each other.

Two neurons fire at all displacements, side by side. A neuron that is active for a part of the time only may fire at
some displacements alone as well; but when the tissue comes back to where it was, such a neuron is silent there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from .drift_fragments import explained_share

if TYPE_CHECKING:
    from ...recording.motion.states import MotionStates
    from ..spikes import Spikes


# Share of the information about the unit of a spike that the state holds, times the merge threshold: 0.3 at its
# default. On seven development recordings four of five fragments have more, two neurons that are always active up to
# 0.22 (0.29 where one of their units holds a third of another's spikes).
MIN_SHARE_TIMES_VALLEY = 0.09
# The time spent in a state is divided into this many parts, to find neurons that are silent at first or at last.
NUM_PARTS = 4
# Largest share of the information about the part in which a spike fell. A neuron that fires three times as fast in one
# half of the time as in the other has 0.1, one that is silent in one part 0.2 and in two parts 0.5.
MAX_SHARE_OF_TIME = 0.17
# Fewer spikes do not show at which displacements and when a unit fires.
MIN_SPIKES = 12


def count_in_states(spikes: Spikes, units: np.ndarray, num_units: int, states: MotionStates) -> np.ndarray:
    """Count spikes in each state of the tissue, in each part of the time that was spent in it.

    Args:
        spikes: table of spikes with `segment_index` and `sample_index` (int64, samples).
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
    """Decide whether two units replace each other as the tissue moves.

    Args:
        first, second: `(num_states, NUM_PARTS)` spikes of each, as of [`count_in_states`].
        distance: how much their templates differ, 0 to 1; the more, the more surely they must replace each other.
        min_valley: merge threshold, from split (0) to merged (1).

    Returns:
        bool; False also where there are too few spikes to decide.
    """
    if min(first.sum(), second.sum()) < MIN_SPIKES:
        return False
    share = explained_share(first.sum(axis=1), second.sum(axis=1))
    if share * min_valley <= MIN_SHARE_TIMES_VALLEY or share <= distance:
        return False
    return max(_explained_share_of_time(first), _explained_share_of_time(second)) < MAX_SHARE_OF_TIME


def _explained_share_of_time(counts: np.ndarray) -> float:
    """Share, 0 to 1, of the entropy of the part of time of a unit's spikes that is explained given their states.

    Corrected for chance (Miller 1955). Summed over states first, a unit that fires early in one state and late in
    another would look even.

    Args:
        counts: `(num_states, NUM_PARTS)` spikes of the unit, not all 0.
    """
    in_state = counts.sum(axis=1)
    conditional_entropy = (in_state * entr(counts / np.maximum(in_state, 1)[:, None]).sum(axis=1)).sum()
    conditional_entropy += np.count_nonzero(in_state) * (NUM_PARTS - 1) / 2
    return 1 - conditional_entropy / (in_state.sum() * np.log(NUM_PARTS))
