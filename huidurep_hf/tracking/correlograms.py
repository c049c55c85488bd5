"""How much a difference of autocorrelograms says, learned from the halves of the sessions themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Of each kind, one unit and two neighbours, so many pairs of halves are needed.
MIN_PAIRS = 20
# A correlogram alone does not decide: a neuron may fire otherwise on another day.
MAX_LOG_RATIO = 3.0


@dataclass(frozen=True)
class CorrelogramModel:
    """Log likelihood ratio of one neuron against two neighbours, linear in the distance of their autocorrelograms.

    Attributes:
        intercept: where they are the same.
        slope: for each unit of the distance of [`~huidurep_hf.tracking.similarity.compare`]; 0 or less.
    """

    intercept: float
    slope: float

    def log_likelihood_ratio(self, distances: np.ndarray) -> np.ndarray:
        """Of pairs `(num_pairs,)` of units, limited to ±3."""
        return np.clip(self.intercept + self.slope * distances, -MAX_LOG_RATIO, MAX_LOG_RATIO)


def fit_correlogram_model(distances: np.ndarray, is_same: np.ndarray) -> CorrelogramModel:
    """Fit by the halves of sessions: how far apart those of one unit are, and those of two neighbours.

    Args:
        distances: `(num_pairs,)` of the autocorrelograms of two halves.
        is_same: `(num_pairs,)` bool, of one unit.

    Raises:
        ValueError: too few pairs to learn from.
    """
    from sklearn.linear_model import LogisticRegression

    counts = [int(is_same.sum()), int((~is_same).sum())]
    if min(counts) < MIN_PAIRS:
        raise ValueError(
            f"These sessions have {counts[0]} units with spikes in both halves and {counts[1]} pairs of near units, and"
            f" {MIN_PAIRS} of each are needed to learn what autocorrelograms tell; set use_correlograms='off'."
        )
    fitted = LogisticRegression(class_weight="balanced").fit(distances[:, None], is_same)
    slope = float(fitted.coef_[0, 0])
    # Halves that differ more in one unit than in two say nothing.
    return CorrelogramModel(float(fitted.intercept_[0]), slope) if slope < 0 else CorrelogramModel(0.0, 0.0)
