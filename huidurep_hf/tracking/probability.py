"""How probable it is that two units of two sessions are one neuron.

Features of a pair give a likelihood ratio by a logistic regression, which was fitted once on simulated sessions of
development. How many of the neurons of one session are there in another is not known beforehand: this share is learned
from the two sessions by expectation maximisation. A unit has at most one partner, so that partners compete: marginal
probabilities of one-to-one matchings by belief propagation (Williams & Lau 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .settings import TrackingSettings

MAX_ITERATIONS = 200


# Added to distances of templates before their logarithm: below this they are as good as none.
TEMPLATE_FLOOR = 0.003
MAX_LOG_RATIO = 20.0


@dataclass(frozen=True)
class PairModel:
    """A logistic regression of the distances of two units; `scripts/fit_tracking.py` fits it.

    Attributes:
        intercept: log likelihood ratio where all that it sees is 0.
        template: weight of the logarithm of the distance of templates.
        template_error: weight of the logarithm of the distance of templates that errors alone would make.
        embedding: weight of the distance of embeddings, SDs of the noise of one spike.
        place: weight of the distance of places, µm.
        tail_start, tail_slope: what a log ratio exceeds the first by counts by the second. Most pairs are unlike, and
            the line through all of them is too steep for those that are alike: neighbours of one kind of neuron.
    """

    intercept: float
    template: float
    template_error: float
    embedding: float
    place: float
    tail_start: float
    tail_slope: float

    def log_likelihood_ratio(self, features: np.ndarray) -> np.ndarray:
        """Of "one neuron" against "two neighbours", `(num_pairs,)`, -20 and more.

        Args:
            features: `(num_pairs, 6)` of [`~huidurep_hf.tracking.similarity.compare`].
        """
        weights = np.array([self.template, self.template_error, self.embedding, self.place])
        line = np.clip(self.intercept + transformed(features) @ weights, -MAX_LOG_RATIO, MAX_LOG_RATIO)
        return np.minimum(line, self.tail_start + self.tail_slope * (line - self.tail_start))


def transformed(features: np.ndarray) -> np.ndarray:
    """What the regression sees, `(num_pairs, 4)`, in the order of its weights."""
    embedding, template, place, _, _, template_error = features.T
    logs = [np.log(np.maximum(distance, 0) + TEMPLATE_FLOOR) for distance in (template, template_error)]
    return np.column_stack([*logs, embedding, place])


# By scripts/fit_tracking.py on simulated sessions of all nine training cells, all conditions, seeds 1 and 2; sessions
# of four of them confirm it. The tail was chosen on sessions without a common neuron (docs/experiments.md).
TAIL_START, TAIL_SLOPE = 2.0, 0.5
PAIR_MODEL = PairModel(3.1, -4.625, 2.471, -0.838, -0.019, TAIL_START, TAIL_SLOPE)


def find_gain(features: np.ndarray, probabilities: np.ndarray) -> float:
    """Log of the factor of amplitudes that pairs have in common, first over second: median weighted by probability."""
    if probabilities.sum() < 1:
        return 0.0
    order = np.argsort(features[:, 3])
    cumulated = np.cumsum(probabilities[order])
    return float(features[order[np.searchsorted(cumulated, 0.5 * cumulated[-1])], 3])


def find_probabilities(
    pairs: np.ndarray, log_ratios: np.ndarray, num_first: int, num_second: int, settings: TrackingSettings
) -> np.ndarray:
    """Probability of each pair, `(num_pairs,)`.

    Args:
        pairs: `(num_pairs, 2)`.
        log_ratios: `(num_pairs,)` log likelihood ratio of each.
        num_first, num_second: units of the sessions.
        settings: `prior_share` and `prior_weight`.
    """
    probabilities = np.zeros(len(pairs))
    if len(pairs) == 0:
        return probabilities
    num_units = min(num_first, num_second)
    share = prior_share = settings.prior_share
    candidates = max(len(pairs) / num_units, 1.0)
    for _ in range(MAX_ITERATIONS):
        odds = np.exp(log_ratios) * share / (1 - share) / candidates
        probabilities = marginals(pairs, odds, num_first, num_second)
        updated = (probabilities.sum() + prior_share * settings.prior_weight) / (num_units + settings.prior_weight)
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
