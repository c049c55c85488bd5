"""Follow the slow motion of tissue along the probe, where the probe can show it."""

import dataclasses
import logging

import numpy as np

from .preparation import PreparedRecording, estimate_noise_levels, keep_in_memory

logger = logging.getLogger("huidurep_hf")

# Fewer contacts, or contacts over a shorter stretch of a shank, see a moving neuron leave before they can follow it.
MIN_CHANNELS = 24
MIN_EXTENT_UM = 250.0
MIN_DURATION_S = 20.0
# Motion below this is within the error of its estimate, and interpolation of traces costs a little of every spike.
MIN_MOTION_UM = 5.0
# Tissue moves slowly against 9 s, but for jumps; an estimate that scatters about its own running median by more than
# this share of the slow motion follows the noise of too few spikes.
MEDIAN_FILTER_S = 9.0
MAX_RELATIVE_SCATTER = 0.15
PRESET = "dredge_fast"


def follow_motion(prepared: PreparedRecording, switch: str, *, seed: int = 0) -> PreparedRecording:
    """Estimate motion (DREDge, Windolf et al. 2025) and move the traces back by interpolation between contacts.

    Args:
        prepared: recording; one without usable channels is given back as it is.
        switch: "auto" (where probe and duration allow an estimate, and the estimate shows motion and is steady),
            "on" (always) or "off".
        seed: of the chunks on which the noise is measured again.

    Returns:
        The recording, corrected or as given. Its last step says which, and why.

    Raises:
        ValueError: motion is "on" for a recording that does not allow an estimate.
    """
    if prepared.recording is None:
        return prepared
    reason = "switched off" if switch == "off" else _why_not(prepared)
    if reason and switch == "on":
        raise ValueError(f"Motion cannot be followed: {reason}. Set motion='auto' or motion='off'.")
    if reason:
        return _with_step(prepared, f"motion not followed: {reason}")

    from spikeinterface.preprocessing import compute_motion
    from spikeinterface.sortingcomponents.motion import InterpolateMotionRecording

    motion = compute_motion(prepared.recording, preset=PRESET, n_jobs=1, progress_bar=False)
    extent, scatter = extent_and_scatter(motion)
    if switch == "auto" and extent < MIN_MOTION_UM:
        return _with_step(prepared, f"motion not followed: it is {extent:.1f} um, below {MIN_MOTION_UM:g} um")
    if switch == "auto" and scatter > MAX_RELATIVE_SCATTER * extent:
        return _with_step(
            prepared, f"motion not followed: its estimate of {extent:.1f} um scatters by {scatter:.1f} um"
        )
    recording = InterpolateMotionRecording(
        prepared.recording,
        motion,
        border_mode="force_extrapolate",
        spatial_interpolation_method="kriging",
        sigma_um=20.0,
        p=2,
        dtype="float32",
    )
    recording = keep_in_memory(recording)
    noise_levels = estimate_noise_levels(recording, seed)
    moved = dataclasses.replace(prepared, recording=recording, noise_levels=noise_levels, motion=motion)
    return _with_step(moved, f"motion of {extent:.1f} um followed ({PRESET})")


def extent_and_scatter(motion):
    """How far an estimated motion goes, and how far the estimate scatters about its running median.

    Args:
        motion: SpikeInterface `Motion`.

    Returns:
        `(extent, scatter)` in µm, the largest over segments and depths: the 5th to 95th percentile of the running
        median, and a standard deviation that rare jumps do not change.
    """
    from scipy.ndimage import median_filter

    extents, scatters = [0.0], [0.0]
    for displacement, times in zip(motion.displacement, motion.temporal_bins_s):
        step_s = float(np.median(np.diff(times))) if len(times) > 1 else MEDIAN_FILTER_S
        slow = median_filter(displacement, size=(max(round(MEDIAN_FILTER_S / step_s), 3), 1), mode="nearest")
        low, high = np.percentile(slow, [5, 95], axis=0)
        extents.append(float((high - low).max()))
        scatters.append(float(np.median(np.abs(displacement - slow), axis=0).max()) / 0.6745)
    return max(extents), max(scatters)


def _why_not(prepared) -> str | None:
    """Reason why motion cannot be estimated, None where it can."""
    groups, counts = np.unique(prepared.groups, return_counts=True)
    if len(groups) > 1:
        return "the probe has several shanks"
    if counts[0] < MIN_CHANNELS:
        return f"{counts[0]} channels are fewer than {MIN_CHANNELS}"
    extent = float(np.ptp(prepared.positions[:, 1]))
    if extent < MIN_EXTENT_UM:
        return f"the contacts span {extent:.0f} um along the probe, less than {MIN_EXTENT_UM:g} um"
    duration = prepared.recording.get_total_duration()
    if duration < MIN_DURATION_S:
        return f"{duration:.0f} s are too short"
    return None


def _with_step(prepared, step) -> PreparedRecording:
    logger.info("prepare: %s", step)
    return dataclasses.replace(prepared, steps=[*prepared.steps, step])
