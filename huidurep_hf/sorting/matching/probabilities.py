"""How likely each spike is of its unit, and not of another near it or noise."""

import numpy as np

from ..templates.estimation import find_templates
from ..templates.spike_waveforms import SpikeWaveforms
from .engine import MIN_GAIN
from .template_fit import fit_templates

EVENTS_PER_BLOCK = 50_000


def spike_probabilities(units, samples, events, whitened, seed=0):
    """Judge every spike by its whitened waveform, less the templates of the spikes that overlap it.

    Args:
        units: `(num_events,)` from 0 without gaps, -1 for events of no unit.
        samples: `(num_events,)` times in samples; one alignment in each unit.
        events: structured array of the same events.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        seed: of the choice of spikes for templates.

    Returns:
        `(num_events,)` float32, 0 for events of no unit.
    """
    probabilities = np.zeros(len(events), dtype="float32")
    spikes = np.flatnonzero(units >= 0)
    if len(spikes) == 0:
        return probabilities
    spikes = spikes[np.lexsort((samples[spikes], events["segment_index"][spikes]))]
    moved = events[spikes].copy()
    moved["sample_index"] = samples[spikes]
    templates = find_templates(units, samples, events, whitened, seed)
    moved = templates.in_place(moved, units[spikes])
    states = templates.states_of(moved)
    rate = whitened.recording.get_sampling_frequency()
    # In blocks, to bound memory.
    for first in range(0, len(spikes), EVENTS_PER_BLOCK):
        block = slice(first, first + EVENTS_PER_BLOCK)
        waveforms = SpikeWaveforms.cut(whitened.as_recorded, moved[block])
        subtract_overlaps(waveforms, moved, units[spikes], first, templates)
        start = templates.num_before - waveforms.num_before
        for state in np.unique(states[block]):
            own = np.flatnonzero(states[block] == state)
            fit = fit_templates(
                waveforms.of(own),
                templates.waveforms[state][:, start : start + waveforms.num_samples],
                np.zeros(len(own), dtype="int64"),
                rate,
                noise_gain=MIN_GAIN,
                judged=units[spikes[block]][own],
            )
            probabilities[spikes[block][own]] = fit.probabilities
    return probabilities


def subtract_overlaps(waveforms, spikes, units, first, templates):
    """Take the templates of overlapping spikes out of waveforms, in place.

    Args:
        waveforms: [`~huidurep_hf.sorting.templates.spike_waveforms.SpikeWaveforms`] of consecutive spikes.
        spikes: structured array of all spikes, sorted by segment and sample.
        units: `(num_spikes,)` unit of each.
        first: index of the first spike that there is a waveform of.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`].
    """
    cut = waveforms.waveforms
    num_before, num_cut, num_samples = templates.num_before, cut.shape[1], templates.waveforms.shape[2]
    cut_before = waveforms.num_before + waveforms.margin
    is_on_channel = templates.waveforms.any(axis=2)
    states = templates.states_of(spikes)
    times = spikes["sample_index"].astype("int64")
    segments = spikes["segment_index"]
    own = np.arange(first, first + len(cut))
    for step in (-1, 1):
        other, row = own + step, own
        while True:
            is_there = (other >= 0) & (other < len(spikes))
            other, row = other[is_there], row[is_there]
            # First sample of the other's template in the cut, and whether any of it lies inside.
            start = times[other] - num_before - times[row] + cut_before
            is_inside = (start < num_cut) & (start + num_samples > 0) & (segments[other] == segments[row])
            other, row, start = other[is_inside], row[is_inside], start[is_inside]
            if len(row) == 0:
                break
            channels = waveforms.channels[waveforms.peak_channels[row - first]]
            is_seen = is_on_channel[states[other][:, None], units[other][:, None], channels]
            is_seen = (is_seen & (channels >= 0)).any(axis=1)
            for spike, near, state, unit, offset in zip(
                row[is_seen], channels[is_seen], states[other][is_seen], units[other][is_seen], start[is_seen]
            ):
                into = slice(max(offset, 0), min(offset + num_samples, num_cut))
                part = templates.waveforms[state, unit, into.start - offset : into.stop - offset][:, near]
                cut[spike - first, into] -= np.where(near >= 0, part, 0)
            other = other + step
    return waveforms
