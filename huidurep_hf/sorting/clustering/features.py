"""Features for clustering: the embedding, and the location and amplitude that it leaves out."""

from __future__ import annotations

import numpy as np

from .settings import FeatureSettings


def centers_of_mass(amplitudes: np.ndarray, positions: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Locate spikes by the centre of mass of their squared peak-to-peak amplitudes.

    Squares keep far channels, which hold mostly noise, from pulling every spike to the middle of its neighbourhood.

    Args:
        amplitudes: `(num_spikes, num_channels)` peak-to-peak, any unit.
        positions: `(num_spikes, num_channels, 2)` contact positions, µm.
        mask: `(num_spikes, num_channels)`, False for padding.

    Returns:
        `(num_spikes, 2)` µm, in the frame of `positions`; the origin for a spike without amplitude.
    """
    weights = np.where(mask, np.square(amplitudes, dtype="float64"), 0.0)
    total = weights.sum(axis=1, keepdims=True)
    weights = weights / np.where(total > 0, total, 1.0)
    return np.einsum("nc,nck->nk", weights, positions)


def build_features(
    embeddings: np.ndarray, locations_um: np.ndarray, amplitudes: np.ndarray, settings: FeatureSettings
) -> np.ndarray:
    """Combine embedding, location and amplitude into one vector per spike.

    The embedding is scaled to a total variance of its number of dimensions, so that the weights beside it mean the
    same for every checkpoint; location and log amplitude are divided by the scales of the settings.

    Args:
        embeddings: `(num_spikes, embedding_size)`.
        locations_um: `(num_spikes, 2)` in the frame of the probe.
        amplitudes: `(num_spikes,)` above 0, any unit.
        settings: [`~huidurep_hf.sorting.clustering.settings.FeatureSettings`].

    Returns:
        `(num_spikes, embedding_size + 3)` float64.
    """
    embeddings = np.asarray(embeddings, dtype="float64")
    if len(embeddings) == 0:
        return np.zeros((0, embeddings.shape[1] + 3))
    sd = np.sqrt(embeddings.var(axis=0).mean())
    scaled = (embeddings - embeddings.mean(axis=0)) / (sd if sd > 0 else 1.0)
    log_amplitudes = np.log(np.maximum(amplitudes, 1e-6)) / settings.log_amplitude_scale
    return np.concatenate([scaled, locations_um / settings.location_scale_um, log_amplitudes[:, None]], axis=1)


def build_natural_features(
    embeddings: np.ndarray, locations_um: np.ndarray, amplitudes: np.ndarray, settings: FeatureSettings
) -> np.ndarray:
    """Combine embedding, location and amplitude so that distances between spikes mean something as they are.

    Args:
        embeddings: `(num_spikes, embedding_size)`, in the units that they were trained in.
        locations_um: `(num_spikes, 2)` in the frame of the probe.
        amplitudes: `(num_spikes,)` above 0, any unit.
        settings: [`~huidurep_hf.sorting.clustering.settings.FeatureSettings`].

    Returns:
        `(num_spikes, embedding_size + 3)` float64.
    """
    log_amplitudes = np.log(np.maximum(amplitudes, 1e-6)) / settings.kmeans_log_amplitude_scale
    parts = [embeddings, np.asarray(locations_um) / settings.kmeans_location_scale_um, log_amplitudes[:, None]]
    return np.concatenate(parts, axis=1).astype("float64")


def reduce_locally(features: np.ndarray, num_components: int) -> np.ndarray:
    """Project spikes of one neighbourhood onto their own principal components.

    What separates the neurons around one contact is a small part of what separates neurons in general.

    Args:
        features: `(num_spikes, num_features)`.
        num_components: most components kept.

    Returns:
        `(num_spikes, min(num_components, num_features, num_spikes))` float64, signs fixed so that results repeat.
    """
    if len(features) == 0:
        return np.zeros((0, min(num_components, features.shape[1])))
    centered = features - features.mean(axis=0)
    covariance = centered.T @ centered
    _, vectors = np.linalg.eigh(covariance)
    kept = min(num_components, features.shape[1], len(features))
    basis = vectors[:, ::-1][:, :kept]
    basis = basis * np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(kept)])
    return centered @ basis
