"""Embeddings of detected peaks: of those that units are learned from, and of more of them for motion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..recording.motion.following import can_follow_motion, follow_motion
from ..recording.preprocessing.preparation import PreparedRecording
from .learning_blocks import draw_over_time
from .sorting_run import SortingRun
from .spikes import PEAK_DTYPES, Spikes

# What the encoder adds to an event: spikes of known units need no size.
WITHOUT_SIZE = ("embedding", "location_um")


@dataclass(frozen=True)
class EmbeddedPeaks:
    """Some of the detected peaks, embedded in the traces in which they were detected.

    Attributes:
        spikes: with `embedding` and `location_um`.
        rows: `(num_spikes,)` int64 of each in the table of all peaks.
    """

    spikes: Spikes
    rows: np.ndarray

    @classmethod
    def of_rows(cls, rows: np.ndarray, peaks: Spikes, prepared: PreparedRecording, run: SortingRun) -> EmbeddedPeaks:
        """Embed some peaks.

        Args:
            rows: `(num_spikes,)` int64 of these in the table, ascending.
            peaks: all of them.
            prepared: the traces in which they were detected.
            run: what all stages share.
        """
        return cls(run.embed("embed", prepared, peaks[rows]), rows)


def follow_motion_of_peaks(
    peaks: Spikes, embedded: EmbeddedPeaks, prepared: PreparedRecording, run: SortingRun
) -> tuple[PreparedRecording, EmbeddedPeaks]:
    """Follow the motion by peaks of the whole recording, where probe and duration allow an estimate.

    Args:
        peaks: all of them.
        embedded: those that are embedded already.
        prepared: the traces in which they were detected.
        run: what all stages share.

    Returns:
        `(corrected, embedded)`: the recording as
        [`~huidurep_hf.recording.motion.following.follow_motion`] gives it, and the peaks that are embedded now.
    """
    parameters, spikes, rows = run.parameters, embedded.spikes, embedded.rows
    placed = spikes
    if len(spikes) < len(peaks) and can_follow_motion(prepared, parameters.motion_correction):
        drawn = draw_over_time(peaks, prepared, parameters)
        others = np.setdiff1d(drawn, rows)
        # Their embeddings are of use where all events get one.
        is_used = len(peaks) - len(spikes) <= parameters.learning.max_embedded_events
        columns = WITHOUT_SIZE if is_used else ("location_um",)
        more = run.embed("embed for motion", prepared, peaks[others], columns)
        rows_of_both = np.concatenate([others, rows])
        order = np.argsort(rows_of_both)
        order = order[np.isin(rows_of_both[order], drawn)]
        placed = _joined([more, spikes], (*PEAK_DTYPES, "location_um"))[order]
        if is_used:
            embedded = EmbeddedPeaks(_joined([more, spikes], more.names), rows_of_both)
    corrected = follow_motion(prepared, placed.to_peaks(), placed["location_um"], parameters, seed=parameters.seed)
    return corrected, embedded


def _joined(tables: list[Spikes], names: Iterable[str]) -> Spikes:
    """Tables one after the other, of some of their columns."""
    return Spikes.concatenate([Spikes(**table.chosen(names)) for table in tables])
