"""Which matched spike is which detected peak."""

import numba
import numpy as np

from ...recording.blocks import rows_of_segment
from ...recording.spikes.neighborhood import Neighborhoods
from ..spikes import Spikes


def pair_with_peaks(
    matched: Spikes, peaks: Spikes, peak_samples: np.ndarray, neighborhoods: Neighborhoods, max_gap: int
) -> np.ndarray:
    """Find for each matched spike the detected peak that it is, the nearest in time first.

    Args:
        matched: spikes in order.
        peaks: detected peaks in order.
        peak_samples: `(num_peaks,)` their times after alignment.
        neighborhoods: how far a peak may lie from a unit.
        max_gap: samples by which the two may differ.

    Returns:
        `(num_matched,)` int64 index of the peak, each at most once; -1 where there is none.
    """
    found = np.full(len(matched), -1, dtype="int64")
    num_channels = len(neighborhoods.channel_indices)
    is_near = np.zeros((num_channels, num_channels), dtype=bool)
    rows, columns = np.nonzero(neighborhoods.mask)
    is_near[rows, neighborhoods.channel_indices[rows, columns]] = True
    is_taken = np.zeros(len(peaks), dtype=bool)
    for segment in np.unique(matched["segment_index"]):
        of_matched, of_peaks = (rows_of_segment(table["segment_index"], segment) for table in (matched, peaks))
        order = np.argsort(peak_samples[of_peaks], kind="stable")
        _take_nearest(
            matched["sample_index"][of_matched],
            matched["channel_index"][of_matched],
            peak_samples[of_peaks][order],
            peaks["channel_index"][of_peaks][order],
            of_peaks.start + order,
            is_near,
            max_gap,
            found[of_matched],
            is_taken,
        )
    return found


@numba.njit(cache=True, nogil=True)
def _take_nearest(
    samples: np.ndarray,
    channels: np.ndarray,
    peak_samples: np.ndarray,
    peak_channels: np.ndarray,
    peak_rows: np.ndarray,
    is_near: np.ndarray,
    max_gap: int,
    found: np.ndarray,
    is_taken: np.ndarray,
) -> None:
    """Pair spikes and peaks, both ascending: those of no gap first, then those of one sample, and so on.

    `found` and `is_taken` are written.
    """
    for gap in range(max_gap + 1):
        before, after = 0, 0
        for spike in range(len(samples)):
            if found[spike] >= 0:
                continue
            while before < len(peak_samples) and peak_samples[before] < samples[spike] - gap:
                before += 1
            while after < len(peak_samples) and peak_samples[after] < samples[spike] + gap:
                after += 1
            # The earlier peak first.
            for first, time in ((before, samples[spike] - gap), (after, samples[spike] + gap)):
                peak = first
                while found[spike] < 0 and peak < len(peak_samples) and peak_samples[peak] == time:
                    if is_near[channels[spike], peak_channels[peak]] and not is_taken[peak_rows[peak]]:
                        found[spike] = peak_rows[peak]
                        is_taken[peak_rows[peak]] = True
                    peak += 1
