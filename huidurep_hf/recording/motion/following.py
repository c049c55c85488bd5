"""Follow the slow motion of tissue along the probe, where the probe can show it."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from ..parameters import PreparationParameters
from ..preprocessing.noise_sample import estimate_noise_levels
from ..preprocessing.preparation import PreparedRecording
from ..settings import MotionSettings
from ..times import recorded_s
from .estimation import estimate_motion
from .states import displacements_of

if TYPE_CHECKING:
    from spikeinterface.core.motion import Motion


logger = logging.getLogger("huidurep_hf")

# Multiples of the motion of all shanks with which a shank's spikes are corrected for comparison.
OTHER_AMOUNTS = (0.0, 0.5, 2.0)


def follow_motion(
    prepared: PreparedRecording,
    peaks: np.ndarray,
    locations_um: np.ndarray,
    parameters: PreparationParameters,
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
        parameters: [`~huidurep_hf.recording.parameters.PreparationParameters`]. With `motion` "auto" it is followed
            where probe, duration and spikes allow an estimate, it shows motion, and two halves of the spikes show the
            same; with "on" wherever an estimate is possible.
        seed: of the halves, and of the stretches on which the noise is measured again.

    Returns:
        The recording, corrected or as given; where it is corrected, peaks and locations are to be found again, and the
        recording before is kept with it. Its last step says which, and why.
    """
    if prepared.recording is None:
        return prepared
    settings, motion = parameters.motion_correction, None
    reason = "switched off"
    if settings.motion != "off":
        reason = _why_not(prepared, settings) or _why_too_few(prepared, len(peaks), settings)
    if reason is None:
        motion = estimate_motion(prepared, peaks, locations_um, parameters.motion_estimation)
        if settings.motion == "auto":
            reason = _why_not_believed(motion, prepared, peaks, locations_um, parameters, seed)
    if reason is not None:
        return _with_step(prepared, f"motion not followed: {reason}")
    corrected = _corrected(prepared, motion, parameters, seed)
    return _with_step(corrected, f"motion of {motion_extent(motion, settings):.1f} um followed (DREDge)")


def check_motion(prepared: PreparedRecording, settings: MotionSettings) -> None:
    """Refuse, before detection, a recording whose motion cannot be followed.

    Raises:
        ValueError: motion is "on" for a probe or duration that does not allow an estimate.
    """
    is_checked = settings.motion == "on" and prepared.recording is not None
    reason = _why_not(prepared, settings) if is_checked else None
    if reason:
        raise ValueError(f"Motion cannot be followed: {reason}. Set motion='auto' or motion='off'.")


def can_follow_motion(prepared: PreparedRecording, settings: MotionSettings) -> bool:
    """Whether the probe and the duration allow an estimate of motion, and it is not switched off."""
    return settings.motion != "off" and prepared.recording is not None and _why_not(prepared, settings) is None


def motion_extent(motion: Motion, settings: MotionSettings) -> float:
    """Return how far an estimated motion goes, µm: from a low to a high percentile of its running median.

    Args:
        motion: SpikeInterface `Motion`; of its depths the one that moves most, its segments one after the other.
        settings: time of the median, and the percentile.
    """
    from scipy.ndimage import median_filter

    displacement, times = np.concatenate(motion.displacement), motion.temporal_bins_s[0]
    median_s, percentile = settings.motion_median_s, settings.motion_extent_percentile
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else median_s
    slow = median_filter(displacement, size=(max(round(median_s / step_s), 3), 1), mode="nearest")
    low, high = np.percentile(slow, [percentile, 100 - percentile], axis=0)
    return float((high - low).max())


def agreement_of_parts(first: Motion, second: Motion) -> float:
    """Correlation of the motion that two parts of the spikes show; 0 where one shows none.

    Args:
        first, second: SpikeInterface `Motion`. Where each starts counts for nothing: it moves no spike against another.
    """

    def centered(one: Motion) -> np.ndarray:
        displacement = np.concatenate(one.displacement)
        return (displacement - displacement.mean(axis=0)).ravel()

    first, second = centered(first), centered(second)
    norm = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / norm) if norm > 0 else 0.0


def _corrected(
    prepared: PreparedRecording, motion: Motion, parameters: PreparationParameters, seed: int
) -> PreparedRecording:
    """The recording with its traces corrected, each shank by itself."""
    from .interpolation import InterpolatedShanksRecording
    from .noise_equalisation import NoiseEqualisedRecording

    settings, equalisation = parameters.motion_correction, parameters.noise_equalisation
    sigma_um = settings.interpolation_sigma_um
    recording = InterpolatedShanksRecording(prepared.recording, motion, prepared.shanks, sigma_um)
    if equalisation.equalise_noise == "on":
        recording = NoiseEqualisedRecording(recording, motion, prepared.noise_levels, equalisation, seed)
    noise_levels = estimate_noise_levels(recording, parameters.noise, seed)
    return dataclasses.replace(
        prepared,
        recording=recording,
        noise_levels=noise_levels,
        motion=motion,
        uncorrected=prepared if settings.drifting_templates == "on" else None,
    )


