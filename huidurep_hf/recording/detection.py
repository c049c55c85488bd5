"""Threshold crossings: one peak per spike and neighbourhood."""

import numpy as np


def detect(prepared, *, threshold=4.5, peak_sign="neg", radius_um=75.0, exclude_sweep_ms=0.5):
    """Find peaks with SpikeInterface's locally exclusive detection, all shanks in one pass over the traces.

    Args:
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
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
