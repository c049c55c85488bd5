"""Give each spike to the template that explains most of it."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from ...workers import Workers
from ..templates.spike_waveforms import SpikeWaveforms
from .settings import TemplateFitSettings
from .template_bank import delayed


@dataclass(frozen=True)
class TemplateFit:
    """Which template each spike fits best.

    Attributes:
        labels: `(num_spikes,)` int64 best template, -1 where there is none near.
        shifts: `(num_spikes,)` int64 samples by which the spike is shifted to a later time.
        gains: `(num_spikes,)` float32 energy that the template explains, in variances of the noise: twice the log
            likelihood ratio against noise alone.
    """

    labels: np.ndarray
    shifts: np.ndarray
    gains: np.ndarray


def fit_templates(
    waveforms: SpikeWaveforms,
    templates: np.ndarray,
    shifts: np.ndarray,
    sampling_rate: float,
    settings: TemplateFitSettings,
    workers: Workers | None = None,
    known: dict | None = None,
) -> TemplateFit:
    """Fit every template near a spike's channel to it, scaled, shifted and on a grid of half samples.

    What a template has on channels that the spike was not cut on counts against it.

    Args:
        waveforms: of the spikes.
        templates: `(num_units, num_samples, num_channels)` on all channels, SDs of the noise.
        shifts: `(num_spikes,)` present alignment of the spikes, samples; the result's are near these.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.sorting.matching.settings.TemplateFitSettings`].
        workers: who share the channels.
        known: fits of an earlier call for the same waveforms, by channel; they are taken where nothing has changed, and
            brought up to date.
    """
    known = {} if known is None else known
    num_spikes, num_units = len(waveforms.waveforms), len(templates)
    labels = np.full(num_spikes, -1, dtype="int64")
    best_shifts = np.array(shifts, dtype="int64")
    gains = np.zeros(num_spikes, dtype="float32")
    if num_units == 0:
        return TemplateFit(labels, best_shifts, gains)
    max_shift = max(round(settings.max_fit_shift_ms * 1e-3 * sampling_rate), 1)
    allowed = waveforms.margin - max_shift
    energies = np.square(templates).sum(axis=(1, 2))
    peak_channels = np.ptp(templates, axis=1).argmax(axis=1)
    versions = [templates, delayed(templates, 0.5)]

    def fit_channel(channel: int) -> None:
        near = waveforms.channels[channel]
        near = near[near >= 0]
        candidates = np.flatnonzero(np.isin(peak_channels, near))
        if len(candidates) == 0:
            return
        spikes = np.flatnonzero(waveforms.peak_channels == channel)
        start = np.clip(shifts[spikes], -allowed, allowed)
        key = templates[candidates][:, :, near], energies[candidates], start
        before = known.get(channel)
        if before is None or not all(np.array_equal(old, new) for old, new in zip(before[0], key)):
            known[channel] = key, best_fit(spikes, start, candidates, near)
        best, best_shift, gain = known[channel][1]
        labels[spikes], best_shifts[spikes], gains[spikes] = candidates[best], best_shift, gain

    def best_fit(
        spikes: np.ndarray, start: np.ndarray, candidates: np.ndarray, near: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cut = waveforms.aligned(spikes, start, reach=max_shift)[:, :, : len(near)]
        flat = np.concatenate([version[candidates][:, :, near].reshape(len(candidates), -1) for version in versions])
        near_energies = np.square(flat).sum(axis=1)
        far_energies = np.tile(energies[candidates], len(versions)) - near_energies
        gains = np.full(len(spikes), -np.inf, dtype="float32")
        best, best_shifts = np.zeros((2, len(spikes)), dtype="int64")
        scales = np.float32(settings.min_fit_scale), np.float32(settings.max_fit_scale)
        for shift in range(-max_shift, max_shift + 1):
            shifted = cut[:, max_shift + shift : max_shift + shift + waveforms.num_samples]
            products = shifted.reshape(len(spikes), -1) @ flat.T
            _keep_better(products, near_energies, far_energies, *scales, shift, gains, best, best_shifts)
        return best % len(candidates), start + best_shifts, gains

    for _ in (workers or Workers()).map(fit_channel, np.unique(waveforms.peak_channels)):
        pass
    return TemplateFit(labels, best_shifts, gains)


@numba.njit(cache=True, nogil=True)
def _keep_better(
    products: np.ndarray,
    near_energies: np.ndarray,
    far_energies: np.ndarray,
    min_scale: float,
    max_scale: float,
    shift: int,
    gains: np.ndarray,
    best: np.ndarray,
    best_shifts: np.ndarray,
) -> None:
    """Take each spike's best template at this shift where it explains more than the best one so far.

    Args:
        products: `(num_spikes, num_templates)` of spikes and templates.
        near_energies, far_energies: `(num_templates,)` of the template where the spike was cut, and elsewhere.
        min_scale, max_scale: by which a template may be scaled.
        shift: of these products.
        gains, best, best_shifts: `(num_spikes,)`, which are changed.
    """
    for spike in range(len(products)):
        for template in range(products.shape[1]):
            product, energy = products[spike, template], near_energies[template]
            scale = min(max(product / max(energy, np.float32(1e-9)), min_scale), max_scale)
            gain = 2 * scale * product - scale * scale * energy - far_energies[template]
            if gain > gains[spike]:
                gains[spike], best[spike], best_shifts[spike] = gain, template, shift
