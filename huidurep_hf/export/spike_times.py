"""When spikes were, in seconds, for tools that know no segments."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult

logger = logging.getLogger("huidurep_hf")


def times_of_recording_s(result: SortingResult) -> np.ndarray:
    """Time of each event by the recording's own clock, `(num_events,)` s.

    Segments that would overlap, such as trials that all start at 0, follow one another instead.
    """
    recording = result.provenance["recording"]
    starts = np.asarray(recording["start_times_s"], dtype="float64")
    times, segments = result.events["time_s"].to_numpy(), result.events["segment"].to_numpy()
    # By the events: the length in samples says when a segment ends only as well as the nominal rate is the true one.
    last = np.full(len(starts), -np.inf)
    np.maximum.at(last, segments, times)
    if not (np.maximum.accumulate(last)[:-1] > starts[1:]).any():
        return times
    logger.warning("Segments overlap in time; in the export they follow one another.")
    lengths = np.asarray(recording["num_samples"]) / recording["sampling_rate"]
    starts = starts[0] + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return starts[segments] + result.events["sample"].to_numpy() / recording["sampling_rate"]
