"""From clusters to labels with probabilities: each spike to its most likely Gaussian, or to none."""

import numpy as np

NUM_ROUNDS = 3
SHRINKAGE = 0.1


def assign(features, labels, *, min_cluster_size=20, outlier_quantile=0.999):
    """Fit one Gaussian to each cluster and give every spike to the most likely one.

    Density clustering leaves the rim of each cluster unlabelled; a few rounds of refitting bring it back. Spikes far
    from every cluster, and clusters that end up too small, become outliers.

    Args:
        features: `(num_spikes, num_features)`.
        labels: `(num_spikes,)` clusters from 0, -1 for none.
        min_cluster_size: smallest cluster that is kept.
        outlier_quantile: a spike whose squared Mahalanobis distance lies beyond this quantile of the chi-squared
            distribution, widened by half because spikes' tails are heavier than Gaussian ones, belongs to no cluster.

    Returns:
        `(labels, probabilities)`: `(num_spikes,)` int64 labels from 0 without gaps, -1 for outliers, and
        `(num_spikes,)` float32 probability of that label among the clusters, 0 for outliers.
    """
    from scipy.stats import chi2

    limit = 1.5 * chi2.ppf(outlier_quantile, df=max(features.shape[1], 1))
    labels = drop_small(labels, min_cluster_size)
    probabilities = np.zeros(len(labels), dtype="float32")
    for _ in range(NUM_ROUNDS):
        num_clusters = labels.max(initial=-1) + 1
        if num_clusters == 0:
            break
        distances, log_likelihoods = _gaussians(features, labels, num_clusters)
        best = log_likelihoods.argmax(axis=1)
        relative = np.exp(log_likelihoods - log_likelihoods.max(axis=1, keepdims=True))
        probabilities = (1 / relative.sum(axis=1)).astype("float32")
        is_outlier = distances[np.arange(len(best)), best] > limit
        labels = drop_small(np.where(is_outlier, -1, best), min_cluster_size)
    return labels, np.where(labels >= 0, probabilities, 0).astype("float32")


def drop_small(labels, min_cluster_size):
    """Number the clusters of at least `min_cluster_size` spikes from 0 in their order; the others become -1."""
    labels = np.asarray(labels, dtype="int64")
    sizes = np.bincount(labels[labels >= 0])
    new_labels = np.full(len(sizes) + 1, -1, dtype="int64")
    kept = np.flatnonzero(sizes >= max(min_cluster_size, 1))
    new_labels[kept] = np.arange(len(kept))
    return new_labels[labels]


def _gaussians(features, labels, num_clusters):
    """Squared Mahalanobis distances and log joint likelihoods, both `(num_spikes, num_clusters)`."""
    num_spikes, num_features = features.shape
    distances = np.empty((num_spikes, num_clusters))
    log_likelihoods = np.empty((num_spikes, num_clusters))
    pooled = _pooled_covariance(features, labels, num_clusters)
    for cluster in range(num_clusters):
        members = features[labels == cluster]
        centered = members - members.mean(axis=0)
        # Small clusters lean on the pooled covariance, as if it were a number of further spikes.
        strength = SHRINKAGE * len(members) + 2 * num_features
        covariance = (centered.T @ centered + strength * pooled) / (len(members) + strength)
        factor = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(factor, (features - members.mean(axis=0)).T)
        distances[:, cluster] = np.square(whitened).sum(axis=0)
        log_determinant = 2 * np.log(np.diag(factor)).sum()
        log_likelihoods[:, cluster] = np.log(len(members)) - 0.5 * (distances[:, cluster] + log_determinant)
    return distances, log_likelihoods


def _pooled_covariance(features, labels, num_clusters):
    means = np.stack([features[labels == cluster].mean(axis=0) for cluster in range(num_clusters)])
    is_labelled = labels >= 0
    centered = features[is_labelled] - means[labels[is_labelled]]
    covariance = centered.T @ centered / len(centered)
    floor = 1e-6 + 1e-3 * np.trace(covariance) / len(covariance)
    return covariance + floor * np.eye(len(covariance))
