"""Displacements of all pairs of sessions, and the place of each session that follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..sorting.output.fingerprint_table import UnitFingerprints
from .comparison import compare_sessions
from .displacement import Displacement, find_displacement, is_sure, search_displacement
from .settings import TrackingSettings
from .similarity import Seen


def find_displacements(
    tables: Sequence[UnitFingerprints],
    seen: Sequence[Seen],
    pairs: Sequence[tuple[int, int]],
    settings: TrackingSettings,
) -> dict[tuple[int, int], Displacement]:
    """Displacement of each pair of sessions: by the vote, or by a search where no sure votes tell.

    A search takes some thirty times as long as a vote. Where two sessions are connected by sure votes of other pairs,
    and each is in several of them, their own unsure vote is left as it is and counts little: over many days most pairs
    of sessions have hardly a neuron in common. A session with few sure votes is searched all the same, as one of them
    may be wrong. Pairs that are nearest in time are searched first, and what they find counts for others, too.

    Args:
        tables: fingerprints of the sessions.
        seen: the same units, as they are compared.
        pairs: of sessions.
        settings: [`~huidurep_hf.tracking.settings.TrackingSettings`].
    """
    found = {(a, b): find_displacement(tables[a], tables[b], settings) for a, b in pairs}
    group, num_sure = np.arange(len(tables)), np.zeros(len(tables), dtype=int)
    unsure = []

    def connect(pair: tuple[int, int]) -> None:
        group[group == group[pair[1]]] = group[pair[0]]
        num_sure[list(pair)] += 1

    for pair, vote in found.items():
        if not np.isfinite(vote.error_um):
            continue
        if is_sure(vote, *_compared(pair, seen, settings), settings):
            connect(pair)
        else:
            unsure.append(pair)
    failures: Counter[frozenset] = Counter()
    num_failures = np.zeros(len(tables), dtype=int)
    for pair in sorted(unsure, key=lambda pair: (pair[1] - pair[0], pair)):
        groups, own = frozenset(group[list(pair)].tolist()), list(pair)
        is_apart = len(groups) == 2 and failures[groups] < settings.max_searches
        is_weak = (num_sure[own] < settings.min_sure_votes) & (num_failures[own] < settings.max_searches)
        if not is_apart and not is_weak.any():
            error_um = max(found[pair].error_um, settings.refinement_reach_um)
            found[pair] = replace(found[pair], error_um=error_um)
            continue
        found[pair] = search_displacement(found[pair], *_compared(pair, seen, settings), settings)
        if found[pair].error_um < settings.refinement_reach_um:
            connect(pair)
        else:
            failures[groups] += 1
            num_failures[own] += 1
    return found


def placed_together(
    displacements: dict[tuple[int, int], Displacement], num_sessions: int, settings: TrackingSettings
) -> np.ndarray:
    """Which sessions have a sure place against each other, `(num_sessions, num_sessions)` bool.

    Sessions that sure displacements connect, also by way of others; and pairs that can show no displacement.

    Args:
        displacements: of pairs of sessions.
        num_sessions: how many sessions there are.
        settings: [`~huidurep_hf.tracking.settings.TrackingSettings`].
    """
    sure = [pair for pair, found in displacements.items() if found.error_um < settings.refinement_reach_um]
    group = _connected(sure, num_sessions)
    is_placed = group[:, None] == group[None, :]
    for (first, second), found in displacements.items():
        if not np.isfinite(found.error_um):
            is_placed[first, second] = is_placed[second, first] = True
    return is_placed


def _connected(pairs: Sequence[tuple[int, int]], num_sessions: int) -> np.ndarray:
    """Group of each session `(num_sessions,)`: sessions that pairs connect, also by way of others."""
    from scipy.sparse.csgraph import connected_components

    is_connected = np.zeros((num_sessions, num_sessions), dtype=bool)
    for pair in pairs:
        is_connected[pair] = True
    return connected_components(is_connected, directed=False)[1]


def _compared(
    pair: tuple[int, int], seen: Sequence[Seen], settings: TrackingSettings
) -> tuple[Callable[[float], np.ndarray], int]:
    """Two sessions compared: probabilities of their pairs of units by displacement, and units of the smaller one."""
    first, second = (seen[session] for session in pair)

    def probabilities_at(um: float) -> np.ndarray:
        return compare_sessions(first, second, um, settings).probabilities

    return probabilities_at, min(len(first), len(second))


def place_sessions(displacements: dict[tuple[int, int], Displacement], num_sessions: int) -> np.ndarray:
    """Place of each session `(num_sessions,)` µm, the first at 0, by least squares over all pairs that tell.

    Sessions that no pair connects with the first are placed among themselves, the earliest of them at 0.

    Args:
        displacements: of pairs of sessions.
        num_sessions: how many sessions there are.

    Pairs that do not fit the others lose their weight (iteratively reweighted, Huber 1981).
    """
    offsets = np.zeros(num_sessions)
    known = [(pair, found) for pair, found in displacements.items() if np.isfinite(found.error_um)]
    if not known:
        return offsets
    first, second = np.array([pair for pair, _ in known]).T
    values = np.array([found.um for _, found in known])
    errors = np.array([found.error_um for _, found in known])
    design = np.zeros((len(known) + num_sessions, num_sessions))
    rows = np.arange(len(known))
    design[rows, second], design[rows, first] = 1, -1
    # Each group of connected sessions could be anywhere: weakly, its mean is held.
    design[len(known) :] = 1e-3 * np.eye(num_sessions)
    target = np.append(values, np.zeros(num_sessions))
    factors = np.ones(len(known))
    for _ in range(20):
        root = np.append(np.sqrt(factors) / errors, np.ones(num_sessions))
        offsets = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        residuals = np.abs(values - (offsets[second] - offsets[first])) / errors
        factors = 1 / np.maximum(residuals / 2, 1)
    group = _connected([pair for pair, _ in known], num_sessions)
    earliest = np.unique(group, return_index=True)[1]
    return offsets - offsets[earliest][group]