def _why_not_believed(
    motion: Motion,
    prepared: PreparedRecording,
    peaks: np.ndarray,
    locations_um: np.ndarray,
    parameters: PreparationParameters,
    seed: int,
) -> str | None:
    """Reason why an estimate is not followed unless it is asked for, None where it is."""
    settings, estimation = parameters.motion_correction, parameters.motion_estimation
    extent = motion_extent(motion, settings)
    if extent < settings.min_motion_um:
        return f"it is {extent:.1f} um, below {settings.min_motion_um:g} um"
    in_half = np.random.default_rng(seed).random(len(peaks)) < 0.5
    halves = [estimate_motion(prepared, peaks[half], locations_um[half], estimation) for half in (in_half, ~in_half)]
    agreement = agreement_of_parts(*halves)
    if agreement < settings.min_motion_agreement:
        return (
            f"two halves of the spikes show different ones (agreement {agreement:.2f}, below "
            f"{settings.min_motion_agreement:g}; of {extent:.1f} um)"
        )
    return _why_not_as_one(motion, prepared, peaks, locations_um, parameters)


def _why_not_as_one(
    motion: Motion,
    prepared: PreparedRecording,
    peaks: np.ndarray,
    locations_um: np.ndarray,
    parameters: PreparationParameters,
) -> str | None:
    """Reason why shanks cannot be corrected together; None where each moves as all do, or has too few spikes."""
    shanks = prepared.shanks[peaks["channel_index"]]
    if shanks.max() == 0:
        return None
    settings, estimation = parameters.motion_correction, parameters.motion_estimation
    is_sure = np.abs(peaks["amplitude"]) >= settings.sure_peak_sd * prepared.noise_levels[peaks["channel_index"]]
    for shank in range(shanks.max() + 1):
        own = (shanks == shank) & is_sure
        if _why_too_few(prepared, own.sum(), settings) is not None:
            continue
        # The own motion of a shank with few neurons is uncertain, so multiples of the common motion are tried as well.
        motions = [estimate_motion(prepared, peaks[own], locations_um[own], estimation)]
        motions += [_scaled(motion, factor) for factor in OTHER_AMOUNTS]
        together, *alone = (
            _depth_entropy(one, prepared, peaks[own], locations_um[own], settings.entropy_bin_um)
            for one in [motion, *motions]
        )
        if together - min(alone) > settings.max_entropy_gain_alone:
            return f"shank {shank} moves otherwise than all shanks together (corrected with them, its spikes scatter)"
    return None


def _scaled(motion: Motion, factor: float) -> Motion:
    scaled = motion.copy()
    scaled.displacement = [factor * one for one in motion.displacement]
    return scaled


def _depth_entropy(
    motion: Motion, prepared: PreparedRecording, peaks: np.ndarray, locations_um: np.ndarray, bin_um: float
) -> float:
    """Entropy of the histogram of the drift-corrected depths of spikes, nats."""
    depths = locations_um[:, 1]
    segments, samples = peaks["segment_index"], peaks["sample_index"]
    corrected = depths - displacements_of(motion, prepared.recording, segments, samples, depths)
    shares = np.bincount(np.unique(np.floor(corrected / bin_um), return_inverse=True)[1]) / len(corrected)
    return float(entr(shares).sum())


def _why_not(prepared: PreparedRecording, settings: MotionSettings) -> str | None:
    """Reason why motion of this probe cannot be estimated, None where it can."""
    if len(prepared.recording.get_probes()) > 1:
        return "there are several probes"
    counts = np.bincount(prepared.shanks)
    of_a_shank = " of a shank" if len(counts) > 1 else ""
    if counts.min() < settings.min_motion_channels:
        return f"{counts.min()} channels{of_a_shank} are fewer than {settings.min_motion_channels}"
    extent = min(float(np.ptp(prepared.positions[prepared.shanks == shank, 1])) for shank in range(len(counts)))
    least = settings.min_motion_span_um
    if extent < least:
        return f"the contacts{of_a_shank} span {extent:.0f} um along the probe, less than {least:g} um"
    duration = recorded_s(prepared.recording)
    if duration < settings.min_motion_duration_s:
        return f"{duration:.0f} s are too short"
    return None


def _why_too_few(prepared: PreparedRecording, num_peaks: int, settings: MotionSettings) -> str | None:
    duration = recorded_s(prepared.recording)
    if num_peaks < settings.min_motion_peaks_per_s * duration:
        return f"{num_peaks} spikes in {duration:.0f} s are too few"
    return None


def _with_step(prepared: PreparedRecording, step: str) -> PreparedRecording:
    logger.info("prepare: %s", step)
    return dataclasses.replace(prepared, steps=[*prepared.steps, step])
