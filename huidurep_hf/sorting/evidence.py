"""Tell units from noise that passes the threshold of a template.

A template that is an average of a few threshold crossings of noise finds more of them when it is matched with the
whole recording, thousands at times. They lie just above the threshold, as the tail of noise does, and the spikes of a
neuron do not.
"""

import numpy as np

from .matching import MIN_GAIN
from .spike_waveforms import SpikeWaveforms, choose_spikes

# Along a template, in SDs of the noise: the tail of Gaussian noise has its median about 0.15 above the threshold, the
# spikes of a unit whose average is at the threshold 0.67 above it (a half-normal distribution), all others more.
MIN_EXCESS = 0.5
MAX_SPIKES = 500


def is_supported(matched, templates, whitened, num_before, seed=0):
    """Tell for each unit whether its matched spikes stand out of the noise.

    Args:
        matched: structured array of matched spikes, as [`~huidurep_hf.sorting.matching.match_templates`] gives them.
        templates: `(num_units, num_samples, num_channels)` float32 with which they were found, SDs of the noise.
        whitened: whitened [`~huidurep_hf.recording.preparation.PreparedRecording`].
        num_before: sample of the templates at which spikes have their time.
        seed: of the choice of at most 500 spikes per unit.

    Returns:
        `(num_units,)` bool.
    """
    labels = np.append(matched["cluster_index"], len(templates) - 1).astype("int64")
    members = choose_spikes(labels, MAX_SPIKES, seed)
    supported = np.zeros(len(templates), dtype=bool)
    for unit, (template, spikes) in enumerate(zip(templates, members)):
        spikes = spikes[spikes < len(matched)]
        if len(spikes) == 0:
            continue
        waveforms = SpikeWaveforms.cut(whitened, matched[spikes])
        start = num_before - waveforms.num_before
        channels = np.flatnonzero(template.any(axis=0))
        channels = np.intersect1d(channels, waveforms.channels[matched["channel_index"][spikes[0]]])
        inner = template[start : start + waveforms.num_samples, channels]
        length = np.linalg.norm(inner)
        cut = waveforms.aligned_on(np.arange(len(spikes)), np.zeros(len(spikes), dtype="int64"), channels)
        projections = np.tensordot(cut, inner, axes=([1, 2], [0, 1])) / length
        # Where the gain of an unscaled template, 2 * length * projection - length^2, is the least that is accepted.
        threshold = (MIN_GAIN + length**2) / (2 * length)
        supported[unit] = np.median(projections) - threshold > MIN_EXCESS
    return supported
