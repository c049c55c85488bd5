"""What the sorter finds if it is given the true units' spikes as its clusters: how much better clusters could win."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...recording.blocks import split_into_blocks
from ...recording.motion.following import follow_motion
from ...recording.preprocessing.whitening import WhitenedTraces, whiten
from ...recording.scan import scan
from ...sorting.assigning import assign_spikes
from ...sorting.encoder import SpikeEncoder
from ...sorting.learning import learn_units
from ...sorting.parameters import SortingParameters
from ...sorting.spikes import Spikes
from ...sorting.templates.averages import average_templates
from ...workers import Workers

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting


def sort_true_clusters(
    recording: BaseRecording,
    truth: BaseSorting,
    encoder: SpikeEncoder,
    parameters: SortingParameters,
    *,
    workers: Workers,
) -> Spikes:
    """Go the sorter's path with the true spikes in place of the clusters that are learned.

    The templates are then as good as averages of many spikes get; what is still missed or confused, matching and the
    noise are to blame for. Units are learned from the whole recording, however many spikes there are.

    Args:
        recording: SpikeInterface recording in which every segment can be used.
        truth: SpikeInterface sorting with its true spikes, at least one.
        encoder: places the detected spikes, which show the motion.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        Table of every event, as of [`~huidurep_hf.sorting.assigning.assign_spikes`].
    """
    prepared, peaks = scan(recording, parameters, seed=parameters.seed, workers=workers)
    peaks = Spikes.from_peaks(peaks)
    embedded = encoder(prepared, peaks, batch_size=parameters.learning.batch_size, workers=workers)
    corrected = follow_motion(prepared, embedded.to_peaks(), embedded["location_um"], parameters, seed=parameters.seed)
    whitened = whiten(corrected, parameters, seed=parameters.seed, workers=workers)
    spikes = true_clusters(truth, whitened, parameters, workers)
    units = learn_units(spikes, split_into_blocks(prepared.recording), corrected, whitened, parameters, workers)
    return assign_spikes(units, peaks, prepared, whitened, parameters, workers)[0]


def true_clusters(
    truth: BaseSorting, whitened: WhitenedTraces, parameters: SortingParameters, workers: Workers
) -> Spikes:
    """Table of the true spikes, a cluster for each unit, each spike on the channel on which its unit is largest.

    Args:
        truth: SpikeInterface sorting with the segments of the traces.
        whitened: whitened traces, corrected for motion where there is any.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        [`~huidurep_hf.sorting.spikes.Spikes`] in order, with `cluster` and `aligned_sample`, without `amplitude`.
    """
    vector = truth.to_spike_vector()
    spikes = Spikes(**{name: vector[name].astype("int64") for name in ("segment_index", "sample_index")})
    # Units without spikes have no template.
    labels = np.unique(vector["unit_index"], return_inverse=True)[1].astype("int64")
    settings, samples = parameters.templates, spikes["sample_index"]
    templates = average_templates(labels, samples, spikes, whitened, settings, parameters.seed, workers)
    channels = np.ptp(templates, axis=1).argmax(axis=1)
    return spikes.with_columns(
        channel_index=channels[labels], cluster=labels, aligned_sample=spikes["sample_index"]
    ).in_order()
