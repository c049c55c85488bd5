"""Tell units from clusters of collisions: spikes of a frequent neuron that others happened to overlap."""

import numpy as np

# Chosen on simulated recordings of 15 spikes/s in each of 24 units (SpikeInterface's generator): there, what is left of
# the template of a cluster of collisions is at most 0.37 of its energy, and that of a neuron's at least 0.8. Neurons
# alike one another (tetrodes) come down to 0.2, but fire as often as those that they are alike, or nearly so.
MAX_RELATIVE_REMAINDER = 0.4
MAX_RELATIVE_COUNT = 0.15
MAX_LAG_MS = 0.8
MAX_COLLIDING = 3
AMPLITUDE_RANGE = (0.75, 1.33)


def find_collisions(templates, counts, sampling_rate):
    """Find clusters whose template is the sum of others' templates, led by one that fires far more often.

    The others are taken away one after the other, as template matching does with spikes.

    Args:
        templates: `(num_units, num_samples, num_channels)`, SDs of the noise.
        counts: `(num_units,)` spikes of each.
        sampling_rate: Hz.

    Returns:
        `(num_units,)` bool.
    """
    max_lag = round(MAX_LAG_MS * 1e-3 * sampling_rate)
    is_collision = np.zeros(len(templates), dtype=bool)
    # From the rarest on: what is a collision itself explains no other.
    for unit in np.argsort(counts, kind="stable"):
        is_frequent = (counts * MAX_RELATIVE_COUNT > counts[unit]) & ~is_collision
        is_seen_with = np.square(templates * templates[unit].any(axis=0)).any(axis=(1, 2))
        others = np.flatnonzero(is_frequent & is_seen_with)
        if len(others):
            remainder = _take_away(templates[unit], templates[others], max_lag)
            energy = np.square(templates[unit]).sum()
            is_collision[unit] = np.square(remainder).sum() < MAX_RELATIVE_REMAINDER * energy
    return is_collision


def _take_away(template, others, max_lag):
    """What is left of a template after the others that explain most of it, at most three, at any lag and scale."""
    num_samples = len(template)
    remainder = np.pad(template, ((max_lag, max_lag), (0, 0)))
    energies = np.square(others).sum(axis=(1, 2))
    flat = others.reshape(len(others), -1)
    for _ in range(MAX_COLLIDING):
        windows = np.stack([remainder[lag : lag + num_samples].ravel() for lag in range(2 * max_lag + 1)])
        products = windows @ flat.T
        scales = np.clip(products / energies, *AMPLITUDE_RANGE)
        gains = 2 * scales * products - np.square(scales) * energies
        lag, best = np.unravel_index(gains.argmax(), gains.shape)
        if gains[lag, best] <= 0:
            break
        remainder[lag : lag + num_samples] -= scales[lag, best] * others[best]
    return remainder
