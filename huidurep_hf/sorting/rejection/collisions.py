"""Distinguish units from clusters of collisions: spikes of a frequent neuron that others happened to overlap.

The cluster's own spikes decide: no sum of other templates explains a neuron's spikes as well as its own. Spikes of a
collision are explained better by the neurons that collided, each at its own time, than by an average over all times.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.spikes.neighborhood import Neighborhoods, find_neighborhoods
from ...recording.spikes.waveforms import iterate_waveforms
from ...workers import Workers
from ..clustering.assignment import drop_small
from ..matching.template_fit import AMPLITUDE_RANGE, MAX_SHIFT_MS
from ..parameters import SortingParameters
from ..spikes import Spikes
from ..templates.averages import average_templates, template_window
from ..templates.estimation import visible_part
from ..templates.spike_waveforms import choose_spikes
from ..templates.unit_templates import NUM_MATCHING_CHANNELS

logger = logging.getLogger("huidurep_hf")

# A cluster can be a collision only if it is at most this frequent, relative to a neuron that it contains, and at most
# this share of the energy of its template is left when others are subtracted.
MAX_RELATIVE_COUNT = 0.6
MAX_RESIDUAL = 0.7
# It is one where others alone explain at least this share of its spikes better than it does together with others. On
# fifteen development recordings that was 0.3 and more for nearly all of 50 collisions, and 0.15 at most for neurons
# (0.18 for one of a recorded tetrode that is like another there).
MIN_SHARE = 0.25
MAX_LAG_MS = 0.8
# Others of which the cluster's template has less than this share, at its best lag, do not collide in it.
MIN_OVERLAP = 0.1
MAX_COLLIDING = 3
MAX_SPIKES = 60


def reject_collisions(
    spikes: Spikes, whitened: PreparedRecording, parameters: SortingParameters, workers: Workers | None = None
) -> Spikes:
    """Dissolve clusters whose spikes are sums of other clusters' spikes.

    Args:
        spikes: in order, with `cluster` and `aligned_sample`.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        The table, `cluster` -1 where it was a collision, and numbered anew.
    """
    clusters, samples = spikes["cluster"], spikes["aligned_sample"]
    neighborhoods = find_neighborhoods(whitened.positions, whitened.shanks, NUM_MATCHING_CHANNELS)
    templates = average_templates(clusters, samples, spikes, whitened, parameters.seed, workers)
    counts = np.bincount(clusters[clusters >= 0], minlength=len(templates))
    visible = visible_part(templates, counts, neighborhoods)
    is_collision = find_collisions(spikes, visible, neighborhoods, whitened, parameters, workers)
    logger.info("learn: %d of %d clusters are collisions of others", is_collision.sum(), len(templates))
    return spikes.with_columns(cluster=drop_small(np.where(np.append(is_collision, True)[clusters], -1, clusters), 1))


def find_collisions(
    spikes: Spikes,
    templates: np.ndarray,
    neighborhoods: Neighborhoods,
    whitened: PreparedRecording,
    parameters: SortingParameters,
    workers: Workers | None = None,
) -> np.ndarray:
    """Find clusters whose spikes are explained by others that fire more often.

    The others are subtracted one after the other, as template matching does.

    Args:
        spikes: in order, with `cluster` (from 0 without gaps, -1 for none) and `aligned_sample`.
        templates: `(num_clusters, num_samples, num_channels)` averages, SDs of the noise, 0 where none is seen.
        neighborhoods: how far from its peak channel a cluster can be seen.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the clusters.

    Returns:
        `(num_clusters,)` bool.
    """
    rate, min_gain = whitened.recording.get_sampling_frequency(), parameters.matching.min_gain
    labels = spikes["cluster"]
    max_lag, max_shift = round(MAX_LAG_MS * 1e-3 * rate), max(round(MAX_SHIFT_MS * 1e-3 * rate), 1)
    others_of = _suspects(templates, np.bincount(labels[labels >= 0], minlength=len(templates)), max_lag)
    channels = np.ptp(templates, axis=1).argmax(axis=1) if len(templates) else np.zeros(0, dtype="int64")
    placed = spikes.with_columns(sample_index=spikes["aligned_sample"], channel_index=np.append(channels, 0)[labels])
    is_collision = np.zeros(len(templates), dtype=bool)

    def judge(job):
        unit, waveforms = job
        near = neighborhoods.channel_indices[channels[unit]][neighborhoods.mask[channels[unit]]]
        waveforms = waveforms[:, :, : len(near)]
        own, others = templates[unit][None][:, :, near], templates[others_of[unit]][:, :, near]
        by_others = _subtract_templates(waveforms, others, MAX_COLLIDING, min_gain)[0]
        # Others may be there as well where the cluster is a neuron.
        inner = slice(max_lag - max_shift, waveforms.shape[1] - max_lag + max_shift)
        by_itself, waveforms[:, inner] = _subtract_templates(waveforms[:, inner], own, 1, -np.inf)
        by_both = by_itself + _subtract_templates(waveforms, others, MAX_COLLIDING - 1, min_gain)[0]
        is_collision[unit] = np.mean(by_others > by_both) > MIN_SHARE

    jobs = _waveforms(others_of, labels, placed, neighborhoods, whitened, max_lag)
    for _ in (workers or Workers()).map(judge, jobs):
        pass
    return is_collision


def _suspects(templates: np.ndarray, counts: np.ndarray, max_lag: int) -> dict[int, np.ndarray]:
    """Clusters whose template may be a sum of others: dict of cluster to the others, `(num_others,)`."""
    others_of = {}
    is_visible = templates.any(axis=1).astype("float32")
    is_seen_with = is_visible @ is_visible.T > 0
    for unit, template in enumerate(templates):
        others = np.flatnonzero((MAX_RELATIVE_COUNT * counts > counts[unit]) & is_seen_with[unit])
        if len(others) == 0:
            continue
        padded = np.pad(template, ((max_lag, max_lag), (0, 0)))[None]
        others = others[_overlap(padded, templates[others])]
        if len(others) == 0:
            continue
        residual = _subtract_templates(padded, templates[others], MAX_COLLIDING, 0.0)[1]
        if np.square(residual).sum() < MAX_RESIDUAL * np.square(template).sum():
            others_of[unit] = others
    return others_of


def _overlap(waveform: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """Find the templates that overlap with a waveform at some lag, `(num_templates,)` bool."""
    windows = np.lib.stride_tricks.sliding_window_view(waveform[0], templates.shape[1], axis=0)
    products = windows.reshape(len(windows), -1) @ templates.transpose(0, 2, 1).reshape(len(templates), -1).T
    return products.max(axis=0) > MIN_OVERLAP * np.square(templates).sum(axis=(1, 2))


def _waveforms(
    units: Iterable[int],
    labels: np.ndarray,
    placed: Spikes,
    neighborhoods: Neighborhoods,
    whitened: PreparedRecording,
    max_lag: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """Walk through units and waveforms of some of their spikes around the channel they are placed at, with margins.

    Yields:
        `(unit, waveforms)`: `(num_spikes, num_samples + 2 * max_lag, num_neighbors)` float32, SDs of the noise.
    """
    num_before, num_after = template_window(whitened.recording.get_sampling_frequency())
    chosen = choose_spikes(labels, MAX_SPIKES)
    spikes = np.concatenate([np.zeros(0, dtype="int64"), *(chosen[unit] for unit in units)])
    spikes = spikes[np.lexsort((placed["sample_index"][spikes], placed["segment_index"][spikes]))]
    batches = iterate_waveforms(
        whitened.recording,
        placed[spikes],
        neighborhoods,
        whitened.noise_levels,
        num_before=num_before + max_lag,
        num_after=num_after + max_lag,
    )
    num_samples, num_neighbors = num_before + num_after + 2 * max_lag, neighborhoods.channel_indices.shape[1]
    waveforms = np.empty((len(spikes), num_samples, num_neighbors), dtype="float32")
    for batch in batches:
        waveforms[batch.first : batch.first + len(batch.waveforms)] = batch.waveforms / batch.noise_levels[:, None, :]
    for unit in units:
        yield unit, waveforms[labels[spikes] == unit]


def _subtract_templates(
    waveforms: np.ndarray, templates: np.ndarray, max_templates: int, min_gain: float
) -> tuple[np.ndarray, np.ndarray]:
    """Subtract templates from waveforms one after the other, at any lag and scale, the most energy first.

    Args:
        waveforms: `(num_waveforms, num_samples + 2 * max_lag, num_channels)`.
        templates: `(num_templates, num_samples, num_channels)`.
        max_templates: from each waveform.
        min_gain: least energy that a template explains, or it is not subtracted.

    Returns:
        `(gains, residuals)`: `(num_waveforms,)` energy explained, and the residual waveforms.
    """
    residuals, gains = np.array(waveforms, dtype="float32"), np.zeros(len(waveforms))
    num_samples = templates.shape[1]
    energies = np.maximum(np.square(templates).sum(axis=(1, 2)), 1e-9)
    flat = templates.transpose(0, 2, 1).reshape(len(templates), -1)
    rows = np.arange(len(waveforms))
    for _ in range(max_templates):
        windows = np.lib.stride_tricks.sliding_window_view(residuals, num_samples, axis=1)
        products = windows.reshape(*windows.shape[:2], -1) @ flat.T
        scales = np.clip(products / energies, *AMPLITUDE_RANGE)
        gain = 2 * scales * products - np.square(scales) * energies
        lags, best = np.unravel_index(gain.reshape(len(rows), -1).argmax(axis=1), gain.shape[1:])
        gain = gain[rows, lags, best]
        taken = np.flatnonzero(gain > min_gain)
        gains[taken] += gain[taken]
        for row in taken:
            scaled = scales[row, lags[row], best[row]] * templates[best[row]]
            residuals[row, lags[row] : lags[row] + num_samples] -= scaled
    return gains, residuals
