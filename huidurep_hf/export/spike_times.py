"""When spikes were, in seconds, for tools that know no segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult


def times_of_recording_s(result: SortingResult) -> np.ndarray:
    """Time of each event by the recording's own clock, `(num_events,)` s.

    Segments that would overlap, such as trials that all start at 0, follow one another instead.
    """
    recording = result.provenance["recording"]
    starts = np.asarray(recording["start_times_s"], dtype="float64")
    lengths = np.asarray(recording["num_samples"]) / recording["sampling_rate"]
    if not (starts[1:] < starts[:-1] + lengths[:-1]).any():
        return result.events["time_s"].to_numpy()
    starts = starts[0] + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    samples = result.events["sample"].to_numpy()
    return starts[result.events["segment"].to_numpy()] + samples / recording["sampling_rate"]
