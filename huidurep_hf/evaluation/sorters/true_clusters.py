"""What the sorter finds if it is given the true units' spikes as its clusters: how much better clusters could win."""

import numpy as np

from ...recording.preprocessing.whitening import whiten
from ...sorting.clustering.clusters import Clusters
from ...sorting.parameters import SortingParameters
from ...sorting.templates.averages import average_templates
from ...sorting.units import find_units


def sort_true_clusters(prepared, truth):
    """Go the sorter's path with the true spikes in place of what detection and clustering find.

    The templates are then as good as averages of 500 spikes get; what is still missed or confused, matching and the
    noise are to blame for.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`] of one segment, without bad
            channels, its motion followed.
        truth: SpikeInterface sorting with its true spikes.

    Returns:
        SpikeInterface `NumpySorting`.
    """
    from spikeinterface.core import NumpySorting
    from spikeinterface.core.base import base_peak_dtype

    parameters = SortingParameters()
    whitened = whiten(prepared, seed=parameters.seed)
    spikes = truth.to_spike_vector()
    peaks = np.zeros(len(spikes), dtype=base_peak_dtype)
    for name in ("sample_index", "segment_index"):
        peaks[name] = spikes[name]
    labels, samples = spikes["unit_index"].astype("int64"), spikes["sample_index"].astype("int64")
    templates = average_templates(labels, samples, peaks, whitened, parameters.seed)
    peaks["channel_index"] = np.ptp(templates, axis=1).argmax(axis=1)[labels]
    found = find_units(Clusters(labels, samples), peaks, prepared, whitened, parameters)
    is_spike = found.units >= 0
    return NumpySorting.from_samples_and_labels(
        [found.samples[is_spike]], [found.units[is_spike]], prepared.recording.sampling_frequency
    )
