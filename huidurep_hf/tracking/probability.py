"""How probable it is that two units of two sessions are one neuron.

Features of a pair give a likelihood ratio by a logistic regression, which was fitted once on simulated sessions of
development. How many of the neurons of one session are there in another is not known beforehand: this share is learned
from the two sessions by expectation maximisation. A unit has at most one partner, so that partners compete: marginal
probabilities of one-to-one matchings by belief propagation (Williams & Lau 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_ITERATIONS = 200


@dataclass(frozen=True)
class PairModel:
    """A logistic regression of features of pairs.

    Attributes:
        intercept: log likelihood ratio where all transformed features are 0.
        weights: of the transformed features, in the order of [`transformed`].
    """

    intercept: float
    weights: tuple[float, ...]

    def log_likelihood_ratio(
        self, features: np.ndarray, gain: float = 0.0, use_correlogram: bool = False
    ) -> np.ndarray:
        """Of "one neuron" against "two neighbours", `(num_pairs,)`, limited to ±20."""
        own = transformed(features, gain)
        weights = np.array(self.weights)
        value = self.intercept + own @ weights[: own.shape[1]]
        return np.clip(value, -20, 20)


def transformed(features: np.ndarray, gain: float = 0.0) -> np.ndarray:
    """What the regression sees: logs of distances, `(num_pairs, num_transformed)`.

    Args:
        features: `(num_pairs, 5)` of [`~huidurep_hf.tracking.similarity.compare`].
        gain: log of the amplitude of all units of the first session over that of the second.
    """
    embedding, template, place, amplitude = features[:, :4].T
    amplitude = np.abs(amplitude - gain)
    return np.column_stack(
        [
            np.log(np.maximum(template, 0) + 0.01),
            np.log(embedding + 0.3),
            np.log(place + 2.0),
            np.log(amplitude + 0.2),
        ]
    )


PAIR_MODEL = PairModel(-5.05, (-3.6, -1.34, -0.29, -0.08))


def find_gain(features: np.ndarray, log_ratios: np.ndarray) -> float:
    """Log of the common factor of amplitudes: weighted median over pairs that may be one neuron."""
    weights = 1 / (1 + np.exp(-log_ratios))
    if len(weights) == 0 or weights.sum() < 1:
        return 0.0
    order = np.argsort(features[:, 3])
    cumulated = np.cumsum(weights[order])
    found = float(features[order[np.searchsorted(cumulated, 0.5 * cumulated[-1])], 3])
    # Few pairs do not tell a gain from their own changes.
    return found * weights.sum() / (weights.sum() + 2)


def find_probabilities(
    pairs: np.ndarray, log_ratios: np.ndarray, num_first: int, num_second: int, prior_share: float, prior_weight: float
) -> np.ndarray:
    """Probability of each pair, `(num_pairs,)`.

    Args:
        pairs: `(num_pairs, 2)`.
        log_ratios: `(num_pairs,)` log likelihood ratio of each.
        num_first, num_second: units of the sessions.
        prior_share: share of the units that are in both sessions, before anything is known.
        prior_weight: this share counts as so many units.
    """
    probabilities = np.zeros(len(pairs))
    if len(pairs) == 0:
        return probabilities
    num_units = min(num_first, num_second)
    share = prior_share
    candidates = max(len(pairs) / num_units, 1.0)
    for _ in range(MAX_ITERATIONS):
        odds = np.exp(log_ratios) * share / (1 - share) / candidates
        probabilities = marginals(pairs, odds, num_first, num_second)
        updated = (probabilities.sum() + prior_share * prior_weight) / (num_units + prior_weight)
        updated = min(max(updated, 0.001), 0.999)
        if abs(updated - share) < 1e-4:
            break
        share = updated
    return probabilities


def marginals(pairs: np.ndarray, odds: np.ndarray, num_first: int, num_second: int) -> np.ndarray:
    """Probability that each pair is in a random one-to-one matching whose weight is the product of its odds."""
    first, second = pairs.T
    to_first = np.ones(len(pairs))
    for _ in range(MAX_ITERATIONS):
        weighted = odds * to_first
        of_first = np.bincount(first, weights=weighted, minlength=num_first)
        to_second = odds / np.maximum(1 + of_first[first] - weighted, 1e-12)
        of_second = np.bincount(second, weights=to_second, minlength=num_second)
        updated = 1 / np.maximum(1 + of_second[second] - to_second, 1e-12)
        change = np.abs(updated - to_first).max()
        to_first = updated
        if change < 1e-6:
            break
    weighted = odds * to_first
    return weighted / (1 + np.bincount(first, weights=weighted, minlength=num_first)[first])
