"""How well spikes could be told apart by one who knows every unit's template; no clustering can be asked to beat it."""

from __future__ import annotations

import numpy as np

from .baselines import place_on_probe
from .true_spikes import TrueSpikes

MAX_SHIFT = 4
"""Samples by which a trough may have been found too early or too late."""
NUM_FOLDS = 2
# A channel's peak to peak in SDs of the mean's noise; noise alone reaches 4 to 5 in such a window.
MIN_PEAK_TO_PEAK = 6.0


def template_oracle_labels(spikes: TrueSpikes, seed: int = 0) -> np.ndarray:
    """Name each spike's unit by the nearest template, where the templates are those of the true units.

    In whitened traces the noise is the same in all directions, so that the nearest template, at the best of a few
    shifts, is the most likely unit (Lewicki 1998, section 3). Templates are means over the true spikes of the other
    fold: a spike is no part of its own template. They stand still, so under drift this is no upper bound. Overlapping
    spikes are named as one.

    Args:
        spikes: waveforms at true times.
        seed: of the folds.

    Returns:
        `(num_spikes,)` int64, index into `spikes.unit_ids`.
    """
    found = np.full(len(spikes.labels), -1, dtype="int64")
    waveforms = place_on_probe(spikes.whitened, spikes)
    is_seen = place_on_probe(np.ones_like(spikes.whitened[:, :1]), spikes)
    folds = np.random.default_rng(seed).integers(0, NUM_FOLDS, len(found))
    for fold in range(NUM_FOLDS):
        inside = folds == fold
        units, templates = _templates(waveforms[~inside], is_seen[~inside], spikes.labels[~inside])
        if inside.any() and len(units):
            found[inside] = units[_nearest(waveforms[inside], is_seen[inside, 0], templates)]
    return found


def _templates(waveforms: np.ndarray, is_seen: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean waveform of each unit over the spikes in which a channel was seen; zero where it holds noise alone."""
    units = np.unique(labels)
    templates = np.zeros((len(units), *waveforms.shape[1:]), dtype="float32")
    for index, unit in enumerate(units):
        count = is_seen[labels == unit].sum(axis=0)
        mean = waveforms[labels == unit].sum(axis=0) / np.maximum(count, 1)
        holds_spike = np.ptp(mean, axis=0) * np.sqrt(count[0]) > MIN_PEAK_TO_PEAK
        templates[index] = mean * holds_spike
    return units, templates


def _nearest(waveforms: np.ndarray, is_seen: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """Index of the template of least squared distance on the channels seen, at the best shift."""
    num_samples = waveforms.shape[1]
    core = slice(MAX_SHIFT, num_samples - MAX_SHIFT)
    flat = templates[:, core].reshape(len(templates), -1)
    energy = is_seen @ np.square(templates[:, core]).sum(axis=1).T
    best = np.full((len(waveforms), len(templates)), -np.inf)
    for shift in range(2 * MAX_SHIFT + 1):
        window = waveforms[:, shift : shift + num_samples - 2 * MAX_SHIFT].reshape(len(waveforms), -1)
        best = np.maximum(best, 2 * window @ flat.T - energy)
    return best.argmax(axis=1)
