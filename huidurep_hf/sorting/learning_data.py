"""The traces and spikes that units are learned from, and those that their templates are matched with."""

from __future__ import annotations

from dataclasses import dataclass

from ..recording.blocks import Block, split_into_blocks
from ..recording.preprocessing.preparation import PreparedRecording
from ..recording.spikes.detection import detect
from ..recording.trace_copy import copy_blocks
from .learning_blocks import in_blocks
from .peak_embedding import EmbeddedPeaks
from .sorting_run import SortingRun
from .spikes import Spikes


@dataclass(frozen=True)
class LearningData:
    """What units are learned from.

    Attributes:
        spikes: embedded peaks in the blocks.
        blocks: in order.
        traces: in which these peaks were detected, corrected for motion where there is any.
        holds_all: whether the traces hold the whole recording, not the blocks alone.
        matched: traces that templates are matched with.
        peaks: every peak that was detected in these.
    """

    spikes: Spikes
    blocks: list[Block]
    traces: PreparedRecording
    holds_all: bool
    matched: PreparedRecording
    peaks: Spikes


def gather_learning_data(
    peaks: Spikes,
    embedded: EmbeddedPeaks,
    blocks: list[Block],
    prepared: PreparedRecording,
    corrected: PreparedRecording,
    run: SortingRun,
) -> LearningData:
    """Take the peaks that are embedded already; under motion, detect and embed those of the corrected traces.

    Args:
        peaks: all of them, detected in `prepared`.
        embedded: those in the blocks.
        blocks: that units are learned from.
        prepared: the recording as it was scanned.
        corrected: the same, corrected for motion where there is any.
        run: what all stages share.
    """
    if not corrected.is_corrected:
        return LearningData(embedded.spikes, blocks, corrected, True, prepared, peaks)
    all_blocks = split_into_blocks(prepared.recording)
    copied = blocks if corrected.templates_drift else all_blocks
    with run.timed("motion"):
        traces = copy_blocks(corrected, copied, run.scratch_folder, run.workers)
    with run.timed("embed"):
        found = Spikes.from_peaks(detect(traces, run.parameters.detection, blocks=copied, workers=run.workers))
        spikes = run.embed("embed corrected", traces, found[in_blocks(found, blocks)])
    holds_all = len(copied) == len(all_blocks)
    if corrected.templates_drift:
        return LearningData(spikes, blocks, traces, holds_all, prepared, peaks)
    # Templates at rest are matched with the corrected traces, and these have other peaks.
    return LearningData(spikes, blocks, traces, holds_all, traces, run.on_disk(found, "corrected peaks"))
