"""Distinguish units from clusters of collisions: spikes of a frequent neuron that others happened to overlap.

The cluster's own spikes decide: no sum of other templates explains a neuron's spikes as well as its own. Spikes of a
collision are explained better by the neurons that collided, each at its own time, than by an average over all times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.spikes.neighborhood import Neighborhoods
from ...recording.spikes.waveforms import cut_waveforms
from ...workers import Workers
from ..parameters import CollisionSettings, SortingParameters, TemplateFitSettings
from ..spikes import Spikes
from ..templates.averages import template_window
from ..templates.spike_waveforms import choose_spikes


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
    settings, fit, labels = parameters.collisions, parameters.template_fit, spikes["cluster"]
    max_lag = round(settings.max_collision_lag_ms * 1e-3 * rate)
    max_shift = max(round(fit.max_fit_shift_ms * 1e-3 * rate), 1)
    counts = np.bincount(labels[labels >= 0], minlength=len(templates))
    others_of = _suspects(templates, counts, max_lag, settings, fit, workers)
    channels = np.ptp(templates, axis=1).argmax(axis=1) if len(templates) else np.zeros(0, dtype="int64")
    placed = spikes.with_columns(sample_index=spikes["aligned_sample"], channel_index=np.append(channels, 0)[labels])
    is_collision = np.zeros(len(templates), dtype=bool)

    def judge(job: tuple[int, np.ndarray]) -> None:
        unit, waveforms = job
        near = neighborhoods.channel_indices[channels[unit]][neighborhoods.mask[channels[unit]]]
        waveforms = waveforms[:, :, : len(near)]
        own, others = templates[unit][None][:, :, near], templates[others_of[unit]][:, :, near]
        by_others = _subtract_templates(waveforms, others, settings.max_colliding_units, min_gain, fit)[0]
        # Others may be there as well where the cluster is a neuron.
        inner = slice(max_lag - max_shift, waveforms.shape[1] - max_lag + max_shift)
        by_itself, waveforms[:, inner] = _subtract_templates(waveforms[:, inner], own, 1, -np.inf, fit)
        max_others = settings.max_colliding_units - 1
        by_both = by_itself + _subtract_templates(waveforms, others, max_others, min_gain, fit)[0]
        is_collision[unit] = np.mean(by_others > by_both) > settings.min_collision_share

    jobs = _waveforms(others_of, labels, placed, neighborhoods, whitened, max_lag, parameters, workers or Workers())
    for _ in (workers or Workers()).map(judge, jobs):
        pass
    return is_collision


def _suspects(
    templates: np.ndarray,
    counts: np.ndarray,
    max_lag: int,
    settings: CollisionSettings,
    fit: TemplateFitSettings,
    workers: Workers | None,
) -> dict[int, np.ndarray]:
    """Clusters whose template may be a sum of others: dict of cluster to the others, `(num_others,)`."""
    is_visible = templates.any(axis=1)
    is_seen_with = is_visible.astype("float32") @ is_visible.T.astype("float32") > 0

    def others_in(unit: int) -> np.ndarray:
        others = np.flatnonzero((settings.max_relative_count * counts > counts[unit]) & is_seen_with[unit])
        near = is_visible[unit] | is_visible[others].any(axis=0)
        padded = np.pad(templates[unit][:, near], ((max_lag, max_lag), (0, 0)))[None]
        others = others[_overlap(padded, templates[others][:, :, near], settings.min_collision_overlap)]
        subtracted = templates[others][:, :, near]
        residual = _subtract_templates(padded, subtracted, settings.max_colliding_units, 0.0, fit)[1]
        is_sum = np.square(residual).sum() < settings.max_collision_residual * np.square(templates[unit]).sum()
        return others if is_sum else others[:0]

    found = (workers or Workers()).map(others_in, range(len(templates)))
    return {unit: others for unit, others in enumerate(found) if len(others)}


def _overlap(waveform: np.ndarray, templates: np.ndarray, min_overlap: float) -> np.ndarray:
    """Find the templates that overlap with a waveform at some lag, `(num_templates,)` bool."""
    products = _products(waveform, templates)[0]
    return products.max(axis=0) > min_overlap * np.square(templates).sum(axis=(1, 2))


def _products(waveforms: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """Product of each waveform with each template at each lag, `(num_waveforms, num_lags, num_templates)`."""
    num_waveforms, num_samples, num_channels = waveforms.shape
    num_lags, size = num_samples - templates.shape[1] + 1, templates.shape[1] * num_channels
    flat = waveforms.reshape(num_waveforms, num_samples * num_channels)
    flat_templates = templates.reshape(len(templates), size).T
    products = np.empty((num_waveforms, num_lags, len(templates)), dtype="float32")
    for lag in range(num_lags):
        # A window of the waveforms that is not copied.
        products[:, lag] = flat[:, lag * num_channels : lag * num_channels + size] @ flat_templates
    return products


def _waveforms(
    units: Iterable[int],
    labels: np.ndarray,
    placed: Spikes,
    neighborhoods: Neighborhoods,
    whitened: PreparedRecording,
    max_lag: int,
    parameters: SortingParameters,
    workers: Workers,
) -> Iterator[tuple[int, np.ndarray]]:
    """Walk through units and waveforms of some of their spikes around the channel they are placed at, with margins.

    Yields:
        `(unit, waveforms)`: `(num_spikes, num_samples + 2 * max_lag, num_neighbors)` float32, SDs of the noise.
    """
    num_before, num_after = template_window(parameters.templates, whitened.recording.get_sampling_frequency())
    chosen = choose_spikes(labels, parameters.collisions.max_spikes_per_collision_test)
    spikes = np.concatenate([np.zeros(0, dtype="int64"), *(chosen[unit] for unit in units)])
    spikes = spikes[np.lexsort((placed["sample_index"][spikes], placed["segment_index"][spikes]))]
    waveforms = cut_waveforms(
        whitened.recording,
        placed[spikes],
        neighborhoods,
        whitened.noise_levels,
        num_before=num_before + max_lag,
        num_after=num_after + max_lag,
        workers=workers,
    )
    for unit in units:
        yield unit, waveforms[labels[spikes] == unit]


def _subtract_templates(
    waveforms: np.ndarray, templates: np.ndarray, max_templates: int, min_gain: float, fit: TemplateFitSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Subtract templates from waveforms one after the other, at any lag and scale, the most energy first.

    Args:
        waveforms: `(num_waveforms, num_samples + 2 * max_lag, num_channels)`.
        templates: `(num_templates, num_samples, num_channels)`.
        max_templates: from each waveform.
        min_gain: least energy that a template explains, or it is not subtracted.
        fit: how far a template is scaled.

    Returns:
        `(gains, residuals)`: `(num_waveforms,)` energy explained, and the residual waveforms.
    """
    residuals, gains = np.array(waveforms, dtype="float32", order="C"), np.zeros(len(waveforms))
    num_samples = templates.shape[1]
    energies = np.maximum(np.square(templates).sum(axis=(1, 2)), 1e-9)
    # What no template explains once is not explained later.
    rows = np.arange(len(waveforms) if len(templates) else 0)
    for _ in range(max_templates):
        if len(rows) == 0:
            break
        products = _products(residuals[rows], templates)
        scales = np.clip(products / energies, fit.min_fit_scale, fit.max_fit_scale)
        gain = 2 * scales * products - np.square(scales) * energies
        lags, best = np.unravel_index(gain.reshape(len(rows), -1).argmax(axis=1), gain.shape[1:])
        places = np.arange(len(rows)), lags, best
        gain, scale = gain[places], scales[places]
        for taken in np.flatnonzero(gain > min_gain):
            row, first = rows[taken], lags[taken]
            gains[row] += gain[taken]
            residuals[row, first : first + num_samples] -= scale[taken] * templates[best[taken]]
        rows = rows[gain > min_gain]
    return gains, residuals
