"""Distinguish two faint neurons from one by how widely their spikes scatter.

Where the templates of two neurons are three SDs of the noise apart or less, the valley between their spikes is shallow
or missing. But how far noise scatters spikes is known, and beside noise those of one neuron differ in size and in time,
and in shape by a part of their size. Spikes that scatter more widely along a line between two compact clusters are of
two neurons.
"""

from __future__ import annotations

import numpy as np

from .settings import ScatterSettings


def unexplained_share(first: np.ndarray, second: np.ndarray, shapes: np.ndarray, settings: ScatterSettings) -> float:
    """Share of the (robust) variance of two clusters' spikes that one neuron and noise do not explain.

    It is measured along the line that separates the clusters, found from one half of the spikes and applied to the
    other, and the other way round. What the mean spike's size and time change is left out of the line. Every spike
    counts alike, which is right for one neuron that was split into unequal parts, and overlooks a second neuron that
    has a fifth of the spikes or fewer.

    Args:
        first, second: `(num_spikes, num_samples, num_channels)` aligned spikes of each cluster, SDs of the noise.
        shapes: `(num_shapes, num_samples)` orthonormal temporal shapes of spikes.
        settings: [`~huidurep_hf.sorting.merging.settings.ScatterSettings`].

    Returns:
        `float` between 0 and 1; 0 where it is no more than one neuron's, where one of the two clusters alone scatters
        like that (it holds several things), and for large neurons and few spikes, where it cannot be
        judged.
    """
    if min(len(first), len(second)) < settings.min_scatter_spikes:
        return 0.0
    mean = (first.mean(axis=0) + second.mean(axis=0)) / 2
    size, slope = _scores(np.stack([mean, np.gradient(mean, axis=0)]), shapes)
    if np.linalg.norm(size) > settings.max_scatter_norm:
        return 0.0
    left_out = np.linalg.qr(np.stack([size, slope], axis=1))[0]
    scores = [_scores(waveforms, shapes) for waveforms in (first, second)]
    along = [[], []]
    for half in (0, 1):
        line = _difference(*(own[half::2] for own in scores), len(shapes))
        line = line - left_out @ (left_out.T @ line)
        length = np.linalg.norm(line)
        if length < 1e-6:
            return 0.0
        others = [own[1 - half :: 2] @ (line / length) for own in scores]
        centre = np.median(np.concatenate(others))
        for cluster, values in zip(along, others):
            cluster.append(values - centre)
    along = [np.concatenate(values) for values in along]
    of_one = np.sqrt(1 + np.square(settings.shape_variability * np.linalg.norm(size)))
    if max(_robust_sd(values) for values in along) > of_one:
        return 0.0
    return max(1 - np.square(of_one / max(_robust_sd(np.concatenate(along)), 1e-6)), 0.0)


def _robust_sd(values: np.ndarray) -> float:
    """Half the range of the middle 68 %, the SD of Gaussian values; a few overlaps do not count."""
    return np.diff(np.percentile(values, [16, 84])).item() / 2


def _scores(waveforms: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Scores of `(num, num_samples, num_channels)` waveforms on temporal shapes, `(num, num_shapes * num_channels)`."""
    return np.einsum("nsc,rs->nrc", waveforms, shapes, optimize=True).reshape(len(waveforms), -1)


def _difference(first: np.ndarray, second: np.ndarray, num_shapes: int) -> np.ndarray:
    """Difference of two averages, each channel shrunk by the noise that is in it (James & Stein 1961)."""
    on_channels = (second.mean(axis=0) - first.mean(axis=0)).reshape(num_shapes, -1)
    energies = np.square(on_channels).sum(axis=0)
    noise = num_shapes * (1 / len(first) + 1 / len(second))
    return (on_channels * np.maximum(1 - noise / np.maximum(energies, 1e-12), 0)).ravel()
