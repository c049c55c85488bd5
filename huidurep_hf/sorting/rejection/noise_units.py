"""Tell units from noise that passes the threshold of a template.

A template that is an average of a few threshold crossings of noise finds more of them when it is matched with the
whole recording, thousands at times. They lie just above the threshold, as the tail of noise does, and the spikes of a
neuron do not.
"""

import numpy as np

from ..matching.engine import MIN_GAIN
from ..templates.spike_waveforms import SpikeWaveforms, choose_spikes

# Along a template, in SDs of the noise: the tail of Gaussian noise has its median about 0.15 above the threshold, the
# spikes of a unit whose average is at the threshold 0.67 above it (a half-normal distribution), all others more. Half
# of what a template of few spikes finds may be noise, though: in twice the noise (32 channels, development) templates
# that found nothing had 0.1 at most, those of several faint neurons 0.1 to 0.4, those of one neuron 0.39 and more. The
# crowd of a recorded tetrode's small neurons had 0.45; as a unit it keeps their spikes out of others.
MIN_EXCESS = 0.3
# With templates that move, 0.3 gave eight wrong units in place of six on six development recordings of 64 channels, and
# no neuron more.
MIN_EXCESS_IN_MOTION = 0.5
MAX_SPIKES = 500


def is_supported(matched, templates, whitened, seed=0):
    """Tell for each unit whether its matched spikes stand out of the noise.

    Args:
        matched: structured array of matched spikes, as [`~huidurep_hf.sorting.matching.engine.match_templates`] gives
            them.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`] with which they were found.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], as recorded.
        seed: of the choice of at most 500 spikes per unit.

    Returns:
        `(num_units,)` bool.
    """
    limit = MIN_EXCESS if len(templates.states) == 1 else MIN_EXCESS_IN_MOTION
    supported = np.zeros(len(templates), dtype=bool)
    for unit, spikes in enumerate(choose_spikes(matched["cluster_index"], MAX_SPIKES, seed, len(templates))):
        if len(spikes):
            supported[unit] = np.median(_excess(matched[spikes], unit, templates, whitened)) > limit
    return supported


def _excess(spikes, unit, templates, whitened):
    """How far along its template each spike of a unit lies above the threshold, SDs of the noise."""
    waveforms = SpikeWaveforms.cut(whitened, templates.in_place(spikes, spikes["cluster_index"]))
    excess = np.zeros(len(spikes))
    for state, own, cut, window in waveforms.by_state(templates.states_of(spikes), templates.num_before):
        template = templates.waveforms[state, unit][window]
        length = np.linalg.norm(template)
        projections = np.tensordot(cut, template, axes=([1, 2], [0, 1])) / length
        # Where the gain of an unscaled template, 2 * length * projection - length^2, is the least that is accepted.
        excess[own] = projections - (MIN_GAIN + length**2) / (2 * length)
    return excess
