"""From clusters to labels with probabilities: each spike to its most likely Gaussian, or to none."""

from __future__ import annotations

import numpy as np

from .settings import DensitySettings


def assign(
    features: np.ndarray, labels: np.ndarray, settings: DensitySettings, *, min_cluster_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one Gaussian to each cluster and give every spike to the most likely one.

    Density clustering leaves the rim of each cluster and most overlapping spikes unlabelled. The Gaussians are fitted
    to the typical spikes alone, in a few rounds; then every spike gets a label, because a wrong feature more often is
    an overlap with a second spike than a spike of no neuron.

    Args:
        features: `(num_spikes, num_features)`.
        labels: `(num_spikes,)` clusters from 0, -1 for none.
        settings: [`~huidurep_hf.sorting.clustering.settings.DensitySettings`].
        min_cluster_size: smallest cluster that is kept.

    Returns:
        `(labels, probabilities)`: `(num_spikes,)` int64 labels from 0 without gaps, all -1 if there is no cluster, and
        `(num_spikes,)` float32 probability of that label among the clusters, 0 for -1.
    """
    from scipy.stats import chi2

    limit = chi2.ppf(settings.typical_quantile, df=max(features.shape[1], 1))
    typical = drop_small(labels, min_cluster_size)
    best, probabilities = typical, np.zeros(len(labels), dtype="float32")
    for _ in range(settings.num_assignment_rounds):
        num_clusters = typical.max(initial=-1) + 1
        if num_clusters == 0:
            break
        distances, log_likelihoods = _gaussians(features, typical, num_clusters, settings.covariance_shrinkage)
        best = log_likelihoods.argmax(axis=1)
        relative = np.exp(log_likelihoods - log_likelihoods.max(axis=1, keepdims=True))
        probabilities = (1 / relative.sum(axis=1)).astype("float32")
        is_typical = distances[np.arange(len(best)), best] < limit
        typical = drop_small(np.where(is_typical, best, -1), min_cluster_size)
    best = drop_small(best, min_cluster_size)
    return best, np.where(best >= 0, probabilities, 0).astype("float32")


def drop_small(labels: np.ndarray, min_cluster_size: int) -> np.ndarray:
    """Number the clusters of at least `min_cluster_size` spikes from 0 in their order; the others become -1."""
    labels = np.asarray(labels, dtype="int64")
    sizes = np.bincount(labels[labels >= 0])
    new_labels = np.full(len(sizes) + 1, -1, dtype="int64")
    kept = np.flatnonzero(sizes >= max(min_cluster_size, 1))
    new_labels[kept] = np.arange(len(kept))
    return new_labels[labels]


def _gaussians(
    features: np.ndarray, labels: np.ndarray, num_clusters: int, shrinkage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Squared Mahalanobis distances and log joint likelihoods, both `(num_spikes, num_clusters)`."""
    num_spikes, num_features = features.shape
    distances = np.empty((num_spikes, num_clusters))
    log_likelihoods = np.empty((num_spikes, num_clusters))
    pooled = _pooled_covariance(features, labels, num_clusters)
    for cluster in range(num_clusters):
        members = features[labels == cluster]
        centered = members - members.mean(axis=0)
        # Small clusters lean on the pooled covariance, as if it were a number of further spikes.
        strength = shrinkage * len(members) + 2 * num_features
        covariance = (centered.T @ centered + strength * pooled) / (len(members) + strength)
        factor = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(factor, (features - members.mean(axis=0)).T)
        distances[:, cluster] = np.square(whitened).sum(axis=0)
        log_determinant = 2 * np.log(np.diag(factor)).sum()
        log_likelihoods[:, cluster] = np.log(len(members)) - 0.5 * (distances[:, cluster] + log_determinant)
    return distances, log_likelihoods


def _pooled_covariance(features: np.ndarray, labels: np.ndarray, num_clusters: int) -> np.ndarray:
    means = np.stack([features[labels == cluster].mean(axis=0) for cluster in range(num_clusters)])
    is_labelled = labels >= 0
    centered = features[is_labelled] - means[labels[is_labelled]]
    covariance = centered.T @ centered / len(centered)
    floor = 1e-6 + 1e-3 * np.trace(covariance) / len(covariance)
    return covariance + floor * np.eye(len(covariance))
