"""Threshold crossings: one peak per spike and neighbourhood."""

import dataclasses
import logging

import numpy as np

logger = logging.getLogger("huidurep_hf")

# So many seconds and peaks tell whether spikes point the way that they are looked for. A tenth to a quarter of the
# peaks of development recordings point up.
SIGN_SECONDS, SIGN_PEAKS = 20.0, 30
MAX_OTHER_SIGN = 0.6


def detect(prepared, *, threshold=4.5, peak_sign="neg", radius_um=75.0, exclude_sweep_ms=0.5):
    """Find peaks with SpikeInterface's locally exclusive detection, all shanks in one pass over the traces.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        threshold: in units of each channel's noise.
        peak_sign: "neg", "pos" or "both".
        radius_um: of all peaks within this distance on one shank, only the largest in its time is kept.
        exclude_sweep_ms: that time, before and after the peak. Peaks closer than this to the ends of a segment are
            not found.

    Returns:
        Structured array `(num_peaks,)` with `sample_index`, `channel_index`, `amplitude` (in the unit of the traces)
        and `segment_index`, sorted by segment, then sample; no peaks where no channel is usable.
    """
    from spikeinterface.core.base import base_peak_dtype
    from spikeinterface.core.node_pipeline import run_node_pipeline
    from spikeinterface.sortingcomponents.peak_detection.locally_exclusive import LocallyExclusivePeakDetector

    if prepared.recording is None:
        return np.zeros(0, dtype=base_peak_dtype)
    detector = LocallyExclusivePeakDetector(
        prepared.recording,
        peak_sign=peak_sign,
        detect_threshold=threshold,
        exclude_sweep_ms=exclude_sweep_ms,
        radius_um=radius_um,
        noise_levels=prepared.noise_levels,
    )
    # Tetrodes of one file often share the same nominal positions.
    detector.neighbours_mask = detector.neighbours_mask & (prepared.groups[:, None] == prepared.groups[None, :])
    job = {"n_jobs": 1, "chunk_duration": "1s", "progress_bar": False}
    peaks = run_node_pipeline(prepared.recording, [detector], job, job_name="detect peaks", squeeze_output=True)
    return peaks[np.lexsort((peaks["channel_index"], peaks["sample_index"], peaks["segment_index"]))]


def check_sign(prepared, *, peak_sign="neg", **detection):
    """Warn where most spikes point the other way: amplifiers may turn the sign.

    Args:
        prepared, peak_sign: as for [`detect`]. 20 s in the middle of the longest segment are looked at.
        detection: its other arguments.
    """
    if prepared.recording is None or peak_sign == "both":
        return
    recording = prepared.recording
    num_samples = [recording.get_num_samples(segment) for segment in range(recording.get_num_segments())]
    longest, width = int(np.argmax(num_samples)), round(SIGN_SECONDS * recording.get_sampling_frequency())
    start = max(num_samples[longest] - width, 0) // 2
    part = recording.select_segments([longest]).frame_slice(start, min(start + width, num_samples[longest]))
    peaks = detect(dataclasses.replace(prepared, recording=part), peak_sign="both", **detection)
    is_other = peaks["amplitude"] > 0 if peak_sign == "neg" else peaks["amplitude"] < 0
    if len(peaks) >= SIGN_PEAKS and is_other.mean() > MAX_OTHER_SIGN:
        logger.warning(
            "%.0f %% of the large deflections point %s, and spikes are looked for that point %s: the sign of the "
            "recording may be turned. Sort with peak_sign=%r, or turn it.",
            100 * is_other.mean(),
            *(("up", "down", "pos") if peak_sign == "neg" else ("down", "up", "neg")),
        )
