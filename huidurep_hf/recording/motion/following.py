"""Follow the slow motion of tissue along the probe, where the probe can show it."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from ..preprocessing.noise_sample import estimate_noise_levels
from ..preprocessing.preparation import PreparedRecording
from ..settings import MotionSettings
from .estimation import estimate_motion
from .states import displacements_of

if TYPE_CHECKING:
    from spikeinterface.core.motion import Motion


logger = logging.getLogger("huidurep_hf")

# Fewer contacts, or contacts over a shorter stretch of a shank, see a moving neuron leave before they can follow it.
MIN_CHANNELS = 24
MIN_EXTENT_UM = 250.0
MIN_DURATION_S = 20.0
MIN_PEAKS_PER_S = 5.0
# Motion below this is within the error of its estimate, and interpolation of traces costs a little of every spike.
MIN_MOTION_UM = 5.0
# Estimates from half of the spikes each must correlate so much. Few or faint spikes can look like motion as large as
# the probe; another half of them does not look like the same.
MIN_AGREEMENT = 0.5
# SDs of the noise. Where a shank has no neuron, what is found there is hash, which is the same wherever the tissue is.
SURE_PEAK = 8.0
# Nats by which the entropy of the corrected depths of a shank's spikes is lower with the shank's own motion, or with a
# multiple of the motion of all shanks, than with the motion of all. In simulations up to 0.03 where it moves as all do,
# 0.2 and more where it stands still or moves twice as far.
MAX_GAIN_ALONE = 0.1
OTHER_AMOUNTS = (0.0, 0.5, 2.0)
DEPTH_BIN_UM = 5.0
# Tissue moves slowly against this, but for jumps.
MEDIAN_FILTER_S = 9.0


def follow_motion(
    prepared: PreparedRecording,
    peaks: np.ndarray,
    locations_um: np.ndarray,
    settings: MotionSettings,
    *,
    seed: int = 0,
) -> PreparedRecording:
    """Estimate motion and correct the traces by interpolation between contacts.

    The shanks of a probe move as one; each must be one that can show it.

    Args:
        prepared: recording that [`check_motion`] allows; one without usable channels is given back as it is.
        peaks: SpikeInterface's structured array of peaks in it, sorted by segment and sample.
        locations_um: `(num_peaks, 2)` where the spikes are, µm on the probe. By the model, so that faint spikes show
            the motion, too (on noisy recordings few others are there), and places do not lean towards the contacts.
        settings: [`~huidurep_hf.recording.settings.MotionSettings`]; "auto" where probe, duration and spikes allow an
            estimate, it shows motion, and two halves of the spikes show the same; "on" wherever an estimate is
            possible.
        seed: of the halves, and of the stretches on which the noise is measured again.

    Returns:
        The recording, corrected or as given; where it is corrected, peaks and locations are to be found again, and the
        recording before is kept with it. Its last step says which, and why.
    """
    if prepared.recording is None:
        return prepared
    switch, motion = settings.motion, None
    reason = "switched off" if switch == "off" else _why_not(prepared) or _why_too_few(prepared, len(peaks))
    if reason is None:
        motion = estimate_motion(prepared, peaks, locations_um)
        reason = _why_not_believed(motion, prepared, peaks, locations_um, seed) if switch == "auto" else None
    if reason is not None:
        return _with_step(prepared, f"motion not followed: {reason}")
    corrected = _corrected(prepared, motion, settings, seed)
    return _with_step(corrected, f"motion of {motion_extent(motion):.1f} um followed (DREDge)")


def check_motion(prepared: PreparedRecording, switch: str) -> None:
    """Refuse, before detection, a recording whose motion cannot be followed.

    Raises:
        ValueError: motion is "on" for a probe or duration that does not allow an estimate.
    """
    reason = _why_not(prepared) if switch == "on" and prepared.recording is not None else None
    if reason:
        raise ValueError(f"Motion cannot be followed: {reason}. Set motion='auto' or motion='off'.")


def can_follow_motion(prepared: PreparedRecording, settings: MotionSettings) -> bool:
    """Whether the probe and the duration allow an estimate of motion, and it is not switched off."""
    return settings.motion != "off" and prepared.recording is not None and _why_not(prepared) is None


def motion_extent(motion: Motion) -> float:
    """Return how far an estimated motion goes, µm: the 5th to 95th percentile of its running median.

    Args:
        motion: SpikeInterface `Motion`; of its depths the one that moves most, its segments one after the other.
    """
    from scipy.ndimage import median_filter

    displacement, times = np.concatenate(motion.displacement), motion.temporal_bins_s[0]
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else MEDIAN_FILTER_S
    slow = median_filter(displacement, size=(max(round(MEDIAN_FILTER_S / step_s), 3), 1), mode="nearest")
    low, high = np.percentile(slow, [5, 95], axis=0)
    return float((high - low).max())


def agreement_of_parts(first: Motion, second: Motion) -> float:
    """Correlation of the motion that two parts of the spikes show; 0 where one shows none.

    Args:
        first, second: SpikeInterface `Motion`. Where each starts counts for nothing: it moves no spike against another.
    """

    def centered(one):
        displacement = np.concatenate(one.displacement)
        return (displacement - displacement.mean(axis=0)).ravel()

    first, second = centered(first), centered(second)
    norm = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / norm) if norm > 0 else 0.0


def _corrected(prepared: PreparedRecording, motion: Motion, settings: MotionSettings, seed: int) -> PreparedRecording:
    """The recording with its traces corrected, each shank by itself."""
    from .interpolation import InterpolatedShanksRecording
    from .noise_equalisation import NoiseEqualisedRecording

    recording = InterpolatedShanksRecording(prepared.recording, motion, prepared.shanks)
    if settings.equalise_noise == "on":
        recording = NoiseEqualisedRecording(recording, motion, prepared.noise_levels, seed)
    noise_levels = estimate_noise_levels(recording, seed)
    return dataclasses.replace(
        prepared,
        recording=recording,
        noise_levels=noise_levels,
        motion=motion,
        uncorrected=prepared if settings.drifting_templates == "on" else None,
    )


def _why_not_believed(
    motion: Motion, prepared: PreparedRecording, peaks: np.ndarray, locations_um: np.ndarray, seed: int
) -> str | None:
    """Reason why an estimate is not followed unless it is asked for, None where it is."""
    extent = motion_extent(motion)
    if extent < MIN_MOTION_UM:
        return f"it is {extent:.1f} um, below {MIN_MOTION_UM:g} um"
    in_half = np.random.default_rng(seed).random(len(peaks)) < 0.5
    halves = [estimate_motion(prepared, peaks[half], locations_um[half]) for half in (in_half, ~in_half)]
    agreement = agreement_of_parts(*halves)
    if agreement < MIN_AGREEMENT:
        return (
            f"two halves of the spikes show different ones (agreement {agreement:.2f}, below {MIN_AGREEMENT:g}; of "
            f"{extent:.1f} um)"
        )
    return _why_not_as_one(motion, prepared, peaks, locations_um)


def _why_not_as_one(
    motion: Motion, prepared: PreparedRecording, peaks: np.ndarray, locations_um: np.ndarray
) -> str | None:
    """Reason why shanks cannot be corrected together; None where each moves as all do, or has too few spikes."""
    shanks = prepared.shanks[peaks["channel_index"]]
    if shanks.max() == 0:
        return None
    is_sure = np.abs(peaks["amplitude"]) >= SURE_PEAK * prepared.noise_levels[peaks["channel_index"]]
    for shank in range(shanks.max() + 1):
        own = (shanks == shank) & is_sure
        if _why_too_few(prepared, own.sum()) is not None:
            continue
        # The own motion of a shank with few neurons is uncertain, so multiples of the common motion are tried as well.
        motions = [estimate_motion(prepared, peaks[own], locations_um[own])]
        motions += [_scaled(motion, factor) for factor in OTHER_AMOUNTS]
        together, *alone = (_depth_entropy(one, prepared, peaks[own], locations_um[own]) for one in [motion, *motions])
        if together - min(alone) > MAX_GAIN_ALONE:
            return f"shank {shank} moves otherwise than all shanks together (corrected with them, its spikes scatter)"
    return None


def _scaled(motion: Motion, factor: float) -> Motion:
    scaled = motion.copy()
    scaled.displacement = [factor * one for one in motion.displacement]
    return scaled


def _depth_entropy(motion: Motion, prepared: PreparedRecording, peaks: np.ndarray, locations_um: np.ndarray) -> float:
    """Entropy of the histogram of the drift-corrected depths of spikes, nats."""
    depths = locations_um[:, 1]
    segments, samples = peaks["segment_index"], peaks["sample_index"]
    corrected = depths - displacements_of(motion, prepared.recording, segments, samples, depths)
    shares = np.bincount(np.unique(np.floor(corrected / DEPTH_BIN_UM), return_inverse=True)[1]) / len(corrected)
    return float(entr(shares).sum())


def _why_not(prepared: PreparedRecording) -> str | None:
    """Reason why motion of this probe cannot be estimated, None where it can."""
    if len(prepared.recording.get_probes()) > 1:
        return "there are several probes"
    counts = np.bincount(prepared.shanks)
    of_a_shank = " of a shank" if len(counts) > 1 else ""
    if counts.min() < MIN_CHANNELS:
        return f"{counts.min()} channels{of_a_shank} are fewer than {MIN_CHANNELS}"
    extent = min(float(np.ptp(prepared.positions[prepared.shanks == shank, 1])) for shank in range(len(counts)))
    if extent < MIN_EXTENT_UM:
        return f"the contacts{of_a_shank} span {extent:.0f} um along the probe, less than {MIN_EXTENT_UM:g} um"
    duration = prepared.recording.get_total_duration()
    if duration < MIN_DURATION_S:
        return f"{duration:.0f} s are too short"
    return None


def _why_too_few(prepared: PreparedRecording, num_peaks: int) -> str | None:
    duration = prepared.recording.get_total_duration()
    if num_peaks < MIN_PEAKS_PER_S * duration:
        return f"{num_peaks} spikes in {duration:.0f} s are too few"
    return None


def _with_step(prepared: PreparedRecording, step: str) -> PreparedRecording:
    logger.info("prepare: %s", step)
    return dataclasses.replace(prepared, steps=[*prepared.steps, step])
