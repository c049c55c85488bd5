"""Threshold crossings: one peak per spike and neighbourhood."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np

from ...workers import Workers
from ..blocks import Block, read_with_margin, split_into_blocks
from ..settings import DetectionSettings

if TYPE_CHECKING:
    from ..preprocessing.preparation import PreparedRecording


logger = logging.getLogger("huidurep_hf")


class PeakDetector:
    """SpikeInterface's locally exclusive detection, block by block.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`] with a recording.
        settings: [`~huidurep_hf.recording.settings.DetectionSettings`].
    """

    def __init__(self, prepared: PreparedRecording, settings: DetectionSettings):
        from spikeinterface.sortingcomponents.peak_detection import locally_exclusive

        # Compiled once for all runs, and not once for each.
        locally_exclusive.detect_peaks_numba_locally_exclusive_on_chunk.enable_caching()
        self._detector = locally_exclusive.LocallyExclusivePeakDetector(
            prepared.recording,
            peak_sign=settings.peak_sign,
            detect_threshold=settings.detect_threshold,
            exclude_sweep_ms=settings.exclude_sweep_ms,
            radius_um=settings.detect_radius_um,
            noise_levels=prepared.noise_levels,
        )
        # Tetrodes of one file often share the same nominal positions.
        self._detector.neighbours_mask &= prepared.shanks[:, None] == prepared.shanks[None, :]

    @property
    def margin(self) -> int:
        """Samples that are needed on both sides of a block."""
        return self._detector.get_margin()

    def detect(self, traces: np.ndarray, block: Block, start: int, factors: np.ndarray | None = None) -> np.ndarray:
        """Find the peaks of one block.

        Args:
            traces: `(num_samples, num_channels)` of the block and its margin, cut at the ends of the segment.
            block: the block.
            start: sample of the segment that the first row is.
            factors: of the same shape, by which the noise and so the threshold is raised.

        Returns:
            Structured array as of [`detect`], in order.
        """
        if factors is not None:
            traces = traces / factors
        (peaks,) = self._detector.compute(traces, start, start + len(traces), block.segment, self.margin)
        if factors is not None:
            peaks["amplitude"] *= factors[peaks["sample_index"], peaks["channel_index"]]
        peaks["sample_index"] += start
        peaks = peaks[(peaks["sample_index"] >= block.start) & (peaks["sample_index"] < block.stop)]
        return peaks[np.lexsort((peaks["channel_index"], peaks["sample_index"]))]


def detect(
    prepared: PreparedRecording,
    settings: DetectionSettings | None = None,
    *,
    blocks: list[Block] | None = None,
    workers: Workers | None = None,
) -> np.ndarray:
    """Find peaks, all shanks in one pass over the traces.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        settings: [`~huidurep_hf.recording.settings.DetectionSettings`]; the defaults if left out.
        blocks: where to look, in order; everywhere if left out.
        workers: who share the blocks; as many as there are cores if left out.

    Returns:
        Structured array `(num_peaks,)` with `sample_index`, `channel_index`, `amplitude` (in the unit of the traces)
        and `segment_index`, sorted by segment, sample and channel; no peaks where no channel is usable. Peaks closer to
        the ends of a segment than the time in which one peak is kept are not found.
    """
    if prepared.recording is None:
        return no_peaks()
    detector = PeakDetector(prepared, settings or DetectionSettings())

    def detect_in(block: Block) -> np.ndarray:
        traces, start = read_with_margin(prepared.recording, block, detector.margin)
        noise, factors = prepared.noise_over_time, None
        if noise is not None and not noise.is_quiet(block):
            factors = noise.at(block.segment, np.arange(start, start + len(traces)))
        return detector.detect(traces, block, start, factors)

    blocks = split_into_blocks(prepared.recording) if blocks is None else blocks
    return np.concatenate([no_peaks(), *(workers or Workers()).map(detect_in, blocks)])


def no_peaks() -> np.ndarray:
    """An empty structured array of peaks."""
    from spikeinterface.core.base import base_peak_dtype

    return np.zeros(0, dtype=base_peak_dtype)


def check_sign(prepared: PreparedRecording, settings: DetectionSettings, workers: Workers | None = None) -> None:
    """Warn where most spikes point the other way: amplifiers may turn the sign.

    Args:
        prepared, settings, workers: as for [`detect`]. The middle of the longest segment is used.
    """
    if prepared.recording is None or settings.peak_sign == "both":
        return
    recording = prepared.recording
    num_samples = [recording.get_num_samples(segment) for segment in range(recording.get_num_segments())]
    longest, width = int(np.argmax(num_samples)), round(settings.sign_check_s * recording.get_sampling_frequency())
    start = max(num_samples[longest] - width, 0) // 2
    middle = [
        block
        for block in split_into_blocks(recording)
        if block.segment == longest and block.start < start + width and block.stop > start
    ]
    peaks = detect(prepared, dataclasses.replace(settings, peak_sign="both"), blocks=middle, workers=workers)
    is_other = peaks["amplitude"] > 0 if settings.peak_sign == "neg" else peaks["amplitude"] < 0
    if len(peaks) >= settings.min_peaks_for_sign and is_other.mean() > settings.max_share_of_other_sign:
        logger.warning(
            "%.0f %% of the large deflections point %s, and spikes are looked for that point %s: the sign of the "
            "recording may be turned. Sort with peak_sign=%r, or turn it.",
            100 * is_other.mean(),
            *(("up", "down", "pos") if settings.peak_sign == "neg" else ("down", "up", "neg")),
        )
