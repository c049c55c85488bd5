"""The first pass over a recording: each block is read once, preprocessed, copied, and its peaks are detected."""

from __future__ import annotations

import dataclasses
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..progress import ProgressBar
from ..workers import Workers
from .blocks import Block, block_size_of, read_with_margin, rows_in_block, split_into_blocks
from .last_read import LastReadRecording
from .parameters import PreparationParameters
from .preprocessing.artifacts import (
    Blanking,
    choose_blanking,
    find_artifact_samples,
    find_step_samples,
    given_periods,
)
from .preprocessing.noise_over_time import NoiseOverTime, measure_noise, raised
from .preprocessing.noise_sample import subtract_median
from .preprocessing.preparation import PreparedRecording, PreprocessingPlan, plan_preprocessing
from .settings import DetectionSettings, NoiseSettings
from .spikes.detection import PeakDetector, no_peaks
from .trace_copy import MemoryCopy, make_copy

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from .trace_copy import DiskCopy


logger = logging.getLogger("huidurep_hf")

# Peaks that were detected at the threshold are kept, though float32 may place them a little below it.
ROUNDING = 1e-4


def scan(
    recording: BaseRecording,
    parameters: PreparationParameters,
    *,
    with_peaks: bool = True,
    seed: int = 0,
    workers: Workers | None = None,
    scratch_folder: Path | None = None,
    progress: bool = False,
) -> tuple[PreparedRecording, np.ndarray]:
    """Preprocess a recording and detect its peaks, reading each block once.

    Args:
        recording: SpikeInterface recording of any dtype, rate, number of segments, shanks and channels.
        parameters: [`~huidurep_hf.recording.parameters.PreparationParameters`].
        with_peaks: look for peaks; else there are none.
        seed: of the random stretches on which noise is estimated.
        workers: who share the blocks; as many as there are cores if left out.
        scratch_folder: where preprocessed traces that are too many for memory are kept; they are filtered again in
            each later pass if left out.
        progress: show a progress bar.

    Returns:
        `(prepared, peaks)`: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`] with artifacts
        blanked, and a structured array as of [`~huidurep_hf.recording.spikes.detection.detect`].

    Raises:
        TypeError, ValueError: as [`~huidurep_hf.recording.preprocessing.preparation.plan_preprocessing`].
    """
    workers = workers or Workers()
    plan = plan_preprocessing(recording, parameters, seed=seed, workers=workers)
    prepared = plan.prepared
    if prepared.recording is None:
        return prepared, no_peaks()
    given = given_periods(prepared.recording, prepared.segment_indices, parameters.artifacts)
    copy = make_copy(prepared.recording, prepared.noise_levels, scratch_folder, "prepared", workers.is_remote)
    # A copy in memory is lost with the process, and soon made again.
    share = workers.map if isinstance(copy, MemoryCopy) else partial(workers.run, "scan")
    detector = PeakDetector(prepared, parameters.detection) if with_peaks else None
    blocks = split_into_blocks(prepared.recording)
    job = partial(_scan_block, plan=plan, copy=copy, detector=detector, parameters=parameters)
    num_segments = prepared.recording.get_num_segments()
    peaks = [no_peaks()]
    artifacts, steps, ratios = ([[] for _ in range(num_segments)] for _ in range(3))
    found = zip(blocks, share(job, blocks))
    for block, arrays in ProgressBar(found, total=len(blocks), desc="scan", unit="s", disable=not progress):
        peaks.append(arrays["peaks"])
        artifacts[block.segment].append(arrays["artifact_samples"])
        steps[block.segment].append(arrays["step_samples"])
        ratios[block.segment].append(arrays["noise_ratios"])
    traces = prepared.recording if copy is None else copy.recording()
    if not isinstance(copy, MemoryCopy):
        traces = LastReadRecording(traces)
    prepared = dataclasses.replace(prepared, recording=traces)
    # Blocks are in order, and so are the peaks of each.
    peaks = np.concatenate(peaks)
    prepared, peaks = _with_noise_over_time(prepared, peaks, ratios, parameters.noise, parameters.detection)
    return _blanked(prepared, peaks, choose_blanking(prepared.recording, artifacts, steps, given, parameters))


