"""Give each spike to the template that explains most of it."""

from dataclasses import dataclass

import numpy as np

# A burst's spikes may be smaller than the template, an average; those of another unit are not made to fit by scaling.
AMPLITUDE_RANGE = (0.75, 1.33)
MAX_SHIFT_MS = 0.13
# Noise is not Gaussian, and neurons are not their templates, so that the whole evidence says too much: it is taken for
# this share of itself (scripts/reliability.py shows how far the probabilities hold).
EVIDENCE_WEIGHT = 0.5


@dataclass(frozen=True)
class TemplateFit:
    """Which template each spike fits best.

    Attributes:
        labels: `(num_spikes,)` int64 best template, -1 where there is none near.
        shifts: `(num_spikes,)` int64 samples by which the spike is best looked at later.
        gains: `(num_spikes,)` float32 energy that the template takes away, in variances of the noise: twice the log
            likelihood ratio against noise alone.
        probabilities: `(num_spikes,)` float32 of that template, or of the one asked for, among all
            near the spike and noise.
    """

    labels: np.ndarray
    shifts: np.ndarray
    gains: np.ndarray
    probabilities: np.ndarray


def fit_templates(waveforms, templates, shifts, sampling_rate, *, noise_gain=0.0, judged=None):
    """Fit every template near a spike's channel to it, scaled, shifted and on a grid of half samples.

    What a template has on channels that the spike was not cut on counts against it.

    Args:
        waveforms: [`~huidurep_hf.sorting.templates.spike_waveforms.SpikeWaveforms`].
        templates: `(num_units, num_samples, num_channels)` on all channels, SDs of the noise.
        shifts: `(num_spikes,)` present alignment of the spikes, samples; the result's are near these.
        sampling_rate: Hz.
        noise_gain: gain at which a template is as likely as noise alone.
        judged: `(num_spikes,)` templates whose probability is asked for; the best ones' if left out.

    Returns:
        [`TemplateFit`].
    """
    num_spikes, num_units = len(waveforms.waveforms), len(templates)
    labels = np.full(num_spikes, -1, dtype="int64")
    best_shifts = np.array(shifts, dtype="int64")
    gains, probabilities = np.zeros(num_spikes, dtype="float32"), np.zeros(num_spikes, dtype="float32")
    if num_units == 0:
        return TemplateFit(labels, best_shifts, gains, probabilities)
    max_shift = max(round(MAX_SHIFT_MS * 1e-3 * sampling_rate), 1)
    allowed = waveforms.margin - max_shift
    energies = np.square(templates).sum(axis=(1, 2))
    peak_channels = np.ptp(templates, axis=1).argmax(axis=1)
    versions = [templates, delay_by_half(templates)]
    for channel in np.unique(waveforms.peak_channels):
        near = waveforms.channels[channel]
        near = near[near >= 0]
        candidates = np.flatnonzero(np.isin(peak_channels, near))
        if len(candidates) == 0:
            continue
        spikes = np.flatnonzero(waveforms.peak_channels == channel)
        start = np.clip(shifts[spikes], -allowed, allowed)
        cut = waveforms.aligned(spikes, start, reach=max_shift)[:, :, : len(near)]
        found = np.full((len(spikes), len(candidates)), -np.inf, dtype="float32")
        found_shifts = np.zeros((len(spikes), len(candidates)), dtype="int64")
        for version in versions:
            flat = version[candidates][:, :, near].reshape(len(candidates), -1)
            for shift in range(-max_shift, max_shift + 1):
                moved = cut[:, max_shift + shift : max_shift + shift + waveforms.num_samples]
                gain = _gain(moved.reshape(len(spikes), -1) @ flat.T, flat, energies[candidates])
                found_shifts = np.where(gain > found, shift, found_shifts)
                found = np.maximum(gain, found)
        rows = np.arange(len(spikes))
        best = found.argmax(axis=1)
        labels[spikes], best_shifts[spikes] = candidates[best], start + found_shifts[rows, best]
        gains[spikes] = found[rows, best]
        evidence = 0.5 * EVIDENCE_WEIGHT * (np.concatenate([found, np.full((len(spikes), 1), noise_gain)], axis=1))
        evidence = np.exp(evidence - evidence.max(axis=1, keepdims=True))
        evidence = evidence / evidence.sum(axis=1, keepdims=True)
        wanted = candidates[best] if judged is None else judged[spikes]
        # Zero for a template that is not near.
        probabilities[spikes] = (evidence[:, :-1] * (candidates[None, :] == wanted[:, None])).sum(axis=1)
    return TemplateFit(labels, best_shifts, gains, probabilities)


def delay_by_half(templates):
    """Delay `(num_units, num_samples, num_channels)` by half a sample, as band-limited signals."""
    num_samples, padding = templates.shape[1], 16
    padded = np.pad(templates, ((0, 0), (padding, padding), (0, 0)))
    frequencies = np.fft.rfftfreq(padded.shape[1])
    spectrum = np.fft.rfft(padded, axis=1) * np.exp(-1j * np.pi * frequencies)[None, :, None]
    delayed = np.fft.irfft(spectrum, padded.shape[1], axis=1)
    return delayed[:, padding : padding + num_samples].astype("float32")


def _gain(products, flat, energies):
    near_energies = np.square(flat).sum(axis=1)
    amplitudes = np.clip(products / np.maximum(near_energies, 1e-9), *AMPLITUDE_RANGE)
    return 2 * amplitudes * products - np.square(amplitudes) * near_energies - (energies - near_energies)
