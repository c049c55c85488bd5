"""From probabilities of pairs to neurons over all sessions."""

from __future__ import annotations

import heapq

import numpy as np

# No pair of sessions alone decides, however sure it is, and no more does one that was not near enough to be compared.
MAX_LOG_ODDS = 7.0


def log_odds_of(probabilities: np.ndarray) -> np.ndarray:
    """Log odds, limited to ±7."""
    limited = np.clip(np.asarray(probabilities, dtype="float64"), 1e-9, 1 - 1e-9)
    return np.clip(np.log(limited / (1 - limited)), -MAX_LOG_ODDS, MAX_LOG_ODDS)


def link_sessions(
    sessions: np.ndarray,
    pairs: np.ndarray,
    probabilities: np.ndarray,
    is_compared: np.ndarray,
    min_probability: float,
) -> np.ndarray:
    """Number the neurons over all sessions: average linkage under the constraint of one unit a session.

    Groups of units are joined as long as the mean log odds over all pairs of units of the two groups, of sessions that
    were compared, are those of `min_probability` or more. So a chain of weak links joins nothing, and a neuron that is
    missing in a session is found again in a later one.

    Args:
        sessions: `(num_units,)` of each unit.
        pairs: `(num_pairs, 2)` units that were compared, by their rows in `sessions`.
        probabilities: `(num_pairs,)`; pairs that are not listed, of sessions that were compared, have none.
        is_compared: `(num_sessions, num_sessions)` bool.
        min_probability: of two groups to be joined.

    Returns:
        `(num_units,)` int64 group of each unit, from 0 in the order of their first units.
    """
    num_units = len(sessions)
    threshold = float(log_odds_of(np.array([min_probability]))[0])
    members = {unit: [unit] for unit in range(num_units)}
    # For each group: other group -> sum of log odds, and number of pairs of units listed.
    links: list[dict] = [{} for _ in range(num_units)]
    values = log_odds_of(probabilities)
    # A pair far below the threshold is as good as one that is not listed.
    for (first, second), value in zip(pairs[values > -MAX_LOG_ODDS].tolist(), values[values > -MAX_LOG_ODDS].tolist()):
        links[first][second] = links[second][first] = value + MAX_LOG_ODDS
    held = [{int(session)} for session in sessions]

    def mean(first: int, second: int) -> float:
        if held[first] & held[second]:
            return -np.inf
        rows, columns = list(held[first]), list(held[second])
        num_pairs = int(is_compared[np.ix_(rows, columns)].sum())
        return links[first][second] / num_pairs - MAX_LOG_ODDS if num_pairs else -np.inf

    version = [0] * num_units
    queue = []

    def push(first: int, second: int) -> None:
        value = mean(first, second)
        if value >= threshold:
            heapq.heappush(queue, (-value, *sorted((first, second)), version[first] + version[second]))

    for first in range(num_units):
        for second in links[first]:
            if first < second:
                push(first, second)
    while queue:
        _, first, second, stamp = heapq.heappop(queue)
        if first not in members or second not in members or stamp != version[first] + version[second]:
            continue
        members[first] += members.pop(second)
        held[first] |= held[second]
        version[first] += version[second] + 1
        for other, value in links[second].items():
            del links[other][second]
            if other != first:
                total = links[first].get(other, 0.0) + value
                links[first][other] = links[other][first] = total
        links[second] = {}
        for other in links[first]:
            push(first, other)
    groups = np.zeros(num_units, dtype="int64")
    for number, group in enumerate(sorted(members.values(), key=min)):
        groups[group] = number
    return groups
