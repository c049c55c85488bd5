"""What every method is given, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from spikeinterface.core import BaseRecording, BaseSorting

PAIR_COLUMNS = ("session_a", "unit_a", "session_b", "unit_b", "probability", "score", "is_match")
UNIT_COLUMNS = ("session", "unit", "global_unit")


class Session(NamedTuple):
    """A recording and the sorting of its units, of one segment."""

    recording: BaseRecording
    sorting: BaseSorting


@dataclass(frozen=True)
class Tracked:
    """Units followed across sessions.

    Attributes:
        pairs: a row per pair of units of two sessions, `session_a` before `session_b` (places in the list of
            sessions): `PAIR_COLUMNS`. `score` is larger for units that are more alike, `probability` of being one
            neuron is NaN where a method has none. Pairs that a method refuses outright may be left out.
        units: a row per unit: `UNIT_COLUMNS`. Units of one global number are said to be one neuron.
    """

    pairs: pd.DataFrame
    units: pd.DataFrame


def tracked_from_matrices(
    unit_ids: Sequence[Sequence[int | str]],
    scores: np.ndarray,
    is_match: np.ndarray,
    global_units: np.ndarray,
    probabilities: np.ndarray | None = None,
) -> Tracked:
    """Tables from matrices over all units of all sessions.

    Args:
        unit_ids: for each session, its unit ids.
        scores, is_match: `(num_units, num_units)` over the units of all sessions, in their order; symmetric.
        global_units: `(num_units,)`.
        probabilities: as the scores; None if the method has none.
    """
    sessions = np.repeat(np.arange(len(unit_ids)), [len(ids) for ids in unit_ids])
    units = np.concatenate([np.asarray(ids) for ids in unit_ids])
    first, second = np.nonzero(sessions[:, None] < sessions[None])
    pairs = pd.DataFrame(
        {
            "session_a": sessions[first],
            "unit_a": units[first],
            "session_b": sessions[second],
            "unit_b": units[second],
            "probability": np.nan if probabilities is None else probabilities[first, second],
            "score": scores[first, second],
            "is_match": is_match[first, second].astype(bool),
        }
    )
    return Tracked(pairs, pd.DataFrame({"session": sessions, "unit": units, "global_unit": global_units}))


def number_groups(num_units: int, matches: np.ndarray) -> np.ndarray:
    """Global numbers `(num_units,)` of units joined by matches `(num_matches, 2)`, directly or through others."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    matches = np.asarray(matches, dtype=int).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(matches)), matches.T), shape=(num_units, num_units))
    return connected_components(graph, directed=False)[1]
