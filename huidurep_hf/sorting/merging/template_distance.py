"""Distances between templates, merging of pairs of units, and duplicate spikes."""

from __future__ import annotations

from collections.abc import Iterable

import numba
import numpy as np


def template_distances(templates: np.ndarray, max_shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Compare units by their templates, at the best shift.

    Args:
        templates: `(num_units, num_samples, num_channels)` on all channels of the probe, in noise units.
        max_shift: most samples by which two templates are shifted against each other.

    Returns:
        `(distances, shifts)`: `(num_units, num_units)` energy of the difference over the larger of the two energies,
        0 for equal templates, and the samples to add to the second's spike times to align them with the first's.
    """
    return distances_over_states([(1.0, templates)], max_shift)


def distances_over_states(states: Iterable[tuple[float, np.ndarray]], max_shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Compare units that have templates for each state of the drift, at the shift that is best in all of them.

    Args:
        states: weight of each state and its templates `(num_units, num_samples, num_channels)`.
        max_shift: as for [`template_distances`], whose result this gives.
    """
    shifts = np.arange(-max_shift, max_shift + 1)
    energies, shifted_energies, products = 0.0, 0.0, 0.0
    for weight, templates in states:
        num_units, num_samples, _ = templates.shape
        inner = slice(max_shift, num_samples - max_shift)
        flat = templates[:, inner].reshape(num_units, -1)
        energies = energies + weight * np.square(flat).sum(axis=1)
        shifted = [templates[:, inner.start + shift : inner.stop + shift].reshape(num_units, -1) for shift in shifts]
        shifted_energies = shifted_energies + weight * np.stack([np.square(one).sum(axis=1) for one in shifted])
        products = products + weight * np.stack([flat @ one.T for one in shifted])
    differences = energies[None, :, None] + shifted_energies[:, None, :] - 2 * products
    largest = np.maximum(energies[None, :, None], shifted_energies[:, None, :])
    distances = np.maximum(differences, 0) / np.where(largest > 0, largest, 1)
    best = distances.argmin(axis=0)
    return np.take_along_axis(distances, best[None], axis=0)[0], shifts[best]


def distances_of_pairs(templates: np.ndarray, pairs: np.ndarray, max_shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Compare some pairs of units by their templates, at the best shift; cheap where these are near each other.

    Args:
        templates, max_shift: as for [`template_distances`], whose values for these pairs this gives.
        pairs: `(num_pairs, 2)` units.

    Returns:
        `(distances, shifts)`, each `(num_pairs,)`.
    """
    distances, shifts = np.zeros(len(pairs)), np.zeros(len(pairs), dtype="int64")
    if len(pairs) == 0:
        return distances, shifts
    is_seen, energies = templates.any(axis=1), np.square(templates).sum(axis=2)
    inner = slice(max_shift, templates.shape[1] - max_shift)
    candidates = np.arange(-max_shift, max_shift + 1)
    # Those whose first units are largest on one channel are compared together, on the channels on which these are seen:
    # elsewhere only the second's energy counts.
    channel = np.ptp(templates, axis=1).argmax(axis=1)[pairs[:, 0]]
    for own_channel in np.unique(channel):
        own = np.flatnonzero(channel == own_channel)
        (first, row), (second, column) = (np.unique(pairs[own, i], return_inverse=True) for i in (0, 1))
        seen = is_seen[first].any(axis=0)
        flat = templates[first][:, inner][:, :, seen].reshape(len(first), -1)
        others_seen, own_energy = templates[second][:, :, seen], np.square(flat).sum(axis=1)[row]
        best = np.full(len(own), np.inf)
        for shift in candidates:
            window = slice(inner.start + shift, inner.stop + shift)
            product = (flat @ others_seen[:, window].reshape(len(second), -1).T)[row, column]
            shifted_energy = energies[second, window].sum(axis=1)[column]
            largest = np.maximum(own_energy, shifted_energy)
            distance = np.maximum(own_energy + shifted_energy - 2 * product, 0) / np.where(largest > 0, largest, 1)
            shifts[own] = np.where(distance < best, shift, shifts[own])
            best = np.minimum(best, distance)
        distances[own] = best
    return distances, shifts


def merge_pairs(num_units: int, pairs: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge units linked by pairs, also over several links, and align their spikes.

    Args:
        num_units: how many units there are.
        pairs: `(num_pairs, 2)` units to merge, the surest pair first.
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
        is_of_second = root == root[second]
        unit_shifts[is_of_second] += shift + unit_shifts[first] - unit_shifts[second]
        root[is_of_second] = root[first]
    return np.unique(root, return_inverse=True)[1].astype("int64"), unit_shifts


def find_duplicates(samples: np.ndarray, labels: np.ndarray, amplitudes: np.ndarray, max_gap: int) -> np.ndarray:
    """Find spikes of one unit that are too close in time to be two; the larger one stays.

    Args:
        samples: `(num_spikes,)` times in samples, on one time line.
        labels: `(num_spikes,)` units, -1 for none.
        amplitudes: `(num_spikes,)`, any unit.
        max_gap: spikes of one unit at most this many samples apart are one spike.

    Returns:
        `(num_spikes,)` bool, True for spikes to be left out.
    """
    order = np.argsort(samples, kind="stable") if np.any(samples[1:] < samples[:-1]) else slice(None)
    is_duplicate = np.zeros(len(samples), dtype=bool)
    num_labels = labels.max(initial=-1) + 1
    is_duplicate[order] = _is_duplicate(samples[order], labels[order], amplitudes[order], num_labels, max_gap)
    return is_duplicate


@numba.njit(cache=True, nogil=True)
def _is_duplicate(
    samples: np.ndarray, labels: np.ndarray, amplitudes: np.ndarray, num_labels: int, max_gap: int
) -> np.ndarray:
    is_duplicate = np.zeros(len(samples), dtype=np.bool_)
    # Of each unit the last spike that stays so far.
    last = np.full(num_labels, -1)
    for spike in range(len(samples)):
        label = labels[spike]
        if label < 0:
            continue
        before = last[label]
        last[label] = spike
        if before >= 0 and samples[spike] - samples[before] <= max_gap:
            if abs(amplitudes[spike]) > abs(amplitudes[before]):
                is_duplicate[before] = True
            else:
                is_duplicate[spike] = True
                last[label] = before
    return is_duplicate
