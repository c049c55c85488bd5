"""Clusters as Gaussians of full covariance (Cao et al., arXiv 2507.17224), their number given or chosen by BIC."""

import warnings

import numpy as np


def cluster_mixture(features, *, num_units=None, max_units=10, seed=0):
    """Cluster spikes by a Gaussian mixture of full covariance.

    Args:
        features: `(num_spikes, num_features)`.
        num_units: number of Gaussians. Left out, the number from 1 to `max_units` with the lowest Bayesian
            information criterion.
        max_units: most Gaussians that are tried.
        seed: of the starting points.

    Returns:
        `(num_spikes,)` int64 labels from 0. Where there are too few spikes for `num_units` Gaussians, as many as the
        spikes allow.
    """
    num_spikes, num_features = features.shape
    if num_spikes == 0:
        return np.zeros(0, dtype="int64")
    if num_units is not None:
        return _fit(features, min(num_units, num_spikes), seed).predict(features).astype("int64")
    # A Gaussian with fewer spikes than dimensions has no covariance of its own.
    most = int(np.clip(num_spikes // (num_features + 1), 1, max_units))
    fits = [_fit(features, count, seed) for count in range(1, most + 1)]
    best = fits[int(np.argmin([fit.bic(features) for fit in fits]))]
    return best.predict(features).astype("int64")


def _fit(features, num_units, seed):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if len(features) == 1:
        # scikit-learn wants two samples; one spike twice is the same Gaussian.
        features = np.repeat(features, 2, axis=0)
    # The regularisation follows the scale of the features, so that identical spikes do not end the fit.
    regularisation = 1e-6 + 1e-3 * float(features.var(axis=0).mean())
    mixture = GaussianMixture(num_units, covariance_type="full", reg_covar=regularisation, random_state=seed, n_init=2)
    with warnings.catch_warnings():
        # Duplicate points and slow convergence are normal for the largest numbers that BIC tries and rejects.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(features)
