"""Threshold crossings: one peak per spike and neighbourhood."""

import numpy as np


def detect(recording, noise_levels, groups, *, threshold=5.0, peak_sign="neg", radius_um=75.0, exclude_sweep_ms=0.5):
    """Find peaks with SpikeInterface's locally exclusive detection, shank by shank in one pass over the traces.

    Args:
        recording: prepared SpikeInterface recording.
        noise_levels: `(num_channels,)`, all above 0, in the unit of the traces.
        groups: `(num_channels,)` shank of each channel; peaks of different shanks do not suppress each other.
        threshold: in units of `noise_levels`.
        peak_sign: "neg", "pos" or "both".
        radius_um: of all peaks within this distance, only the largest in its time is kept.
        exclude_sweep_ms: that time, before and after the peak. Peaks closer than this to the ends of a segment are
            not found.

    Returns:
        Structured array `(num_peaks,)` with `sample_index`, `channel_index`, `amplitude`, `segment_index`, sorted by
        segment, then sample.

    Raises:
        ValueError: a noise level that is not above 0, with which every sample would be a peak.
    """
    from spikeinterface.core.node_pipeline import run_node_pipeline
    from spikeinterface.sortingcomponents.peak_detection.locally_exclusive import LocallyExclusivePeakDetector

    if not (noise_levels > 0).all():
        silent = recording.channel_ids[~(noise_levels > 0)]
        raise ValueError(f"Noise levels must be above 0; channels {list(silent)} have none. Leave them out first.")
    detector = LocallyExclusivePeakDetector(
        recording,
        peak_sign=peak_sign,
        detect_threshold=threshold,
        exclude_sweep_ms=exclude_sweep_ms,
        radius_um=radius_um,
        noise_levels=noise_levels,
    )
    # Tetrodes of one file often share the same nominal positions.
    detector.neighbours_mask = detector.neighbours_mask & (groups[:, None] == groups[None, :])
    job = {"n_jobs": 1, "chunk_duration": "1s", "progress_bar": False}
    peaks = run_node_pipeline(recording, [detector], job, job_name="detect peaks", squeeze_output=True)
    return peaks[np.lexsort((peaks["channel_index"], peaks["sample_index"], peaks["segment_index"]))]
