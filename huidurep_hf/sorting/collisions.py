"""Tell units from clusters of collisions: spikes of a frequent neuron that others happened to overlap."""

import numpy as np

# A cluster is one of collisions where it is at most so frequent, relative to a neuron that it holds, and at most so
# much of its template's energy is left. Chosen on development recordings (15 spikes/s in each of 24 units of
# SpikeInterface's generator; bursts and synchrony; units added to a recorded tetrode). Clusters of chance collisions
# are rare, averages of few spikes: up to 0.37 is left. With synchrony they are more frequent, and 0.05 to 0.13 is left.
# Neurons leave 0.8 among well separated ones, but on tetrodes come down to 0.2, and to 0.12 in one that was recorded.
LIMITS = ((0.15, 0.4), (0.4, 0.11))
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
        is_seen_with = np.square(templates * templates[unit].any(axis=0)).any(axis=(1, 2)) & ~is_collision
        energy = np.square(templates[unit]).sum()
        for max_count, max_remainder in LIMITS:
            others = np.flatnonzero((counts * max_count > counts[unit]) & is_seen_with)
            if len(others):
                remainder = _take_away(templates[unit], templates[others], max_lag)
                is_collision[unit] |= np.square(remainder).sum() < max_remainder * energy
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
