"""Tell one neuron from two by when they fire as the tissue moves: parts of one replace each other.

Two neurons fire at all displacements, side by side. A neuron that is active for a part of the time only may fire at
some displacements alone as well; but when the tissue comes back to where it was, such a neuron is silent there.
"""

import numpy as np

from .motion_pieces import entropy_left, share_told

# How far the state tells of which unit a spike is, times the dial from split to merged: 0.3 at its default. On seven
# development recordings four of five parts of one neuron have more, two neurons that are always active up to 0.22
# (0.29 where one of their units holds a third of another's spikes).
MIN_SHARE_TIMES_VALLEY = 0.09
# Of what there is to know about whether a spike fell in the first or the second half of the time that was spent in a
# state. Parts of one neuron have up to 0.13 there, a neuron that fires in one half alone has 1.
MAX_SHARE_OF_TIME = 0.3


def count_in_states(spikes, units, num_units, states):
    """Count spikes in each state of the tissue, in the first and second half of the time that was spent in it.

    Args:
        spikes: structured array with `segment_index` and `sample_index`.
        units: `(num_spikes,)` from 0.
        num_units: how many there are.
        states: [`~huidurep_hf.recording.motion_states.MotionStates`].

    Returns:
        `(num_units, num_states, 2)` float64.
    """
    samples = spikes["sample_index"].astype("int64")
    of_spike = states.at(spikes["segment_index"], samples)
    is_late = states.elapsed_at(spikes["segment_index"], samples) >= 0.5
    counts = np.zeros((num_units, len(states), 2))
    np.add.at(counts, (units, of_spike, is_late.astype("int64")), 1)
    return counts


def replace_each_other(first, second, distance, min_valley):
    """Tell whether two units replace each other as the tissue moves.

    Args:
        first, second: `(num_states, 2)` spikes of each, as of [`count_in_states`]; neither without spikes.
        distance: how much their templates differ, 0 to 1; the more, the more surely they must replace each other.
        min_valley: the dial from split (0) to merged (1).
    """
    share = share_told(first.sum(axis=1), second.sum(axis=1))
    if share * min_valley <= MIN_SHARE_TIMES_VALLEY or share <= distance:
        return False
    return max(_time_told(first), _time_told(second)) < MAX_SHARE_OF_TIME


def _time_told(counts):
    """How much is known, of 1 bit, about the half of a state's time that a spike of a unit fell in."""
    return 1 - entropy_left(counts[:, 0], counts[:, 1]) / np.log(2)
