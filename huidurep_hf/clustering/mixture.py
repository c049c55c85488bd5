"""Clusters as Gaussians of full covariance (Cao et al., arXiv 2507.17224), their number given or chosen by BIC."""

import warnings

import numpy as np

# BIC is taken to have passed its minimum after this many worse numbers of units.
PATIENCE = 3


def cluster_mixture(features, *, num_units=None, max_units=10, seed=0):
    """Cluster spikes by a Gaussian mixture of full covariance.

    Args:
        features: `(num_spikes, num_features)`.
        num_units: number of Gaussians. Left out, the number from 1 to `max_units` at which the Bayesian
            information criterion (Schwarz 1978) is lowest.
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
    best, lowest, num_worse = None, np.inf, 0
    for count in range(1, most + 1):
        fit = _fit(features, count, seed)
        criterion = fit.bic(features)
        if criterion < lowest:
            best, lowest, num_worse = fit, criterion, 0
        else:
            num_worse += 1
        if num_worse == PATIENCE:
            break
    return best.predict(features).astype("int64")


def _fit(features, num_units, seed):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    if len(features) == 1:
        # scikit-learn wants two samples; one spike twice is the same Gaussian.
        features = np.repeat(features, 2, axis=0)
    # The regularisation follows the scale of the features, so that identical spikes do not end the fit.
    regularisation = 1e-6 + 1e-3 * float(features.var(axis=0).mean())
    mixture = GaussianMixture(num_units, covariance_type="full", reg_covar=regularisation, random_state=seed, n_init=2)
    # Matrices this small lose more time to waiting threads than they win.
    with threadpool_limits(1), warnings.catch_warnings():
        # Duplicate points and slow convergence are normal for the largest numbers that BIC tries and rejects.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(features)
