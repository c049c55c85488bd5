"""Steps of the baseline on most wires at once, as light makes them on metal: found, so that no spikes are made of them.

A spike leaves the baseline where it was. A step does not, and after the band-pass it looks like a spike on all wires.
"""

from __future__ import annotations

import numpy as np

from .noise_sample import SD_PER_MAD, column_medians

# The baseline before and after is a line through so much of it on either side, without what lies next to the step.
FIT_MS, GAP_MS = 8.0, 1.5
# Share of the channels that must show it, all in one direction.
MIN_SHARE = 0.75
# A step is this large, of its deflection after the band-pass; a spike's after-potential is less than a fifth.
MIN_RELATIVE_STEP = 0.8
# And this many SDs of the steps that are there at any time, such as slow potentials make them.
MIN_DEVIATIONS = 5.0
# The medians of both sides differ by this share of it at least; a large spike beside the place bends the line alone.
MIN_MEDIAN_SHARE = 0.4
PLACES_PER_STRETCH = 10


def baseline_steps(traces: np.ndarray, places: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Measure the step of the baseline at some places.

    Args:
        traces: `(num_samples, num_channels)` without band-pass.
        places: `(num_places,)` rows, each [`reach`] or more from the ends.
        sampling_rate: Hz.

    Returns:
        `(num_places, num_channels)` float32: where a line through what follows is, less one through what came before; 0
        where the medians of both sides do not differ as much.
    """
    before, after = _both_sides(traces, places, sampling_rate)
    steps = _between_lines(before, after)
    of_medians = np.median(after, axis=1) - np.median(before, axis=1)
    return np.where(of_medians * np.sign(steps) >= MIN_MEDIAN_SHARE * np.abs(steps), steps, 0).astype("float32")


def _both_sides(traces: np.ndarray, places: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples before and after each place, the nearest first, each `(num_places, num_offsets, num_channels)`."""
    gap, width = (max(round(ms * 1e-3 * sampling_rate), 1) for ms in (GAP_MS, FIT_MS))
    offsets = np.arange(gap, width)
    return traces[places[:, None] - offsets], traces[places[:, None] + offsets]


def _between_lines(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where a line through each side meets the place, the difference, `(num_places, num_channels)`."""
    # In units of the side's width; it begins at the gap.
    width = before.shape[1]
    offsets = GAP_MS / (FIT_MS - GAP_MS) + np.arange(width) / width
    design = np.stack([np.ones(width), offsets], axis=1)
    # Weights of the samples in the line's value at the place itself.
    weights = np.linalg.pinv(design)[0].astype("float32")
    return np.einsum("k,pkc->pc", weights, after) - np.einsum("k,pkc->pc", weights, before)


def reach(sampling_rate: float) -> int:
    """Samples that are needed on both sides of a place."""
    return max(round(FIT_MS * 1e-3 * sampling_rate), 1) + 1


def usual_steps(stretches: list[np.ndarray], sampling_rate: float) -> np.ndarray:
    """SD (median absolute deviation) of the steps at any time, `(num_channels,)` float32.

    Args:
        stretches: each `(num_samples, num_channels)`, without band-pass.
        sampling_rate: Hz.
    """
    margin, found = reach(sampling_rate), []
    for traces in stretches:
        if len(traces) > 2 * margin:
            places = np.linspace(margin, len(traces) - margin - 1, PLACES_PER_STRETCH).astype("int64")
            found.append(_between_lines(*_both_sides(traces, places, sampling_rate)))
    if not found:
        return np.full(stretches[0].shape[1] if stretches else 0, np.inf, dtype="float32")
    return (SD_PER_MAD * column_medians(np.abs(np.concatenate(found)))).astype("float32")


def find_candidates(filtered: np.ndarray, noise_levels: np.ndarray, threshold: float, apart: int) -> np.ndarray:
    """Find where most channels pass a threshold at once, `(num_found,)` int64 rows, the largest within each `apart`.

    Args:
        filtered: `(num_samples, num_channels)` after the band-pass.
        noise_levels: `(num_channels,)` SD of its noise.
        threshold: in SDs of the noise.
        apart: samples.
    """
    size = np.abs(filtered) / np.maximum(noise_levels, 1e-12)
    is_large = (size > threshold).mean(axis=1) >= MIN_SHARE
    rows = np.flatnonzero(is_large)
    groups = np.split(rows, np.flatnonzero(np.diff(rows) > apart) + 1) if len(rows) else []
    return np.array([group[size[group].sum(axis=1).argmax()] for group in groups], dtype="int64")


def is_step(steps: np.ndarray, deflections: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Tell steps from spikes, `(num_places,)` bool.

    Args:
        steps: `(num_places, num_channels)` of the baseline, of [`baseline_steps`].
        deflections: `(num_places, num_channels)` largest absolute values after the band-pass.
        usual: `(num_channels,)` of [`usual_steps`].
    """
    is_large = (np.abs(steps) > MIN_RELATIVE_STEP * deflections) & (np.abs(steps) > MIN_DEVIATIONS * usual)
    up, down = ((is_large & (sign * steps > 0)).mean(axis=1) for sign in (1, -1))
    return np.maximum(up, down) >= MIN_SHARE
