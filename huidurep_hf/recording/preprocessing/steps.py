"""Steps of the baseline on most wires at once, as light makes them on metal: found, so that no spikes are made of them.

A spike leaves the baseline where it was. A step does not, and after the band-pass it looks like a spike on all wires.
"""

from __future__ import annotations

import numpy as np

from ..settings import StepSettings
from .noise_sample import SD_PER_MAD, column_medians


def baseline_steps(traces: np.ndarray, places: np.ndarray, sampling_rate: float, settings: StepSettings) -> np.ndarray:
    """Measure the step of the baseline at some places.

    Args:
        traces: `(num_samples, num_channels)` without band-pass.
        places: `(num_places,)` rows, each [`reach`] or more from the ends.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.recording.settings.StepSettings`].

    Returns:
        `(num_places, num_channels)` float32: where a line through what follows is, less one through what came before; 0
        where the medians of both sides do not differ as much.
    """
    before, after = _both_sides(traces, places, sampling_rate, settings)
    steps = _between_lines(before, after, settings)
    of_medians = np.median(after, axis=1) - np.median(before, axis=1)
    is_of_medians = of_medians * np.sign(steps) >= settings.min_step_median_share * np.abs(steps)
    return np.where(is_of_medians, steps, 0).astype("float32")


def _both_sides(
    traces: np.ndarray, places: np.ndarray, sampling_rate: float, settings: StepSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Samples before and after each place, the nearest first, each `(num_places, num_offsets, num_channels)`."""
    gap, width = (max(round(ms * 1e-3 * sampling_rate), 1) for ms in (settings.step_gap_ms, settings.step_fit_ms))
    offsets = np.arange(gap, width)
    return traces[places[:, None] - offsets], traces[places[:, None] + offsets]


def _between_lines(before: np.ndarray, after: np.ndarray, settings: StepSettings) -> np.ndarray:
    """Where a line through each side meets the place, the difference, `(num_places, num_channels)`."""
    # In units of the side's width; it begins at the gap.
    width, gap_ms, fit_ms = before.shape[1], settings.step_gap_ms, settings.step_fit_ms
    offsets = gap_ms / (fit_ms - gap_ms) + np.arange(width) / width
    design = np.stack([np.ones(width), offsets], axis=1)
    # Weights of the samples in the line's value at the place itself.
    weights = np.linalg.pinv(design)[0].astype("float32")
    return np.einsum("k,pkc->pc", weights, after) - np.einsum("k,pkc->pc", weights, before)


def reach(sampling_rate: float, settings: StepSettings) -> int:
    """Samples that are needed on both sides of a place."""
    return max(round(settings.step_fit_ms * 1e-3 * sampling_rate), 1) + 1


def usual_steps(stretches: list[np.ndarray], sampling_rate: float, settings: StepSettings) -> np.ndarray:
    """SD (median absolute deviation) of the steps at any time, `(num_channels,)` float32.

    Args:
        stretches: each `(num_samples, num_channels)`, without band-pass.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.recording.settings.StepSettings`].
    """
    margin, found = reach(sampling_rate, settings), []
    for traces in stretches:
        if len(traces) > 2 * margin:
            places = np.linspace(margin, len(traces) - margin - 1, settings.step_places_per_stretch).astype("int64")
            found.append(_between_lines(*_both_sides(traces, places, sampling_rate, settings), settings))
    if not found:
        return np.full(stretches[0].shape[1] if stretches else 0, np.inf, dtype="float32")
    return (SD_PER_MAD * column_medians(np.abs(np.concatenate(found)))).astype("float32")


def find_candidates(
    filtered: np.ndarray, noise_levels: np.ndarray, sampling_rate: float, settings: StepSettings
) -> np.ndarray:
    """Find where most channels pass a threshold at once, `(num_found,)` int64 rows, the largest of those together.

    Args:
        filtered: `(num_samples, num_channels)` after the band-pass.
        noise_levels: `(num_channels,)` SD of its noise.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.recording.settings.StepSettings`].
    """
    apart = max(round(settings.step_apart_ms * 1e-3 * sampling_rate), 1)
    size = np.abs(filtered) / np.maximum(noise_levels, 1e-12)
    is_large = (size > settings.step_threshold).mean(axis=1) >= settings.min_step_share
    rows = np.flatnonzero(is_large)
    groups = np.split(rows, np.flatnonzero(np.diff(rows) > apart) + 1) if len(rows) else []
    return np.array([group[size[group].sum(axis=1).argmax()] for group in groups], dtype="int64")


def is_step(steps: np.ndarray, deflections: np.ndarray, usual: np.ndarray, settings: StepSettings) -> np.ndarray:
    """Tell steps from spikes, `(num_places,)` bool.

    Args:
        steps: `(num_places, num_channels)` of the baseline, of [`baseline_steps`].
        deflections: `(num_places, num_channels)` largest absolute values after the band-pass.
        usual: `(num_channels,)` of [`usual_steps`].
        settings: [`~huidurep_hf.recording.settings.StepSettings`].
    """
    size = np.abs(steps)
    is_large = (size > settings.min_relative_step * deflections) & (size > settings.min_step_deviations * usual)
    up, down = ((is_large & (sign * steps > 0)).mean(axis=1) for sign in (1, -1))
    return np.maximum(up, down) >= settings.min_step_share
