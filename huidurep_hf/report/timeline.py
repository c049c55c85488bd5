"""Segments one after the other, as one time line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult


def segment_starts_s(result: SortingResult) -> np.ndarray:
    """Start of each segment on the time line, and the end of the last: `(num_segments + 1,)` s."""
    recording = result.provenance["recording"]
    return np.concatenate([[0], np.cumsum(recording["num_samples"])]) / recording["sampling_rate"]


def times_s(result: SortingResult) -> np.ndarray:
    """Time of each event on the time line, `(num_events,)` s."""
    starts, rate = segment_starts_s(result), result.provenance["recording"]["sampling_rate"]
    # Not the recording's own clock, on which segments may lie far apart.
    return result.events["sample"].to_numpy() / rate + starts[result.events["segment"].to_numpy()]


def amplitude_unit(result: SortingResult) -> str:
    """What amplitudes are in, as text."""
    return "µV" if result.provenance["preparation"]["unit"] == "uV" else "raw unit"