def prepare(
    recording: BaseRecording,
    parameters: PreparationParameters | None = None,
    *,
    seed: int = 0,
    workers: Workers | None = None,
    scratch_folder: Path | None = None,
) -> PreparedRecording:
    """Preprocess a recording; as [`scan`], without detection and with the default parameters if left out."""
    parameters = parameters or PreparationParameters()
    return scan(recording, parameters, with_peaks=False, seed=seed, workers=workers, scratch_folder=scratch_folder)[0]


def _scan_block(
    block: Block,
    *,
    plan: PreprocessingPlan,
    copy: MemoryCopy | DiskCopy | None,
    detector: PeakDetector | None,
    parameters: PreparationParameters,
) -> dict[str, np.ndarray]:
    """Copy one block; its peaks, the samples of its artifacts, and how loud its noise is."""
    margin = 0 if detector is None else detector.margin
    traces, start = read_with_margin(plan.filtered, block, margin)
    own = slice(block.start - start, block.stop - start)
    # Before the reference, which takes from an artifact only what all channels share.
    artifact_samples = block.start + find_artifact_samples(traces[own], plan.noise_levels, parameters.artifacts)
    step_samples = np.zeros(0, dtype="int64")
    if parameters.steps.blank_steps == "on":
        step_samples = find_step_samples(
            traces[own], block, plan.unfiltered, plan.noise_levels, plan.usual_steps, parameters.steps
        )
    if plan.referenced_shanks:
        traces = subtract_median(traces, plan.referenced_shanks)
    if copy is not None:
        copy.write(block, traces[own])
    block_size = block_size_of(plan.filtered)
    ratios = measure_noise(traces[own], plan.prepared.noise_levels, block_size, parameters.noise)
    peaks = no_peaks()
    if detector is not None:
        # Only the windows of this block are known.
        settings = parameters.noise
        noise = NoiseOverTime(block_size, settings.noise_windows_per_block, [raised(ratios, settings)])
        factors = None if noise.is_steady else noise.at(0, np.arange(start, start + len(traces)) - block.start)
        peaks = detector.detect(traces, block, start, factors)
    return {
        "peaks": peaks,
        "artifact_samples": artifact_samples,
        "step_samples": step_samples,
        "noise_ratios": ratios,
    }


def _with_noise_over_time(
    prepared: PreparedRecording,
    peaks: np.ndarray,
    ratios: list[list[np.ndarray]],
    settings: NoiseSettings,
    detection: DetectionSettings,
) -> tuple[PreparedRecording, np.ndarray]:
    """The recording with its noise over time, and the peaks that exceed it, also where it begins and ends."""
    noise = NoiseOverTime.from_ratios(block_size_of(prepared.recording), ratios, settings)
    steps = prepared.steps
    if not noise.is_steady:
        largest = max(float(factors.max(initial=1)) for factors in noise.factors)
        step = (
            f"noise is raised in {100 * noise.share_raised:.2g} % of the time, up to {largest:.2g} times: thresholds"
            " follow it, and units are learned from the rest"
        )
        logger.warning("%s", step[0].upper() + step[1:])
        steps = [*steps, step]
    if len(peaks) and not noise.is_steady:
        factors = noise.of_events(peaks["segment_index"], peaks["sample_index"], peaks["channel_index"])
        limits = detection.detect_threshold * prepared.noise_levels[peaks["channel_index"]] * factors
        peaks = peaks[np.abs(peaks["amplitude"]) >= (1 - ROUNDING) * limits]
    return dataclasses.replace(prepared, noise_over_time=noise, steps=steps), peaks


def _blanked(
    prepared: PreparedRecording, peaks: np.ndarray, blanking: Blanking
) -> tuple[PreparedRecording, np.ndarray]:
    """Traces with artifacts set to zero, and the peaks outside them."""
    if len(blanking.periods) == 0:
        return prepared, peaks
    from spikeinterface.preprocessing import silence_periods

    is_blanked = np.zeros(len(peaks), dtype=bool)
    # Fields of a structured array are not contiguous, and would be copied for each search.
    segments, samples = (np.ascontiguousarray(peaks[name]) for name in ("segment_index", "sample_index"))
    for period in blanking.periods.tolist():
        is_blanked[rows_in_block(segments, samples, Block(*period))] = True
    recording = silence_periods(prepared.recording, periods=blanking.periods, mode="zeros")
    for step in blanking.steps:
        logger.info("prepare: %s", step)
    steps = [*prepared.steps, *blanking.steps]
    prepared = dataclasses.replace(prepared, recording=recording, blanked=blanking.blanked, steps=steps)
    return prepared, peaks[~is_blanked]
