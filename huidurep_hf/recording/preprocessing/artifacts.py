"""Blank what is far too large, on far too many channels, to be a neuron: stimulation, movement, electrical knocks.

A few of them spoil a sort: they are detected, ring in the filter, and make units of their own and templates that
match others' spikes.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..blocks import Block, read_with_margin
from ..settings import PreprocessingSettings
from .steps import MIN_SHARE, baseline_steps, find_candidates, is_step, reach

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


logger = logging.getLogger("huidurep_hf")

# The loudest neurons of simulated tetrodes in little noise reach 75 on all four contacts. Fewer contacts than four
# cannot distinguish the two.
MIN_CHANNELS = 4
# The band-pass rings for about so long.
MARGIN_MS = 10.0
# Where more would have to go, something else is the matter, and the recording is left as it is.
MAX_SHARE = 0.1
# A step passes this many SDs after the band-pass; what does so within this time is one.
STEP_SD, STEP_APART_MS = 4.5, 2.0
# Why a period is blanked.
ARTIFACT, STEP, EXCLUDED, GIVEN_TIME = "artifact", "baseline step", "excluded", "artifact time"


def find_artifact_samples(traces: np.ndarray, noise_levels: np.ndarray, threshold: float) -> np.ndarray:
    """Find samples that are too large, of whatever sign, on a quarter of the channels, four at least.

    Args:
        traces: `(num_samples, num_channels)` of one block, filtered.
        noise_levels: `(num_channels,)` SD of the noise, in the unit of the traces.
        threshold: in SDs of the noise; 0 for no artifacts.

    Returns:
        `(num_found,)` int64 rows.
    """
    needed = max(MIN_CHANNELS, -(-len(noise_levels) // 4))
    if threshold == 0 or len(noise_levels) < MIN_CHANNELS:
        return np.zeros(0, dtype="int64")
    is_large = np.abs(traces) > threshold * noise_levels
    return np.flatnonzero(is_large.sum(axis=1) >= needed)


def find_step_samples(
    filtered: np.ndarray, block: Block, unfiltered: BaseRecording, noise_levels: np.ndarray, usual: np.ndarray
) -> np.ndarray:
    """Find steps of the baseline on most channels at once.

    Args:
        filtered: `(num_samples, num_channels)` traces of the block, after the band-pass.
        block: the block.
        unfiltered: SpikeInterface recording of the same channels without band-pass.
        noise_levels: `(num_channels,)` SD of the noise of the filtered traces.
        usual: `(num_channels,)` SD of the steps that are there at any time.

    Returns:
        `(num_found,)` int64 samples of the segment.
    """
    rate = unfiltered.get_sampling_frequency()
    apart = max(round(STEP_APART_MS * 1e-3 * rate), 1)
    rows = find_candidates(filtered, noise_levels, STEP_SD, apart)
    if len(rows) == 0:
        return np.zeros(0, dtype="int64")
    margin = reach(rate)
    traces, start = read_with_margin(unfiltered, block, margin)
    places = rows + block.start - start
    is_inside = (places >= margin) & (places < len(traces) - margin)
    rows, places = rows[is_inside], places[is_inside]
    # A large spike beside a small one bends the lines that the step is measured by.
    near = np.clip(rows[:, None] + np.arange(-margin, margin + 1), 0, len(filtered) - 1)
    deflections = np.abs(filtered[near]).max(axis=1, initial=0)
    return block.start + rows[is_step(baseline_steps(traces, places, rate), deflections, usual)]


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
    settings: PreprocessingSettings,
) -> Blanking:
    """Combine artifacts and steps that were found, with 10 ms around each, and the periods that the user gives.

    Args:
        recording: SpikeInterface recording in which they were found.
        artifact_samples, step_samples: for each segment arrays of samples, in order.
        given: of [`given_periods`].
        settings: with the threshold.

    Returns:
        [`Blanking`]. Where artifacts would take more than a tenth of the recording, none is blanked, with a warning.
    """
    total = recording.get_total_samples()
    blanked, steps = list(given), []
    for reason in dict.fromkeys(reason for *_, reason in given):
        own = [stop - start for _, start, stop, other in given if other == reason]
        steps.append(f"blanked {len(own)} periods ({reason}): {100 * sum(own) / total:.2g} % of the recording")
    kinds = [
        (artifact_samples, ARTIFACT, f"above {settings.artifact_threshold:g} SDs on a quarter of the channels"),
        (step_samples, STEP, f"on {100 * MIN_SHARE:g} % of the channels at once"),
    ]
    for samples, reason, meaning in kinds:
        found = [
            period
            for segment, own in enumerate(samples)
            for period in _periods(recording, segment, np.concatenate([np.zeros(0, dtype="int64"), *own]), reason)
        ]
        share = sum(stop - start for _, start, stop, _ in found) / total
        if share > MAX_SHARE:
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
            step = f"blanked {len(found)} {reason}s ({meaning}, {MARGIN_MS:g} ms around each): {100 * share:.2g} %"
            steps.append(step + " of the recording")
            logger.warning("%s", steps[-1][0].upper() + steps[-1][1:])
    return Blanking(_joined(blanked), sorted(blanked), steps)


def given_periods(
    recording: BaseRecording, segment_indices: np.ndarray, settings: PreprocessingSettings
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

    def add(segment, start_s, stop_s, reason, given):
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
        for time_s in _read_times(Path(settings.artifact_times)):
            given = f"the time {time_s:g} s in {settings.artifact_times}"
            add(0, max(time_s - before_s, 0.0), time_s + after_s, GIVEN_TIME, given)
    return periods


def _read_times(path: Path) -> np.ndarray:
    try:
        times = (
            np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, ndmin=1, delimiter=None)
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"Cannot read artifact_times={str(path)!r} ({error}); give one time in s a line.") from error
    return np.asarray(times, dtype="float64").ravel()


def _periods(
    recording: BaseRecording, segment: int, samples: np.ndarray, reason: str
) -> list[tuple[int, int, int, str]]:
    """Combine samples, in order, of which the surroundings touch."""
    margin = round(MARGIN_MS * 1e-3 * recording.get_sampling_frequency())
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
