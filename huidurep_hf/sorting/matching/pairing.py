"""Which matched spike is which detected peak."""

import numba
import numpy as np

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
        of_peaks = np.flatnonzero(peaks["segment_index"] == segment)
        of_peaks = of_peaks[np.argsort(peak_samples[of_peaks], kind="stable")]
        of_matched = np.flatnonzero(matched["segment_index"] == segment)
        times, samples = matched["sample_index"][of_matched], peak_samples[of_peaks]
        starts = np.searchsorted(samples, times - max_gap, side="left")
        stops = np.searchsorted(samples, times + max_gap, side="right")
        spike, peak = _close_pairs(
            starts, stops, matched["channel_index"][of_matched], peaks["channel_index"][of_peaks], is_near
        )
        order = np.argsort(np.abs(times[spike] - samples[peak]), kind="stable")
        _take_nearest(of_matched[spike[order]], of_peaks[peak[order]], found, is_taken)
    return found


@numba.njit(cache=True, nogil=True)
def _close_pairs(starts, stops, spike_channels, peak_channels, is_near):
    """Each spike with those of its peaks `starts` to `stops` that are near it, `(num_pairs,)` each."""
    num_pairs = 0
    for spike in range(len(starts)):
        for peak in range(starts[spike], stops[spike]):
            num_pairs += is_near[spike_channels[spike], peak_channels[peak]]
    spikes, peaks = np.empty(num_pairs, dtype=np.int64), np.empty(num_pairs, dtype=np.int64)
    pair = 0
    for spike in range(len(starts)):
        for peak in range(starts[spike], stops[spike]):
            if is_near[spike_channels[spike], peak_channels[peak]]:
                spikes[pair], peaks[pair] = spike, peak
                pair += 1
    return spikes, peaks


@numba.njit(cache=True, nogil=True)
def _take_nearest(spikes, peaks, found, is_taken):
    for spike, peak in zip(spikes, peaks):
        if found[spike] < 0 and not is_taken[peak]:
            found[spike] = peak
            is_taken[peak] = True
