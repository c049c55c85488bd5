"""Templates: what the spikes of a unit look like on average."""

import numpy as np

TEMPLATE_MS_BEFORE, TEMPLATE_MS_AFTER = 1.0, 2.0
MAX_SPIKES_PER_TEMPLATE = 500


def template_window(sampling_rate):
    """Samples of a template before and from the peak on, `(num_before, num_after)`."""
    return int(TEMPLATE_MS_BEFORE * sampling_rate / 1000), int(TEMPLATE_MS_AFTER * sampling_rate / 1000)


def average_templates(labels, samples, peaks, prepared, seed=0):
    """Average the traces around at most 500 spikes of each cluster.

    Args:
        labels: `(num_spikes,)` from 0 without gaps, -1 for outliers.
        samples: `(num_spikes,)` times in samples.
        peaks: structured array of the same spikes.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        seed: of the choice of spikes.

    Returns:
        `(num_units, num_samples, num_channels)` float32 on all channels, in noise units; 1 ms before to 2 ms after.
    """
    from spikeinterface.core import estimate_templates
    from spikeinterface.core.base import minimum_spike_dtype

    if labels.max(initial=-1) < 0:
        return np.zeros((0, 0, len(prepared.noise_levels)), dtype="float32")
    recording = prepared.recording
    num_before, num_after = template_window(recording.get_sampling_frequency())
    num_samples = np.array([recording.get_num_samples(i) for i in range(recording.get_num_segments())])
    is_inside = (samples >= num_before) & (samples < num_samples[peaks["segment_index"]] - num_after)
    rng = np.random.default_rng(seed)
    chosen = []
    for unit in range(labels.max(initial=-1) + 1):
        members = np.flatnonzero((labels == unit) & is_inside)
        chosen.append(rng.permutation(members)[:MAX_SPIKES_PER_TEMPLATE])
    chosen = np.concatenate(chosen)
    chosen = chosen[np.lexsort((samples[chosen], peaks["segment_index"][chosen]))]
    spikes = np.zeros(len(chosen), dtype=minimum_spike_dtype)
    spikes["sample_index"] = samples[chosen]
    spikes["segment_index"] = peaks["segment_index"][chosen]
    spikes["unit_index"] = labels[chosen]
    unit_ids = np.arange(labels.max() + 1)
    templates = estimate_templates(
        recording, spikes, unit_ids, num_before, num_after, return_in_uV=False, n_jobs=1, progress_bar=False
    )
    # A unit of which every spike is cut off by the ends of the recording has no template.
    return np.nan_to_num(templates) / prepared.noise_levels


def signed(templates, peak_sign):
    """Templates turned so that what detection looks for is positive: troughs ("neg"), peaks ("pos") or "both"."""
    return {"neg": -templates, "pos": templates, "both": np.abs(templates)}[peak_sign]
