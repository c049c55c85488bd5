"""Template matching over the whole recording, which finds overlapped and missed spikes."""

import numpy as np

# Twice the log likelihood ratio that makes a spike. Twice the log odds of "no spike of this unit at this sample" are
# about 17: a unit of 5 Hz fires in one sample of 6000. On development recordings 16 and 18 are alike, 11 is worse.
MIN_GAIN = 18.0
REFRACTORY_MS = 0.33
# Channels whose average stands this far out of its own noise (peak to peak, over a window of whitened noise).
NUM_DEVIATIONS_PEAK_TO_PEAK = 4.0
MIN_PEAK_TO_PEAK = 0.3


def match_templates(whitened, templates, num_before, min_gain=MIN_GAIN):
    """Find every spike of known units, also where two overlap (Wobble, after YASS, Lee et al. 2020).

    Args:
        whitened: whitened [`~huidurep_hf.recording.preparation.PreparedRecording`].
        templates: `(num_units, num_samples, num_channels)` float32, SDs of the noise; 0 on channels on which a unit
            is not looked for.
        num_before: sample of the templates at which spikes have their time.
        min_gain: energy that a template must take away, in variances of the noise.

    Returns:
        Structured array sorted by segment and sample, with `sample_index`, `segment_index`, `cluster_index` (the unit)
        and `channel_index` (the unit's peak channel).
    """
    from spikeinterface.core import ChannelSparsity, Templates
    from spikeinterface.sortingcomponents.matching import find_spikes_from_templates

    recording = whitened.recording
    rate = recording.get_sampling_frequency()
    unit_ids = np.arange(len(templates))
    kept = Templates(
        templates,
        rate,
        num_before,
        is_in_uV=False,
        channel_ids=recording.channel_ids,
        unit_ids=unit_ids,
        probe=recording.get_probe(),
    )
    spikes = find_spikes_from_templates(
        recording,
        kept.to_sparse(ChannelSparsity(templates.any(axis=1), unit_ids, recording.channel_ids)),
        method="wobble",
        method_kwargs={
            "parameters": {
                "threshold": min_gain,
                "refractory_period_frames": max(round(REFRACTORY_MS * 1e-3 * rate), 1),
            }
        },
        job_kwargs={"n_jobs": 1, "chunk_duration": "1s", "progress_bar": False},
    )
    # Wobble gives the index among a unit's own channels.
    spikes["channel_index"] = np.ptp(templates, axis=1).argmax(axis=1)[spikes["cluster_index"]]
    return spikes[np.lexsort((spikes["cluster_index"], spikes["sample_index"], spikes["segment_index"]))]


def visible_part(templates, counts, neighborhoods):
    """Templates without the channels on which a unit is not seen.

    Args:
        templates: `(num_units, num_samples, num_channels)` averages, SDs of the noise.
        counts: `(num_units,)` spikes that each was averaged from.
        neighborhoods: [`~huidurep_hf.recording.neighborhood.Neighborhoods`]: how far from its peak channel a unit can
            be seen.

    Returns:
        The same with 0 on other channels; the peak channel stays.
    """
    peak_to_peak = np.ptp(templates, axis=1)
    limit = np.maximum(MIN_PEAK_TO_PEAK, NUM_DEVIATIONS_PEAK_TO_PEAK / np.sqrt(np.maximum(counts, 1)))
    is_kept = np.zeros(peak_to_peak.shape, dtype=bool)
    for unit, channel in enumerate(peak_to_peak.argmax(axis=1)):
        near = neighborhoods.channel_indices[channel][neighborhoods.mask[channel]]
        is_kept[unit, near] = peak_to_peak[unit, near] > limit[unit]
        is_kept[unit, channel] = True
    return np.where(is_kept[:, None, :], templates, 0).astype("float32")
