"""One unit seen from two channels, and one spike seen twice."""

import numpy as np


def template_distances(templates, max_shift):
    """Compare units by their templates, at the best shift.

    Args:
        templates: `(num_units, num_samples, num_channels)` on all channels of the probe, in noise units.
        max_shift: most samples by which two templates are shifted against each other.

    Returns:
        `(distances, shifts)`: `(num_units, num_units)` energy of the difference over the larger of the two energies,
        0 for equal templates, and the samples to add to the second's spike times to align them with the first's.
    """
    num_units, num_samples, _ = templates.shape
    inner = slice(max_shift, num_samples - max_shift)
    flat = templates[:, inner].reshape(num_units, -1)
    energies = np.square(flat).sum(axis=1)
    best = np.full((num_units, num_units), np.inf)
    shifts = np.zeros((num_units, num_units), dtype="int64")
    for shift in range(-max_shift, max_shift + 1):
        moved = templates[:, inner.start + shift : inner.stop + shift].reshape(num_units, -1)
        moved_energies = np.square(moved).sum(axis=1)
        difference = energies[:, None] + moved_energies[None, :] - 2 * flat @ moved.T
        largest = np.maximum(energies[:, None], moved_energies[None, :])
        distances = np.maximum(difference, 0) / np.where(largest > 0, largest, 1)
        shifts = np.where(distances < best, shift, shifts)
        best = np.minimum(distances, best)
    return best, shifts


def join_pairs(num_units, pairs, shifts):
    """Join units linked by pairs, also over several links, and align their spikes.

    Args:
        num_units: how many units there are.
        pairs: `(num_pairs, 2)` units to be joined, the surest pair first.
        shifts: `(num_pairs,)` samples to add to the second's spike times to align them with the first's.

    Returns:
        `(new_units, unit_shifts)`: `(num_units,)` int64 numbers from 0 without gaps, and `(num_units,)` int64 samples
        to add to the times of each unit's spikes.
    """
    root = np.arange(num_units)
    unit_shifts = np.zeros(num_units, dtype="int64")
    for (first, second), shift in zip(pairs, shifts):
        if root[first] == root[second]:
            continue
        moved = root == root[second]
        unit_shifts[moved] += shift + unit_shifts[first] - unit_shifts[second]
        root[moved] = root[first]
    return np.unique(root, return_inverse=True)[1].astype("int64"), unit_shifts


def find_duplicates(samples, labels, amplitudes, max_gap):
    """Find spikes of one unit that are too close in time to be two; the larger one stays.

    Args:
        samples: `(num_spikes,)` times in samples, of one segment.
        labels: `(num_spikes,)` units, -1 for none.
        amplitudes: `(num_spikes,)`, any unit.
        max_gap: spikes of one unit at most this many samples apart are one spike.

    Returns:
        `(num_spikes,)` bool, True for spikes to be left out.
    """
    is_duplicate = np.zeros(len(samples), dtype=bool)
    order = np.lexsort((samples, labels))
    order = order[labels[order] >= 0]
    last = None
    for spike in order:
        if last is not None and labels[spike] == labels[last] and samples[spike] - samples[last] <= max_gap:
            smaller, last = (last, spike) if abs(amplitudes[spike]) > abs(amplitudes[last]) else (spike, last)
            is_duplicate[smaller] = True
        else:
            last = spike
    return is_duplicate
