"""Take noise out of templates.

An average of 40 spikes has a fortieth of the noise of one, in each of its samples and channels: together a third of
the energy that a faint neuron has. Such a template finds the spikes that it was made from, whose noise it holds, more
easily than the neuron's others. What neurons show in time is the same few shapes on all channels of all units, so only
the part of a template that has these shapes is taken as it is. The rest is kept as far as it is more than noise makes:
all of it for an average of thousands of spikes, next to nothing of one of 40.
"""

from __future__ import annotations

import numpy as np

from .settings import TemplateSettings


def without_noise(
    templates: np.ndarray, counts: np.ndarray, noise_levels: np.ndarray, settings: TemplateSettings
) -> np.ndarray:
    """Shrink what is not of the templates' common temporal shapes by how much noise is in it.

    The factor is that of the positive-part James-Stein estimator (James & Stein 1961; Efron & Morris 1973), for each
    unit and channel: 1 less the energy that noise has there over the energy that is there, and not below 0.

    Args:
        templates: `(num_units, num_samples, num_channels)` averages, SDs of the noise in the spikes' band.
        counts: `(num_units,)` spikes that each was averaged from.
        noise_levels: `(num_channels,)` SD of the noise in a sample of one spike, in the same unit.
        settings: [`~huidurep_hf.sorting.templates.settings.TemplateSettings`]: of the shapes.

    Returns:
        Templates of the same shape, float32.
    """
    num_samples = templates.shape[1]
    if templates.size == 0:
        return templates
    on_channels = templates.transpose(0, 2, 1).astype("float64")
    noise = num_samples * np.square(noise_levels)[None, :] / np.maximum(counts, 1)[:, None]
    shapes = _common_shapes(on_channels, noise, settings)
    shaped = on_channels @ shapes.T @ shapes
    rest = on_channels - shaped
    # Along each shape, which lies in the spikes' band, noise has a variance of 1 in one spike.
    noise_of_rest = np.maximum(noise - len(shapes) / np.maximum(counts, 1)[:, None], 0)
    energy_of_rest = np.maximum(np.square(rest).sum(axis=2), 1e-12)
    kept = np.maximum(1 - noise_of_rest / energy_of_rest, 0)
    return (shaped + kept[:, :, None] * rest).transpose(0, 2, 1).astype("float32")


def _common_shapes(on_channels: np.ndarray, noise: np.ndarray, settings: TemplateSettings) -> np.ndarray:
    """A few orthonormal temporal shapes of averages above noise, `(num_shapes, num_samples)`, commonest first."""
    energies = np.square(on_channels).sum(axis=2)
    clear = on_channels[energies > settings.min_energy_of_shapes * noise]
    # The square root of its length: a neuron of ten times the size has ten times the weight, and not a hundred.
    weighted = clear / np.sqrt(np.linalg.norm(clear, axis=1, keepdims=True))
    return np.linalg.svd(weighted, full_matrices=False)[2][: settings.num_template_shapes]
