"""How well units are followed: pairs of units of two sessions, and global numbers, against the true neurons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from spikeinterface.comparison import compare_sorter_to_ground_truth

from .method_interface import Tracked

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

DELTA_TIME_MS = 0.4
NAMED_AGREEMENT = 0.5
"""A sorted unit is called after the true neuron with which it agrees on at least half of the spikes of both."""

FALSE_SHARE = 0.01
NUM_CALIBRATION_BINS = 10
CALIBRATED_FROM = 0.01
"""Pairs of a lower probability are not in the calibration: nearly all pairs are of neurons far apart."""

PAIR_KEY = ["session_a", "unit_a", "session_b", "unit_b"]


def name_units(sorting: BaseSorting, truth: BaseSorting, neurons: dict) -> dict:
    """Call sorted units after true neurons.

    Args:
        sorting: SpikeInterface sorting with at least one unit or none.
        truth: SpikeInterface sorting of the true units of the same recording.
        neurons: true unit id -> neuron.

    Returns:
        Sorted unit id -> neuron, None for units that are no neuron. No two units are the same neuron.
    """
    named = dict.fromkeys(sorting.unit_ids)
    if not named:
        return named
    comparison = compare_sorter_to_ground_truth(
        truth, sorting, delta_time=DELTA_TIME_MS, match_score=NAMED_AGREEMENT, exhaustive_gt=True
    )
    for true_unit, unit in comparison.hungarian_match_12.items():
        if unit in named:
            named[unit] = neurons[true_unit]
    return named


def score_tracking(tracked: Tracked, neurons: list[dict]) -> dict:
    """Score pairs and global numbers.

    Args:
        tracked: what a method says.
        neurons: for each session, unit -> neuron; None for a unit that is no neuron and so is the same as no other.

    Returns:
        Plain values, None where there is nothing to count:

        - `num_units`, `num_true_pairs` (pairs of units of two sessions that are one neuron), `num_matches`,
          `num_correct`: of the method's own matches; `recall` and `precision` of those; `num_errors`: true pairs that
          are missed and matches that are false.
        - `recall_at_1_percent_false`: largest share of the true pairs above a score above which at most 1 % of the
          pairs are false.
        - `auc`: area under the ROC curve of the score over all pairs; pairs that are left out come last.
        - `global_recall`, `global_precision`, `global_f1`: of pairs with one global number; `adjusted_rand` of the
          global numbers, a unit that is no neuron being a neuron of its own.
        - `calibration_error` (expected calibration error over 10 bins of the probability from 0.01) and
          `calibration_bins`, for each bin the number of pairs, the sum of their probabilities, and the number of those
          that are true.
    """
    pairs = _all_pairs(neurons).merge(_checked(tracked.pairs), on=PAIR_KEY, how="left")
    truth = pairs["is_true"].to_numpy()
    is_match = pairs["is_match"].eq(True).to_numpy()
    scores = {"num_units": sum(map(len, neurons)), "num_true_pairs": int(truth.sum())}
    scores |= {"num_matches": int(is_match.sum()), "num_correct": int((is_match & truth).sum())}
    scores["recall"] = _share(scores["num_correct"], scores["num_true_pairs"])
    scores["precision"] = _share(scores["num_correct"], scores["num_matches"])
    scores["num_errors"] = int((is_match != truth).sum())
    ranks = _ranks(pairs["score"].to_numpy(dtype=float))
    scores["recall_at_1_percent_false"] = _recall_at(FALSE_SHARE, ranks, truth)
    scores["auc"] = float(roc_auc_score(truth, ranks)) if 0 < truth.sum() < len(truth) else None
    scores |= _score_numbers(tracked.units, pairs, neurons)
    return scores | _calibration(pairs["probability"].to_numpy(dtype=float), truth)


def calibration_error(bins: np.ndarray | Sequence[Sequence[float]]) -> float | None:
    """Expected calibration error of bins, see `score_tracking`; those of several rows may be added up."""
    counts, probabilities, true = np.asarray(bins, dtype=float).T
    return float(np.abs(probabilities - true).sum() / counts.sum()) if counts.sum() else None


def chance_calibration_error(
    bins: np.ndarray | Sequence[Sequence[float]], *, num_draws: int = 2000, seed: int = 0
) -> float | None:
    """Mean calibration error of so few pairs if every probability were right.

    Args:
        bins: see `score_tracking`; those of several rows may be added up.
        num_draws: which pairs are true is drawn so often, by the mean probability of each bin.
        seed: of the draws.
    """
    counts, probabilities, _ = np.asarray(bins, dtype=float).T
    if not counts.sum():
        return None
    shares = np.clip(probabilities / np.maximum(counts, 1), 0, 1)
    true = np.random.default_rng(seed).binomial(counts.astype("int64"), shares, (num_draws, len(counts)))
    return float(np.abs(probabilities - true).sum(axis=1).mean() / counts.sum())


def _all_pairs(neurons: list[dict]) -> pd.DataFrame:
    rows = []
    for first, second in zip(*np.triu_indices(len(neurons), k=1)):
        for unit_a, neuron_a in neurons[first].items():
            for unit_b, neuron_b in neurons[second].items():
                is_true = neuron_a is not None and neuron_a == neuron_b
                rows.append((int(first), unit_a, int(second), unit_b, is_true))
    return pd.DataFrame(rows, columns=[*PAIR_KEY, "is_true"])


def _checked(pairs: pd.DataFrame) -> pd.DataFrame:
    if pairs.duplicated(PAIR_KEY).any() or (pairs["session_a"] >= pairs["session_b"]).any():
        raise ValueError("Every pair must be there once, the earlier session first.")
    return pairs


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Place of each score among all, the least alike 0; a score that is missing or no number comes before all."""
    order = np.unique(np.where(np.isnan(scores), -np.inf, scores), return_inverse=True)[1]
    return order.reshape(-1)


