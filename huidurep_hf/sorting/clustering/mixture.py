"""Clusters as Gaussians: a given number of them (Cao et al., arXiv 2507.17224), or more than there are neurons."""

from __future__ import annotations

import warnings

import numpy as np

from .features import reduce_locally
from .settings import MixtureSettings


def cluster_mixture(features: np.ndarray, num_units: int, settings: MixtureSettings, seed: int = 0) -> np.ndarray:
    """Cluster spikes by a Gaussian mixture of full covariance.

    Args:
        features: `(num_spikes, num_features)`.
        num_units: number of Gaussians.
        settings: [`~huidurep_hf.sorting.clustering.settings.MixtureSettings`].
        seed: of the starting points.

    Returns:
        `(num_spikes,)` int64 labels from 0. Where there are too few spikes for `num_units` Gaussians, as many as the
        spikes allow.
    """
    if len(features) == 0:
        return np.zeros(0, dtype="int64")
    return _fit(features, min(num_units, len(features)), "full", settings, seed)


def split_by_mixture(features: np.ndarray, settings: MixtureSettings, seed: int = 0) -> np.ndarray:
    """Split the spikes around one contact into more Gaussians than there are neurons.

    They share one covariance, which is then the scatter that noise gives the spikes of one neuron, and is known well
    even where the clusters are small.

    Args:
        features: `(num_spikes, num_features)`.
        settings: [`~huidurep_hf.sorting.clustering.settings.MixtureSettings`].
        seed: of the starting points.

    Returns:
        `(num_spikes,)` int64 labels from 0.
    """
    at_least = min(max(len(features) // settings.min_spikes_per_gaussian, 1), settings.min_gaussians)
    num_gaussians = int(np.clip(len(features) // settings.spikes_per_gaussian, at_least, settings.max_gaussians))
    if num_gaussians == 1:
        return np.zeros(len(features), dtype="int64")
    return _fit(reduce_locally(features, settings.num_mixture_components), num_gaussians, "tied", settings, seed)


def _fit(features: np.ndarray, num_units: int, covariance: str, settings: MixtureSettings, seed: int) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    num_spikes = len(features)
    if num_spikes == 1:
        # scikit-learn wants two samples; one spike twice is the same Gaussian.
        features = np.repeat(features, 2, axis=0)
    # The regularisation follows the scale of the features, so that identical spikes do not end the fit.
    regularisation = 1e-6 + 1e-3 * float(features.var(axis=0).mean())
    mixture = GaussianMixture(
        num_units,
        covariance_type=covariance,
        reg_covar=regularisation,
        random_state=seed,
        n_init=settings.num_mixture_starts,
    )
    # Matrices this small lose more time to waiting threads than they win.
    with threadpool_limits(1), warnings.catch_warnings():
        # Duplicate points and slow convergence are normal where there are more Gaussians than neurons.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit_predict(features).astype("int64")[:num_spikes]
