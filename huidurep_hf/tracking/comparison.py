"""Units of two sessions compared at a displacement: pairs of near ones, and how probable it is that they are one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .correlograms import CorrelogramModel
from .probability import PAIR_MODEL, find_gain, find_probabilities
from .settings import TrackingSettings
from .similarity import FEATURES, Seen, compare, near_pairs


@dataclass(frozen=True)
class Comparison:
    """Pairs of near units of two sessions.

    Attributes:
        pairs: `(num_pairs, 2)` units of the first and the second.
        features: `(num_pairs, 6)` of [`~huidurep_hf.tracking.similarity.compare`].
        scores: `(num_pairs,)` log of how much likelier they are for one neuron than for two neighbours.
        probabilities: `(num_pairs,)` of being one neuron.
    """

    pairs: np.ndarray
    features: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray

    @property
    def gain(self) -> float:
        """Factor of amplitudes from the first session to the second."""
        return float(np.exp(-find_gain(self.features, self.probabilities)))

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Columns of the table of pairs."""
        of_features = {name: self.features[:, index] for index, name in enumerate(FEATURES)}
        return {"probability": self.probabilities, "score": self.scores, **of_features}


def compare_sessions(
    first: Seen,
    second: Seen,
    displacement_um: float,
    settings: TrackingSettings,
    correlograms: CorrelogramModel | None = None,
) -> Comparison:
    """Compare the near units of two sessions.

    Args:
        first, second: units of the sessions.
        displacement_um: of the second session against the first.
        settings: [`~huidurep_hf.tracking.settings.TrackingSettings`].
        correlograms: how much autocorrelograms count; not at all if left out.
    """
    pairs = near_pairs(first, second, displacement_um, settings.max_distance_um)
    features = compare(first, second, pairs, displacement_um)
    scores = PAIR_MODEL.log_likelihood_ratio(features)
    if correlograms is not None:
        scores = scores + correlograms.log_likelihood_ratio(features[:, FEATURES.index("correlogram")])
    return Comparison(pairs, features, scores, find_probabilities(pairs, scores, len(first), len(second), settings))
