"""How likely each spike is of its unit, and not of another near it or noise."""

import numpy as np

from .matching import MIN_GAIN
from .spike_waveforms import SpikeWaveforms
from .template_fit import fit_templates
from .templates import average_templates, template_window

EVENTS_PER_BLOCK = 50_000


def spike_probabilities(units, samples, events, whitened, seed=0):
    """Judge every spike by its whitened waveform, less the templates of the spikes that overlap it.

    Args:
        units: `(num_events,)` from 0 without gaps, -1 for events of no unit.
        samples: `(num_events,)` times in samples; one alignment in each unit.
        events: structured array of the same events.
        whitened: whitened [`~huidurep_hf.recording.preparation.PreparedRecording`].
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
    rate = whitened.recording.get_sampling_frequency()
    templates = average_templates(units, samples, events, whitened, seed)
    num_before, _ = template_window(rate)
    # In blocks, to bound memory.
    for first in range(0, len(spikes), EVENTS_PER_BLOCK):
        block = slice(first, first + EVENTS_PER_BLOCK)
        waveforms = SpikeWaveforms.cut(whitened, moved[block])
        subtract_overlaps(waveforms, moved, units[spikes], first, templates, num_before)
        start = num_before - waveforms.num_before
        fit = fit_templates(
            waveforms,
            templates[:, start : start + waveforms.num_samples],
            np.zeros(len(waveforms.waveforms), dtype="int64"),
            rate,
            noise_gain=MIN_GAIN,
            judged=units[spikes[block]],
        )
        probabilities[spikes[block]] = fit.probabilities
    return probabilities


def subtract_overlaps(waveforms, spikes, units, first, templates, num_before):
    """Take the templates of overlapping spikes out of waveforms, in place.

    Args:
        waveforms: [`~huidurep_hf.sorting.spike_waveforms.SpikeWaveforms`] of consecutive spikes.
        spikes: structured array of all spikes, sorted by segment and sample.
        units: `(num_spikes,)` unit of each.
        first: index of the first spike that there is a waveform of.
        templates: `(num_units, num_samples, num_channels)`.
        num_before: sample of the templates at which spikes have their time.
    """
    cut = waveforms.waveforms
    num_cut, num_samples = cut.shape[1], templates.shape[1]
    cut_before = waveforms.num_before + waveforms.margin
    is_on_channel = templates.any(axis=1)
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
            is_seen = (is_on_channel[units[other][:, None], channels] & (channels >= 0)).any(axis=1)
            for spike, near, unit, offset in zip(
                row[is_seen], channels[is_seen], units[other][is_seen], start[is_seen]
            ):
                into = slice(max(offset, 0), min(offset + num_samples, num_cut))
                part = templates[unit, into.start - offset : into.stop - offset][:, near]
                cut[spike - first, into] -= np.where(near >= 0, part, 0)
            other = other + step
    return waveforms
