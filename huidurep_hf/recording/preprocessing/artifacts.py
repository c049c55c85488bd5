"""Blank what is far too large, on far too many channels, to be a neuron: stimulation, movement, electrical knocks.

A few of them spoil a sort: they are detected, ring in the filter, and make units of their own and templates that
match others' spikes.
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..blocks import Block, read_with_margin
from ..parameters import PreparationParameters
from ..settings import ArtifactSettings, StepSettings
from .steps import baseline_steps, find_candidates, is_step, reach

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


logger = logging.getLogger("huidurep_hf")

# Why a period is blanked.
ARTIFACT, STEP, EXCLUDED, GIVEN_TIME = "artifact", "baseline step", "excluded", "artifact time"


def find_artifact_samples(traces: np.ndarray, noise_levels: np.ndarray, settings: ArtifactSettings) -> np.ndarray:
    """Find samples that are too large, of whatever sign, on many channels at once.

    Args:
        traces: `(num_samples, num_channels)` of one block, filtered.
        noise_levels: `(num_channels,)` SD of the noise, in the unit of the traces.
        settings: [`~huidurep_hf.recording.settings.ArtifactSettings`].

    Returns:
        `(num_found,)` int64 rows.
    """
    num_channels, threshold = len(noise_levels), settings.artifact_threshold
    needed = max(settings.min_artifact_channels, math.ceil(settings.min_artifact_share * num_channels))
    if threshold == 0 or num_channels < settings.min_artifact_channels:
        return np.zeros(0, dtype="int64")
    is_large = np.abs(traces) > threshold * noise_levels
    return np.flatnonzero(is_large.sum(axis=1) >= needed)


def find_step_samples(
    filtered: np.ndarray,
    block: Block,
    unfiltered: BaseRecording,
    noise_levels: np.ndarray,
    usual: np.ndarray,
    settings: StepSettings,
) -> np.ndarray:
    """Find steps of the baseline on most channels at once.

    Args:
        filtered: `(num_samples, num_channels)` traces of the block, after the band-pass.
        block: the block.
        unfiltered: SpikeInterface recording of the same channels without band-pass.
        noise_levels: `(num_channels,)` SD of the noise of the filtered traces.
        usual: `(num_channels,)` SD of the steps that are there at any time.
        settings: [`~huidurep_hf.recording.settings.StepSettings`].

    Returns:
        `(num_found,)` int64 samples of the segment.
    """
    rate = unfiltered.get_sampling_frequency()
    rows = find_candidates(filtered, noise_levels, rate, settings)
    if len(rows) == 0:
        return np.zeros(0, dtype="int64")
    margin = reach(rate, settings)
    traces, start = read_with_margin(unfiltered, block, margin)
    places = rows + block.start - start
    is_inside = (places >= margin) & (places < len(traces) - margin)
    rows, places = rows[is_inside], places[is_inside]
    # A large spike beside a small one bends the lines that the step is measured by.
    near = np.clip(rows[:, None] + np.arange(-margin, margin + 1), 0, len(filtered) - 1)
    deflections = np.abs(filtered[near]).max(axis=1, initial=0)
    steps = baseline_steps(traces, places, rate, settings)
    return block.start + rows[is_step(steps, deflections, usual, settings)]


@dataclass(frozen=True)
class Blanking:
    """What is set to zero.

    Attributes:
        periods: structured array of SpikeInterface's periods (`segment_index`, `start_sample_index`,
            `end_sample_index`), in order and apart.
        blanked: `(segment, start, stop, reason)` of each, before those that touch are joined.
        steps: what is done, in words.
    """

    periods: np.ndarray
    blanked: list[tuple[int, int, int, str]]
    steps: list[str]


def choose_blanking(
    recording: BaseRecording,
    artifact_samples: list[list[np.ndarray]],
    step_samples: list[list[np.ndarray]],
    given: list[tuple[int, int, int, str]],
    parameters: PreparationParameters,
) -> Blanking:
    """Combine artifacts and steps that were found, with a margin around each, and the periods that the user gives.

    Args:
        recording: SpikeInterface recording in which they were found.
        artifact_samples, step_samples: for each segment arrays of samples, in order.
        given: of [`given_periods`].
        parameters: [`~huidurep_hf.recording.parameters.PreparationParameters`].

    Returns:
        [`Blanking`]. Where artifacts would take too much of the recording, none is blanked, with a warning.
    """
    total = recording.get_total_samples()
    blanked, steps = list(given), []
    for reason in dict.fromkeys(reason for *_, reason in given):
        own = [stop - start for _, start, stop, other in given if other == reason]
        steps.append(f"blanked {len(own)} periods ({reason}): {100 * sum(own) / total:.2g} % of the recording")
    settings = parameters.artifacts
    threshold, percent = settings.artifact_threshold, 100 * settings.min_artifact_share
    kinds = [
        (artifact_samples, ARTIFACT, f"above {threshold:g} SDs on {percent:g} % of the channels"),
        (step_samples, STEP, f"on {100 * parameters.steps.min_step_share:g} % of the channels at once"),
    ]
    margin_ms = settings.artifact_margin_ms
    margin = round(margin_ms * 1e-3 * recording.get_sampling_frequency())
    for samples, reason, meaning in kinds:
        found = [
            period
            for segment, own in enumerate(samples)
            for period in _periods(
                recording, segment, np.concatenate([np.zeros(0, dtype="int64"), *own]), reason, margin
            )
        ]
        share = sum(stop - start for _, start, stop, _ in found) / total
        if share > settings.max_blanked_share:
            logger.warning(
                "%d %ss (%s) would take %.0f %% of the time, so none is blanked. Remove them first, by "
                "spikeinterface.preprocessing.remove_artifacts for example.",
                len(found),
                reason,
                meaning,
                100 * share,
            )
        elif found:
            blanked += found
            step = f"blanked {len(found)} {reason}s ({meaning}, {margin_ms:g} ms around each): {100 * share:.2g} %"
            steps.append(step + " of the recording")
            logger.warning("%s", steps[-1][0].upper() + steps[-1][1:])
    return Blanking(_joined(blanked), sorted(blanked), steps)


def given_periods(
    recording: BaseRecording, segment_indices: np.ndarray, settings: ArtifactSettings
) -> list[tuple[int, int, int, str]]:
    """Read the periods that the user wants to be left out.

    Args:
        recording: SpikeInterface recording of the segments that are used.
        segment_indices: `(num_segments,)` index of each in the original recording, which the user counts by.
        settings: `exclude` and `artifact_times`.

    Returns:
        `(segment, start, stop, reason)` of each, samples.

    Raises:
        ValueError: a period or file that cannot be read, or a time that is not in the recording.
    """
    rate, periods = recording.get_sampling_frequency(), []
    place = {int(original): own for own, original in enumerate(segment_indices)}

    def add(segment: int, start_s: float, stop_s: float, reason: str, given: str) -> None:
        if segment not in place:
            raise ValueError(f"Got {given}; the recording has no segment {segment} that is long enough.")
        duration_s = recording.get_num_samples(place[segment]) / rate
        if not 0 <= start_s < stop_s or start_s >= duration_s:
            raise ValueError(f"Got {given}; give times in s within the segment, which lasts {duration_s:g} s.")
        stop = min(int(np.ceil(stop_s * rate)), recording.get_num_samples(place[segment]))
        periods.append((place[segment], int(start_s * rate), stop, reason))

    for text in filter(None, (one.strip() for one in settings.exclude.split(","))):
        match = re.fullmatch(r"(?:(\d+):)?\s*([\d.eE+]+)\s*-\s*([\d.eE+]+)", text)
        if match is None:
            raise ValueError(f"Got exclude={text!r}; write periods in s as 12.5-13.0, or 1:12.5-13.0 in segment 1.")
        segment, start_s, stop_s = int(match[1] or 0), float(match[2]), float(match[3])
        add(segment, start_s, stop_s, EXCLUDED, f"exclude={text!r}")
    if settings.artifact_times:
        before_s, after_s = 1e-3 * settings.artifact_ms_before, 1e-3 * settings.artifact_ms_after
        for segment, time_s in _read_times(Path(settings.artifact_times)):
            given = f"the time {time_s:g} s of segment {segment} in {settings.artifact_times}"
            add(segment, max(time_s - before_s, 0.0), time_s + after_s, GIVEN_TIME, given)
    return periods


def _read_times(path: Path) -> list[tuple[int, float]]:
    """Segment and time, s; of the first segment where the file has one column."""
    try:
        times = (
            np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, ndmin=1, delimiter=None)
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"Cannot read artifact_times={str(path)!r} ({error}); give one time in s a line.") from error
    times = np.asarray(times, dtype="float64")
    if times.ndim < 2 or times.shape[1] == 1:
        return [(0, time_s) for time_s in times.ravel()]
    if times.shape[1] != 2 or (times[:, 0] % 1 != 0).any():
        raise ValueError(
            f"artifact_times={str(path)!r} has {times.shape[1]} columns, the first of {times[0, 0]:g}, ...; give one"
            " column of times in s, or two: segment (0, 1, ...) and time."
        )
    return [(int(segment), time_s) for segment, time_s in times]


def _periods(
    recording: BaseRecording, segment: int, samples: np.ndarray, reason: str, margin: int
) -> list[tuple[int, int, int, str]]:
    """Combine samples, in order, of which the surroundings, `margin` samples on both sides, touch."""
    starts = samples[np.diff(samples, prepend=-np.inf) > 2 * margin] - margin
    stops = samples[np.diff(samples, append=np.inf) > 2 * margin] + margin + 1
    num_samples = recording.get_num_samples(segment)
    return [(segment, max(int(start), 0), min(int(stop), num_samples), reason) for start, stop in zip(starts, stops)]


def _joined(blanked: list[tuple[int, int, int, str]]) -> np.ndarray:
    """SpikeInterface's periods, in order, those that touch as one."""
    from spikeinterface.core.base import base_period_dtype

    joined = []
    for segment, start, stop, _ in sorted(blanked):
        if joined and joined[-1][0] == segment and start <= joined[-1][2]:
            joined[-1][2] = max(joined[-1][2], stop)
        else:
            joined.append([segment, start, stop])
    periods = np.zeros(len(joined), dtype=base_period_dtype)
    for name, values in zip(("segment_index", "start_sample_index", "end_sample_index"), np.array(joined).T):
        periods[name] = values
    return periods
