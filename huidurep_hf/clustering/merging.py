"""One unit seen from two neighbourhoods, and one spike seen twice."""

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


def merge_units(labels, templates, *, max_distance=0.25, max_shift=8):
    """Join units whose templates are alike, the most alike pair first; their spikes are brought to one alignment.

    A merged template is the mean of its parts, weighed by their spikes, so that a chain of neighbours cannot join
    units whose ends differ.

    Args:
        labels: `(num_spikes,)` from 0, -1 for none.
        templates: `(num_units, num_samples, num_channels)` on all channels, in noise units.
        max_distance: relative energy of the difference up to which two templates are one unit's.
        max_shift: most samples of misalignment that are looked for.

    Returns:
        `(labels, shifts)`: `(num_spikes,)` int64 from 0 without gaps, and `(num_spikes,)` int64 samples to add to
        each spike's time.
    """
    labels = np.asarray(labels, dtype="int64").copy()
    spike_shifts = np.zeros(len(labels), dtype="int64")
    templates = np.array(templates, dtype="float64")
    counts = np.bincount(labels[labels >= 0], minlength=len(templates)).astype("float64")
    alive = counts > 0
    distances, shifts = template_distances(templates, max_shift)
    while alive.sum() > 1:
        allowed = np.where(alive[:, None] & alive[None, :], distances, np.inf)
        np.fill_diagonal(allowed, np.inf)
        first, second = np.unravel_index(allowed.argmin(), allowed.shape)
        if not allowed[first, second] <= max_distance:
            break
        if counts[second] > counts[first]:
            first, second = second, first
        shift = int(shifts[first, second])
        moved = labels == second
        labels[moved] = first
        spike_shifts[moved] += shift
        weight = counts[first] / (counts[first] + counts[second])
        templates[first] = weight * templates[first] + (1 - weight) * _shifted(templates[second], shift)
        counts[first] += counts[second]
        alive[second] = False
        row, row_shifts = _distances_of(templates, first, max_shift)
        distances[first], shifts[first] = row, row_shifts
        distances[:, first], shifts[:, first] = row, -row_shifts
    new_labels = np.full(len(alive) + 1, -1, dtype="int64")
    new_labels[np.flatnonzero(alive)] = np.arange(alive.sum())
    return new_labels[labels], spike_shifts


def _shifted(template, shift):
    moved = np.zeros_like(template)
    num_samples = len(template)
    source = slice(max(shift, 0), num_samples + min(shift, 0))
    target = slice(max(-shift, 0), num_samples + min(-shift, 0))
    moved[target] = template[source]
    return moved


def _distances_of(templates, unit, max_shift):
    pairs = [template_distances(templates[[unit, other]], max_shift) for other in range(len(templates))]
    return np.array([d[0, 1] for d, _ in pairs]), np.array([s[0, 1] for _, s in pairs])


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
