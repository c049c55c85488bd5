"""Template matching over the whole recording, which finds overlapped and missed spikes."""

import numpy as np

# Twice the log likelihood ratio that makes a spike. Twice the log odds of "no spike of this unit at this sample" are
# about 17: a unit of 5 Hz fires in one sample of 6000. Unsorted faint neurons around it are likelier than noise. On
# development recordings 18 to 22 are alike, 20 the best of them by little, and 11 and 25 worse.
MIN_GAIN = 20.0
REFRACTORY_MS = 0.33
# A unit whose template is below this, in SDs of the noise, is out of sight: a third of the energy that is asked for.
MIN_NORM = 2.5
# A stretch of a recording is matched with this much more at both ends.
MARGIN_MS = 10.0


def match_templates(whitened, templates, min_gain=MIN_GAIN):
    """Find every spike of known units, also where two overlap (Wobble, after YASS, Lee et al. 2020).

    Args:
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], as recorded.
        templates: [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`].
        min_gain: energy that a template must take away, in variances of the noise.

    Returns:
        Structured array sorted by segment and sample, with `sample_index`, `segment_index`, `cluster_index` (the unit)
        and `channel_index` (the unit's peak channel at rest).
    """
    from spikeinterface.core import append_recordings
    from spikeinterface.sortingcomponents.matching.base import _base_matching_dtype

    recording = whitened.recording
    margin = round(MARGIN_MS * 1e-3 * recording.get_sampling_frequency())
    found = [np.zeros(0, dtype=_base_matching_dtype)]
    for state, waveforms in enumerate(templates.waveforms):
        is_there = np.linalg.norm(waveforms, axis=(1, 2)) > MIN_NORM
        spans = templates.states.spans(state)
        if not is_there.any() or not spans:
            continue
        pieces, firsts = [], []
        for segment, start, stop in spans:
            firsts.append(max(start - margin, 0))
            last = min(stop + margin, recording.get_num_samples(segment))
            pieces.append(recording.select_segments([segment]).frame_slice(firsts[-1], last))
        spikes = _match(append_recordings(pieces), waveforms[is_there], templates.num_before, min_gain)
        spikes["cluster_index"] = np.flatnonzero(is_there)[spikes["cluster_index"]]
        for piece, (first, (segment, start, stop)) in enumerate(zip(firsts, spans)):
            own = spikes[spikes["segment_index"] == piece]
            own["sample_index"] += first
            own["segment_index"] = segment
            found.append(own[(own["sample_index"] >= start) & (own["sample_index"] < stop)])
    spikes = np.concatenate(found)
    # Wobble gives the index among a unit's own channels.
    spikes["channel_index"] = templates.channels[spikes["cluster_index"]]
    return spikes[np.lexsort((spikes["cluster_index"], spikes["sample_index"], spikes["segment_index"]))]


def _match(recording, waveforms, num_before, min_gain):
    from spikeinterface.core import ChannelSparsity, Templates
    from spikeinterface.sortingcomponents.matching import find_spikes_from_templates

    rate = recording.get_sampling_frequency()
    unit_ids = np.arange(len(waveforms))
    templates = Templates(
        waveforms,
        rate,
        num_before,
        is_in_uV=False,
        channel_ids=recording.channel_ids,
        unit_ids=unit_ids,
    )
    return find_spikes_from_templates(
        recording,
        templates.to_sparse(ChannelSparsity(waveforms.any(axis=1), unit_ids, recording.channel_ids)),
        method="wobble",
        method_kwargs={
            "parameters": {
                "threshold": min_gain,
                "refractory_period_frames": max(round(REFRACTORY_MS * 1e-3 * rate), 1),
            }
        },
        job_kwargs={"n_jobs": 1, "chunk_duration": "1s", "progress_bar": False},
    )
