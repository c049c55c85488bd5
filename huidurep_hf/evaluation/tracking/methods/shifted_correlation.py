"""Correlation of mean waveforms after the displacement of the probe is undone: the plainest method that sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..mean_waveforms import half_waveforms
from ..method_interface import number_groups, tracked_from_matrices

if TYPE_CHECKING:
    from ..method_interface import Session, Tracked

PACKAGE = "spikeinterface"

SAMPLES_BEFORE, SAMPLES_AFTER = 20, 40
DISPLACEMENTS_UM = np.arange(-400.0, 401.0, 5.0)
MATCH_CORRELATION = 0.8
"""SpikeInterface's threshold on the similarity of templates."""


def track(sessions: list[Session], folder: Path, model: str) -> Tracked:
    """For every pair of sessions the displacement at which the best one-to-one matches correlate most, and those.

    Mean waveforms of the later session are interpolated to where the contacts would be (kriging, as SpikeInterface's
    correction of motion); those that would be beyond the probe are left out on both sides. It has no probabilities.
    """
    unit_ids = [list(session.sorting.unit_ids) for session in sessions]
    waveforms = [half_waveforms(session, SAMPLES_BEFORE, SAMPLES_AFTER).mean(axis=3) for session in sessions]
    channels = sessions[0].recording.get_channel_locations()
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in unit_ids])])
    scores, matches = np.zeros((offsets[-1], offsets[-1])), []
    for first in range(len(sessions)):
        for second in range(first + 1, len(sessions)):
            correlations = _at_best_displacement(waveforms[first], waveforms[second], channels)
            scores[offsets[first] : offsets[first + 1], offsets[second] : offsets[second + 1]] = correlations
            rows, columns = linear_sum_assignment(-correlations)
            alike = correlations[rows, columns] >= MATCH_CORRELATION
            matches += zip(offsets[first] + rows[alike], offsets[second] + columns[alike])
    is_match = np.zeros(scores.shape, dtype=bool)
    if matches:
        is_match[tuple(np.transpose(matches))] = True
    return tracked_from_matrices(unit_ids, scores, is_match, number_groups(offsets[-1], matches))


def _at_best_displacement(first: np.ndarray, second: np.ndarray, channels: np.ndarray) -> np.ndarray:
    span = np.ptp(channels[:, 1])
    # Half of the probe at least sees the same tissue on both days; a probe without length sees no displacement.
    tried = DISPLACEMENTS_UM[np.abs(DISPLACEMENTS_UM) <= span / 2]
    by_displacement = [_correlations(first, second, channels, displacement) for displacement in tried]
    gains = [_total(correlations) for correlations in by_displacement]
    return by_displacement[int(np.argmax(gains))]


def _total(correlations: np.ndarray) -> float:
    rows, columns = linear_sum_assignment(-correlations)
    return np.maximum(correlations[rows, columns] - MATCH_CORRELATION, 0).sum()


def _correlations(first: np.ndarray, second: np.ndarray, channels: np.ndarray, displacement: float) -> np.ndarray:
    """Cosine of waveforms `(num_units, num_samples, num_channels)`, the second moved back by the displacement."""
    from spikeinterface.preprocessing.preprocessing_tools import get_spatial_interpolation_kernel

    there = channels + [0.0, displacement]
    kernel = get_spatial_interpolation_kernel(channels, there, method="kriging", dtype="float64")
    seen = (there[:, 1] >= channels[:, 1].min()) & (there[:, 1] <= channels[:, 1].max())
    moved = (second @ kernel)[:, :, seen].reshape(len(second), -1)
    still = first[:, :, seen].reshape(len(first), -1)
    norms = np.linalg.norm(still, axis=1)[:, None] * np.linalg.norm(moved, axis=1)[None]
    # What is left of a unit beyond the edge is noise: it must keep half of its energy.
    kept = np.minimum(*np.ix_(_kept(first, seen), _kept_of(moved, second))) >= 0.5
    return np.where(kept & (norms > 0), still @ moved.T / np.maximum(norms, 1e-12), 0.0)


def _kept(waveforms: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return (waveforms[:, :, seen] ** 2).sum(axis=(1, 2)) / (waveforms**2).sum(axis=(1, 2))


def _kept_of(moved: np.ndarray, waveforms: np.ndarray) -> np.ndarray:
    return (moved**2).sum(axis=1) / (waveforms**2).sum(axis=(1, 2))
