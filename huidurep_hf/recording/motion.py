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
PRESET = "dredge_fast"


def follow_motion(prepared: PreparedRecording, switch: str, *, seed: int = 0) -> PreparedRecording:
    """Estimate motion (DREDge, Windolf et al. 2025) and move the traces back by interpolation between contacts.

    Args:
        prepared: recording; one without usable channels is given back as it is.
        switch: "auto" (where probe and duration allow an estimate, and it shows motion), "on" (always) or "off".
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
    extent = max(float(np.ptp(displacement)) for displacement in motion.displacement)
    if switch == "auto" and extent < MIN_MOTION_UM:
        return _with_step(prepared, f"motion not followed: it is {extent:.1f} um, below {MIN_MOTION_UM:g} um")
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
    moved = dataclasses.replace(prepared, recording=recording, noise_levels=estimate_noise_levels(recording, seed))
    return _with_step(moved, f"motion of {extent:.1f} um followed ({PRESET})")


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
