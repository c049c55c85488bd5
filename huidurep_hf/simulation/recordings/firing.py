"""When units fire: Poisson trains, and the bursts and synchrony that may be laid over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REFRACTORY_MS = 2.5


@dataclass(frozen=True)
class FiringPattern:
    """Bursts of single units and synchrony of neighbouring ones.

    An event is a burst or a lone spike; the events of a unit form a Poisson train.

    Attributes:
        burst_probability: of an event to be a burst.
        burst_spikes: fewest and most spikes of a burst, drawn evenly.
        burst_interval_ms: range of the intervals within a burst; at least the dead time of 2.5 ms.
        burst_end_amplitude: range of the amplitude of a burst's last spike over that of its first; it falls evenly.
        synchrony: share of a unit's events that belong to the common train of its group.
        group_size: so many neighbouring units along the probe share a common train.
        synchrony_jitter_ms: events of one common moment lie at most this far from it.
    """

    burst_probability: float = 0.3
    burst_spikes: tuple[int, int] = (2, 6)
    burst_interval_ms: tuple[float, float] = (3.0, 8.0)
    burst_end_amplitude: tuple[float, float] = (0.6, 0.8)
    synchrony: float = 0.4
    group_size: int = 4
    synchrony_jitter_ms: float = 0.4


def poisson_times(rate_hz: float, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Times (s) of a Poisson train with a dead time of 2.5 ms, over the duration and a little beyond."""
    # Three standard deviations and ten more than expected are always enough in practice; the loop makes it sure.
    expected, times = rate_hz * duration_s, np.zeros(1)
    while times[-1] < duration_s:
        waits = rng.exponential(1 / rate_hz - REFRACTORY_MS / 1000, int(expected + 3 * np.sqrt(expected)) + 10)
        times = np.append(times, times[-1] + np.cumsum(waits + REFRACTORY_MS / 1000))
    return times


def patterned_times(
    rates_hz: np.ndarray, depths_um: np.ndarray, duration_s: float, pattern: FiringPattern, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Trains of units that burst and fire in synchrony with their neighbours.

    Args:
        rates_hz: `(num_units,)`, of each unit's events.
        depths_um: `(num_units,)`, where the units lie along the probe; neighbours form the groups.
        duration_s: length; times may lie beyond it.
        pattern: of bursts and synchrony.
        rng: source of the trains.

    Returns:
        For each unit its spike times in s, rising, no two within the dead time of 2.5 ms, and for each spike the
        factor on its amplitude.
    """
    spikes = [_burst(events, pattern, rng) for events in _synchronous(rates_hz, depths_um, duration_s, pattern, rng)]
    return [times for times, _ in spikes], [amplitudes for _, amplitudes in spikes]


def _synchronous(
    rates: np.ndarray, depths: np.ndarray, duration_s: float, pattern: FiringPattern, rng: np.random.Generator
) -> list[np.ndarray]:
    """Events of each unit: its own, and those that it takes from the common train of its group."""
    events = [np.empty(0)] * len(rates)
    order = np.argsort(depths, kind="stable")
    for first in range(0, len(order), pattern.group_size):
        group = order[first : first + pattern.group_size]
        fastest = rates[group].max()
        common = _thinned(poisson_times(fastest, duration_s, rng), pattern.synchrony, rng)
        for unit in group:
            own = _thinned(poisson_times(rates[unit], duration_s, rng), 1 - pattern.synchrony, rng)
            taken = _thinned(common, rates[unit] / fastest, rng)
            taken = taken + rng.uniform(-1, 1, len(taken)) * pattern.synchrony_jitter_ms / 1000
            events[unit] = np.sort(np.concatenate([own, taken]))
    return events


def _thinned(times: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return times[rng.random(len(times)) < share]


def _burst(events: np.ndarray, pattern: FiringPattern, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turn some events into bursts; return times and amplitudes of all spikes."""
    is_burst = rng.random(len(events)) < pattern.burst_probability
    lengths = np.where(is_burst, rng.integers(*pattern.burst_spikes, len(events), endpoint=True), 1)
    event = np.repeat(np.arange(len(events)), lengths)
    place = np.arange(len(event)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    intervals = rng.uniform(*pattern.burst_interval_ms, len(event)) / 1000
    intervals[place == 0] = 0
    elapsed = np.cumsum(intervals)
    times = events[event] + elapsed - elapsed[place == 0][event]
    fall = 1 - rng.uniform(*pattern.burst_end_amplitude, len(events))
    amplitudes = 1 - fall[event] * place / np.maximum(lengths[event] - 1, 1)
    order = np.argsort(times, kind="stable")
    kept = order[_outside_dead_time(times[order])]
    return times[kept], amplitudes[kept]


def _outside_dead_time(times: np.ndarray) -> list[int]:
    """Indices of the spikes that remain when each silences those that follow it too closely."""
    kept, last = [], -np.inf
    for index, time in enumerate(times):
        if time - last >= REFRACTORY_MS / 1000:
            kept.append(index)
            last = time
    return kept
