"""Distinguish units from clusters of secondary peaks: a smaller deflection of spikes that are in another cluster.

A large spike may be detected twice, at its trough and half a millisecond apart at a smaller deflection on another
channel. These second peaks make a cluster whose average has its extremum not at its spikes but where the spikes of the
other cluster are. Both would be matched with the same spikes, and each would get half of them.
"""

from __future__ import annotations

import numpy as np

from ...recording.chunks import on_one_time_line
from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.spikes.coincidence import is_coincident
from ..parameters import SortingParameters
from ..spikes import Spikes, rows_of_units
from ..templates.averages import signed, template_window


def find_secondary_peaks(
    spikes: Spikes, templates: np.ndarray, whitened: PreparedRecording, parameters: SortingParameters
) -> np.ndarray:
    """Find clusters whose extremum is a spike of another cluster.

    Args:
        spikes: in order, with `cluster` (from 0 without gaps, -1 for none) and `aligned_sample`.
        templates: `(num_clusters, num_samples, num_channels)` averages, SDs of the noise, 0 where none is seen.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `(num_clusters,)` bool.
    """
    settings, rate = parameters.secondary_peaks, whitened.recording.get_sampling_frequency()
    is_secondary = np.zeros(len(templates), dtype=bool)
    if len(templates) == 0:
        return is_secondary
    num_before, _ = template_window(parameters.templates, rate)
    tolerance = round(settings.max_extremum_offset_ms * 1e-3 * rate)
    sizes = signed(templates, parameters.peak_sign)
    offsets, channels = sizes.max(axis=2).argmax(axis=1) - num_before, sizes.max(axis=1).argmax(axis=1)
    is_aligned = np.abs(offsets) <= tolerance
    # When each cluster's spikes have their extremum.
    labels, samples = spikes["cluster"], spikes["aligned_sample"] + np.append(offsets, 0)[spikes["cluster"]]
    times = on_one_time_line(samples, spikes["segment_index"], whitened.recording)
    trains = [np.sort(times[rows]) for rows in rows_of_units(labels, len(templates))]
    for cluster in np.flatnonzero(~is_aligned):
        for other in np.flatnonzero(is_aligned & templates[:, :, channels[cluster]].any(axis=1)):
            share = np.mean(is_coincident(trains[cluster], trains[other], tolerance))
            is_secondary[cluster] |= share > settings.min_secondary_share
    return is_secondary
