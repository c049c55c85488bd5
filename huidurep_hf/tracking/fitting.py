"""Fit the pair model on sessions in which it is known which unit is which neuron."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from ..sorting.output.fingerprint_table import UnitFingerprints
from .comparison import compare_sessions
from .placement import find_displacements, place_sessions
from .probability import TAIL_SLOPE, TAIL_START, PairModel, find_probabilities, transformed
from .settings import TrackingSettings
from .similarity import common_shapes, see

# Weak: features are of the order of 1 and there are thousands of pairs.
INVERSE_PENALTY = 1.0
SHIFTS = np.arange(-1.0, 2.01, 0.25)


@dataclass(frozen=True)
class KnownPairs:
    """Pairs of units of two sessions, of which it is known whether they are one neuron.

    Attributes:
        pairs: `(num_pairs, 2)`.
        features: `(num_pairs, 6)` of [`~huidurep_hf.tracking.similarity.compare`].
        is_same: `(num_pairs,)` bool.
        num_first, num_second: units of the sessions.
        weight: of these sessions; many days of one tissue are not as many tissues.
    """

    pairs: np.ndarray
    features: np.ndarray
    is_same: np.ndarray
    num_first: int
    num_second: int
    weight: float


def known_pairs(tables: list[UnitFingerprints], settings: TrackingSettings) -> list[KnownPairs]:
    """Compare all pairs of some sessions whose unit ids are the numbers of the neurons.

    Their displacements are found with the pair model as it is.

    Args:
        tables: fingerprints of two or more sessions.
        settings: [`~huidurep_hf.tracking.settings.TrackingSettings`].
    """
    shapes, num_sessions = common_shapes(tables), len(tables)
    seen = [see(table, shapes) for table in tables]
    both = [(a, b) for a in range(num_sessions) for b in range(a + 1, num_sessions)]
    offsets = place_sessions(find_displacements(tables, seen, both, settings), num_sessions)
    found = []
    for a, b in both:
        own = compare_sessions(seen[a], seen[b], offsets[b] - offsets[a], settings)
        is_same = tables[a].unit_ids[own.pairs[:, 0]] == tables[b].unit_ids[own.pairs[:, 1]]
        found.append(KnownPairs(own.pairs, own.features, is_same, len(seen[a]), len(seen[b]), 1 / np.sqrt(len(both))))
    return found


def fit_pair_model(known: list[KnownPairs], settings: TrackingSettings) -> PairModel:
    """Fit weights by logistic regression; then the intercept, so that the final probabilities are likeliest.

    Args:
        known: pairs of many sessions.
        settings: of the final probabilities.
    """
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([transformed(one.features) for one in known])
    is_same = np.concatenate([one.is_same for one in known])
    weights = np.concatenate([np.full(len(one.pairs), one.weight) for one in known])
    fitted = LogisticRegression(C=INVERSE_PENALTY, max_iter=5000).fit(features, is_same, sample_weight=weights)
    base = np.log(weights[is_same].sum() / weights[~is_same].sum())
    template, template_error, embedding, place = fitted.coef_[0]

    def model(shift: float) -> PairModel:
        return PairModel(
            *np.round([fitted.intercept_[0] - base + shift, template, template_error, embedding, place], 3).tolist(),
            TAIL_START,
            TAIL_SLOPE,
        )

    return min((model(shift) for shift in SHIFTS), key=lambda one: log_loss(one, known, settings))


def log_loss(model: PairModel, known: list[KnownPairs], settings: TrackingSettings) -> float:
    """Negative log likelihood of what is known, by the final probabilities."""
    total = 0.0
    for one, probabilities in zip(known, _probabilities(model, known, settings)):
        probabilities = np.clip(probabilities, 1e-6, 1 - 1e-6)
        total -= one.weight * np.log(np.where(one.is_same, probabilities, 1 - probabilities)).sum()
    return float(total)


def calibration(model: PairModel, known: list[KnownPairs], settings: TrackingSettings) -> np.ndarray:
    """For tenths of the probability from 0.01 on: number of pairs, mean probability, share that are one neuron.

    Returns:
        `(10, 3)`; NaN where there are no pairs.
    """
    probabilities = np.concatenate(_probabilities(model, known, settings))
    is_same = np.concatenate([one.is_same for one in known])
    is_counted = probabilities >= 0.01
    bins = np.minimum((10 * probabilities[is_counted]).astype(int), 9)
    counts = np.bincount(bins, minlength=10)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, values[is_counted], 10) / counts for values in (probabilities, is_same)]
    return np.column_stack([counts, *means])


def describe_model(model: PairModel) -> str:
    """The model as a line of Python."""
    return f"PAIR_MODEL = PairModel{astuple(model)}"


def _probabilities(model: PairModel, known: list[KnownPairs], settings: TrackingSettings) -> list[np.ndarray]:
    return [
        find_probabilities(
            one.pairs,
            model.log_likelihood_ratio(one.features),
            one.num_first,
            one.num_second,
            settings,
        )
        for one in known
    ]
