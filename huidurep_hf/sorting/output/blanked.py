"""Periods of a recording that were blanked, so that nobody takes the silence there for physiology."""

from __future__ import annotations

import numpy as np
import pandas as pd

# What is so near to a blanked period may be cut off by it: a template's length.
BESIDE_BLANKED_MS = 3.0
BLANKED_COLUMNS = ("segment", "start_sample", "end_sample", "start_s", "end_s", "reason")


def blanked_periods(provenance: dict) -> pd.DataFrame:
    """Table of the periods that a sort has blanked, in order.

    Args:
        provenance: of the sort.

    Returns:
        One row per period: `segment`, `start_sample`, `end_sample` (the first sample after it), `start_s` and `end_s`
        (from the start of the segment), and `reason`: "artifact", "baseline step" or as given by the caller.
    """
    periods = pd.DataFrame(provenance["preparation"].get("blanked", []), columns=list(BLANKED_COLUMNS))
    return periods.sort_values(["segment", "start_sample"], ignore_index=True)


def is_beside_blanked(segments: np.ndarray, samples: np.ndarray, blanked: list, margin: int) -> np.ndarray:
    """Mark events within a margin of a blanked period: spikes that the period cuts off may be missing there.

    Args:
        segments, samples: `(num_events,)` in order.
        blanked: `(segment, start, stop, reason)` of each period, samples.
        margin: samples.

    Returns:
        `(num_events,)` bool.
    """
    is_beside = np.zeros(len(samples), dtype=bool)
    starts = np.searchsorted(segments, np.arange(segments.max(initial=-1) + 2))
    for segment, start, stop, _ in blanked:
        if segment + 1 < len(starts):
            first, last = starts[segment : segment + 2]
            rows = first + np.searchsorted(samples[first:last], [start - margin, stop + margin])
            is_beside[rows[0] : rows[1]] = True
    return is_beside
