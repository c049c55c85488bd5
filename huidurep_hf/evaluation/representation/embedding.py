"""How well features of spikes, taken at true times, agree with the true units."""

from __future__ import annotations

import functools
import logging
import os
import warnings
from collections.abc import Callable, Iterable

import numpy as np
from joblib import Parallel, delayed
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from ...sorting.clustering.kmeans import cluster_kmeans
from .baselines import unit_scale

logger = logging.getLogger("huidurep_hf")

# Variance added to each component's covariance, where the features' mean variance is 1: it keeps a component of few
# spikes invertible, for every method alike.
MIXTURE_FLOOR = 1e-3
MIXTURE_ITERATIONS = 100
MIXTURE_TOLERANCE = 3e-2
KMEANS_SEEDS = range(3)
KMEANS_STARTS = 10
# What served the principal components best on other recordings (SpikeInterface's generator).
DENSITY_DIMENSIONS = 10
DENSITY_CLUSTER_SIZE = 30
DENSITY_MIN_SAMPLES = 5
METHOD = {
    "mixture_floor": MIXTURE_FLOOR,
    "mixture_tolerance": MIXTURE_TOLERANCE,
    "density_dimensions": DENSITY_DIMENSIONS,
    "density_cluster_size": DENSITY_CLUSTER_SIZE,
    "density_min_samples": DENSITY_MIN_SAMPLES,
}


def cluster_by_mixture(features: np.ndarray, num_units: int, seeds: Iterable[int] = range(10)) -> np.ndarray:
    """Cluster spikes by Gaussian mixtures of a given number of units, one for each seed.

    Full covariances, k-means start, as in the paper (arXiv 2507.17224). The features of every method are centred
    and divided by one number beforehand, so that their mean variance is 1, and 1e-3 is added to each covariance's
    diagonal: a component of few spikes stays invertible, and no method is helped more than another.

    Args:
        features: `(num_spikes, num_features)`.
        num_units: components of the mixture.
        seeds: of the starts.

    Returns:
        `(num_seeds, num_spikes)` int64. A start that fails all the same is a row of zeros (one unit for all, an
        agreement of 0), with a warning.
    """
    return _cluster_from_seeds(_fit_mixture, features, num_units, seeds)


def cluster_by_kmeans(features: np.ndarray, num_units: int, seeds: Iterable[int] = KMEANS_SEEDS) -> np.ndarray:
    """Cluster spikes by k-means with a given number of units, the tightest of 10 starts for each seed.

    It takes clusters to be round and of one size. No feature is scaled against another: to make noise round is a
    method's own merit.

    Args:
        features: `(num_spikes, num_features)`.
        num_units: clusters.
        seeds: of the starts.

    Returns:
        `(num_seeds, num_spikes)` int64.
    """
    cluster = functools.partial(cluster_kmeans, num_starts=KMEANS_STARTS)
    return _cluster_from_seeds(cluster, features, num_units, seeds)


def agreement(labels: np.ndarray, clusterings: np.ndarray) -> tuple[float, float]:
    """Mean and SD over clusterings `(num_clusterings, num_spikes)` of the adjusted Rand index; NaN without spikes."""
    if len(labels) == 0:
        return float("nan"), float("nan")
    scores = [adjusted_rand_score(labels, found) for found in clusterings]
    return float(np.mean(scores)), float(np.std(scores))


def cluster_by_density(features: np.ndarray) -> np.ndarray:
    """Cluster spikes by HDBSCAN (Campello et al. 2013): `(num_spikes,)` int64, -1 for spikes left out.

    Density needs few dimensions, so the features of every method are first reduced to their 10 largest principal
    components. The smallest cluster is 30 spikes. For the agreement with the truth those left out are one more cluster:
    to leave out is not free.
    """
    if len(features) < DENSITY_CLUSTER_SIZE:
        return np.full(len(features), -1, dtype="int64")
    features = unit_scale(features)
    reduced = PCA(min(DENSITY_DIMENSIONS, *features.shape), svd_solver="full").fit_transform(features)
    clustering = HDBSCAN(min_cluster_size=DENSITY_CLUSTER_SIZE, min_samples=DENSITY_MIN_SAMPLES, copy=True)
    return clustering.fit_predict(reduced).astype("int64")


def neighbor_accuracy(features: np.ndarray, labels: np.ndarray, num_neighbors: int = 10) -> float:
    """Name each spike's unit by the majority of its nearest neighbours; return the fraction that is right.

    Leave-one-out: a spike is not its own neighbour. Euclidean distance; at a tie the unit of lower index wins.

    Args:
        features: `(num_spikes, num_features)`.
        labels: `(num_spikes,)` true unit of each spike.
        num_neighbors: how many neighbours vote.

    Returns:
        Fraction between 0 and 1; NaN for fewer than two spikes.
    """
    features, labels = _check(features, labels)
    if len(labels) < 2:
        return float("nan")
    num_neighbors = min(num_neighbors, len(labels) - 1)
    _, index = np.unique(labels, return_inverse=True)
    neighbors = NearestNeighbors(n_neighbors=num_neighbors).fit(features).kneighbors(return_distance=False)
    votes = np.zeros((len(labels), index.max() + 1), dtype="int64")
    for column in range(num_neighbors):
        votes[np.arange(len(labels)), index[neighbors[:, column]]] += 1
    return float((votes.argmax(axis=1) == index).mean())


def _cluster_from_seeds(
    fit: Callable[[np.ndarray, int, int], np.ndarray], features: np.ndarray, num_units: int, seeds: Iterable[int]
) -> np.ndarray:
    """Fit features of unit variance from each seed: `(num_seeds, num_spikes)` int64."""
    seeds = list(seeds)
    if len(features) == 0:
        return np.zeros((len(seeds), 0), dtype="int64")
    features = unit_scale(features).astype("float32")
    # The matrices are small: a thread per seed is several times faster than threads inside the linear algebra.
    with threadpool_limits(1):
        run = Parallel(n_jobs=os.cpu_count(), prefer="threads")
        found = run(delayed(fit)(features, num_units, int(seed)) for seed in seeds)
    return np.stack(found)


def _fit_mixture(features: np.ndarray, num_units: int, seed: int) -> np.ndarray:
    mixture = GaussianMixture(
        num_units, reg_covar=MIXTURE_FLOOR, max_iter=MIXTURE_ITERATIONS, tol=MIXTURE_TOLERANCE, random_state=seed
    )
    try:
        with warnings.catch_warnings():
            # 100 rounds are the method; that some starts would still move is part of its spread.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return mixture.fit_predict(features).astype("int64")
    except ValueError as error:
        logger.warning("A Gaussian mixture of %d units with seed %d failed and scores 0: %s", num_units, seed, error)
        return np.zeros(len(features), dtype="int64")


def _check(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    features, labels = np.asarray(features, dtype="float64"), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"Got features of shape {features.shape} and labels of shape {labels.shape}; expected "
            "(num_spikes, num_features) and (num_spikes,)."
        )
    if not np.isfinite(features).all():
        raise ValueError("The features hold NaN or infinite values; look for them in the waveforms or the model.")
    return features, labels