def _recall_at(false_share: float, ranks: np.ndarray, truth: np.ndarray) -> float | None:
    if not truth.any():
        return None
    # By rank from the top: pairs of equal score are taken together.
    matched, correct = (np.bincount(ranks, weights)[::-1].cumsum() for weights in (None, truth.astype(float)))
    allowed = matched - correct <= false_share * matched
    return float(correct[allowed].max(initial=0.0) / truth.sum())


def _score_numbers(units: pd.DataFrame, pairs: pd.DataFrame, neurons: list[dict]) -> dict:
    numbers = {(row.session, row.unit): row.global_unit for row in units.itertuples()}
    first = [numbers[key] for key in zip(pairs["session_a"], pairs["unit_a"])]
    second = [numbers[key] for key in zip(pairs["session_b"], pairs["unit_b"])]
    joined, truth = np.array(first) == np.array(second), pairs["is_true"].to_numpy()
    correct = int((joined & truth).sum())
    names = [
        f"neuron {neuron}" if neuron is not None else f"none {session} {unit}"
        for session, of_session in enumerate(neurons)
        for unit, neuron in of_session.items()
    ]
    found = [numbers[session, unit] for session, of_session in enumerate(neurons) for unit in of_session]
    either = int(joined.sum() + truth.sum())
    return {
        "global_recall": _share(correct, int(truth.sum())),
        "global_precision": _share(correct, int(joined.sum())),
        "global_f1": _share(2 * correct, either),
        "adjusted_rand": float(adjusted_rand_score(names, found)) if names else None,
    }


def _calibration(probabilities: np.ndarray, truth: np.ndarray) -> dict:
    counted = probabilities >= CALIBRATED_FROM
    if np.isnan(probabilities).all():
        return {"calibration_error": None, "calibration_bins": None}
    bins = np.minimum((probabilities[counted] * NUM_CALIBRATION_BINS).astype(int), NUM_CALIBRATION_BINS - 1)
    columns = [
        np.bincount(bins, weights, minlength=NUM_CALIBRATION_BINS)
        for weights in (None, probabilities[counted], truth[counted].astype(float))
    ]
    table = np.column_stack(columns).round(4).tolist()
    return {"calibration_error": calibration_error(table), "calibration_bins": table}
