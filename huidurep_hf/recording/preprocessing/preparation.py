"""From any recording to filtered float traces whose noise is known."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..parameters import PreparationParameters
from ..settings import BadChannelSettings, PreprocessingSettings
from ..sources.probe import with_probe
from .bad_channels import classify_channels_by_noise, find_copies
from .lines import LinesRemovedRecording, find_lines
from .noise_over_time import NoiseOverTime
from .noise_sample import NoiseSample, column_medians
from .non_finite import FiniteRecording, count_non_finite
from .phase_shift import align_sampling_times
from .steps import usual_steps

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording
    from spikeinterface.core.motion import Motion

    from ...workers import Workers


logger = logging.getLogger("huidurep_hf")

# With more channels than this, fewer samples than channels are taken for swapped axes.
MAX_UNSUSPECTED_CHANNELS = 32


@dataclass(frozen=True)
class PreparedRecording:
    """A recording ready for detection, and how it came to be.

    Attributes:
        recording: filtered float32 SpikeInterface recording of the usable channels and segments; `None` if there
            are none.
        noise_levels: `(num_channels,)` SD of the noise (median absolute deviation), in the unit of the traces.
        positions: `(num_channels, 2)` contact positions, µm.
        shanks: `(num_channels,)` shank of each channel, numbered from 0.
        channel_indices: `(num_channels,)` index of each channel in the original recording.
        segment_indices: `(num_segments,)` index of each segment in the original recording.
        unit: "uV", or "raw" where the gain is unknown.
        steps: what was done, in words and in order.
        excluded_channels: reason -> ids of the channels left out.
        noise_over_time: how much louder the noise is at times; `None` where it was not measured.
        blanked: `(segment, start, stop, reason)` of each period that was set to zero; samples of this recording.
        motion: SpikeInterface `Motion` that the traces are corrected for; `None` if they are as recorded.
        uncorrected: the same before the correction; `None` if there was none.
    """

    recording: BaseRecording | None
    noise_levels: np.ndarray
    positions: np.ndarray
    shanks: np.ndarray
    channel_indices: np.ndarray
    segment_indices: np.ndarray
    unit: str
    steps: list[str] = field(default_factory=list)
    excluded_channels: dict[str, list] = field(default_factory=dict)
    noise_over_time: NoiseOverTime | None = None
    blanked: list[tuple] = field(default_factory=list)
    motion: Motion | None = None
    uncorrected: PreparedRecording | None = None

    @property
    def is_corrected(self) -> bool:
        """Whether the traces are corrected for motion."""
        return self.motion is not None

    @property
    def templates_drift(self) -> bool:
        """Whether templates are moved with the tissue and matched with the uncorrected traces."""
        return self.uncorrected is not None

    @property
    def as_recorded(self) -> PreparedRecording:
        """The traces that templates are matched with: those before the correction, where templates drift."""
        return self.uncorrected if self.templates_drift else self


@dataclass(frozen=True)
class PreprocessingPlan:
    """What is to be done to each block of a recording.

    Attributes:
        filtered: lazy float32 SpikeInterface recording of the usable channels, band-passed and not referenced yet;
            `None` if there are none.
        unfiltered: the same before the band-pass.
        noise_levels: `(num_channels,)` SD of the noise of `filtered`.
        usual_steps: `(num_channels,)` SD of the steps that the baseline of `unfiltered` makes at any time.
        referenced_shanks: channels of each shank whose common median is subtracted; empty for no reference.
        prepared: the recording that comes of it, lazy: each reading filters again.
    """

    filtered: BaseRecording | None
    unfiltered: BaseRecording | None
    noise_levels: np.ndarray
    usual_steps: np.ndarray
    referenced_shanks: list[np.ndarray]
    prepared: PreparedRecording


def plan_preprocessing(
    recording: BaseRecording, parameters: PreparationParameters, *, seed: int = 0, workers: Workers | None = None
) -> PreprocessingPlan:
    """Scale, centre, filter and reference a recording, leave out what cannot be used, and measure the noise.

    Steps: contact positions checked; channels with NaN left out; µV where gains are known; median of each channel
    removed; channels that were sampled in turns brought to one time; band-pass; silent, dead and noisy channels left
    out; common median reference per shank, if every shank has enough channels (the median of a tetrode is mostly the
    spike itself); noise estimated where the recording is not silent. Only a sample of the traces is read, but for
    floating-point recordings, in which every sample may be NaN.

    Args:
        recording: SpikeInterface recording of any dtype, rate, number of segments, shanks and channels.
        parameters: [`~huidurep_hf.recording.parameters.PreparationParameters`].
        seed: of the random stretches on which medians and noise are estimated.
        workers: [`~huidurep_hf.workers.Workers`].

    Returns:
        [`PreprocessingPlan`]. Empty, silent and too-short recordings give one without a recording.

    Raises:
        TypeError: not a SpikeInterface recording.
        ValueError: no channels, no probe, NaN in every channel, or an impossible pass band.
    """
    import spikeinterface.preprocessing as preprocessing

    settings, bad_channels = parameters.preprocessing, parameters.bad_channels
    freq_max_hz = _check(recording, settings)
    recording = with_probe(recording)
    original_ids = list(recording.channel_ids)
    steps, excluded = [], {}

    segment_indices = _long_enough_segments(recording, settings.min_segment_ms, steps)
    if len(segment_indices) == 0:
        return _nothing_left(segment_indices, steps, excluded)
    if len(segment_indices) < recording.get_num_segments():
        # Only then: the new recording takes the segments over, and the caller's loses them.
        recording = recording.select_segments([int(i) for i in segment_indices])

    recording = _with_finite_samples(recording, bad_channels, steps, excluded)
    recording = _with_known_gains(recording, steps, excluded)
    unit = "uV" if recording.has_scaleable_traces() else "raw"
    if unit == "uV":
        recording = preprocessing.scale_to_uV(recording)
        steps.append("scaled to uV")
    else:
        steps.append("gain unknown: amplitudes stay in the recording's own unit")
    # Float from here on, so unsigned integers and large ADC offsets need no step of their own. The offset goes
    # before the filter, which would ring at the edges of every segment.
    sample = NoiseSample.draw(recording, parameters.noise, seed, workers)
    medians = column_medians(sample.concatenated)
    steps_of_baseline = usual_steps(sample.stretches, recording.get_sampling_frequency(), parameters.steps)
    recording = preprocessing.scale(recording, gain=1.0, offset=-medians[None, :], dtype="float32")
    steps.append("median of each channel removed")
    aligned = align_sampling_times(recording, settings.sampling_time_margin_ms)
    if aligned is not recording:
        steps.append("channels sampled in turns brought to one time")
    recording = preprocessing.bandpass_filter(
        aligned, freq_min=settings.freq_min_hz, freq_max=freq_max_hz, dtype="float32"
    )
    steps.append(f"band-pass {settings.freq_min_hz:g}-{freq_max_hz:g} Hz")
    if parameters.lines.remove_lines == "on":
        recording = _without_lines(recording, parameters, sample.levels, steps)

    noise = NoiseSample.draw(recording, parameters.noise, seed, workers).without_raised_noise()
    keep = _usable_channels(recording, noise.levels, bad_channels, steps, excluded)
    if not keep.any():
        return _nothing_left(segment_indices, steps, excluded)
    if not keep.all():
        recording = recording.select_channels(recording.channel_ids[keep])
        noise = noise.of_channels(keep)
    copies = find_copies(np.concatenate(noise.stretches[:: bad_channels.copy_stretch_step]), bad_channels)
    if copies:
        ids = recording.channel_ids
        _note_left_out("copies", [ids[copy] for copy in copies], steps, excluded)
        for copy, original in copies.items():
            logger.warning("Channel %s records the same signal as channel %s, which is kept.", ids[copy], ids[original])
        keep = ~np.isin(np.arange(len(ids)), list(copies))
        recording, noise = recording.select_channels(ids[keep]), noise.of_channels(keep)
    if noise.is_gated:
        steps.append("noise measured without silent stretches")
        logger.warning("The recording is silent at times; its noise is measured where it is not.")
    _, shanks = np.unique(recording.get_channel_groups(), return_inverse=True)
    members = [np.flatnonzero(shanks == shank) for shank in range(shanks.max() + 1)]
    filtered, noise_levels = recording, noise.levels
    positions = recording.get_channel_locations(axes="xy").astype("float32")
    is_dense = max(_share_in_reach(positions[channels], settings.spike_reach_um) for channels in members)
    if min(map(len, members)) < settings.min_channels_for_reference:
        members = []
    elif is_dense > settings.max_share_in_reach:
        members = []
        steps.append(
            f"no common median reference: a spike may reach {100 * is_dense:.0f} % of a shank's contacts"
            f" (within {settings.spike_reach_um:g} um)"
        )
    else:
        ids = [list(recording.channel_ids[channels]) for channels in members]
        recording = preprocessing.common_reference(recording, operator="median", groups=ids)
        noise = noise.referenced(members)
        steps.append(f"common median reference, {len(members)} shank(s)")
    for step in steps:
        logger.info("prepare: %s", step)
    prepared = PreparedRecording(
        recording=recording,
        noise_levels=noise.levels,
        positions=positions,
        shanks=shanks,
        channel_indices=np.array([original_ids.index(i) for i in recording.channel_ids], dtype="int64"),
        segment_indices=segment_indices,
        unit=unit,
        steps=steps,
        excluded_channels=excluded,
    )
    is_used = np.isin(aligned.channel_ids, filtered.channel_ids)
    unfiltered = aligned.select_channels(filtered.channel_ids)
    return PreprocessingPlan(filtered, unfiltered, noise_levels, steps_of_baseline[is_used], members, prepared)


def check_type(recording: object) -> None:
    """Raise a `TypeError` for what is no SpikeInterface recording."""
    from spikeinterface.core import BaseRecording

    if not isinstance(recording, BaseRecording):
        raise TypeError(
            f"Got a {type(recording).__name__}; a SpikeInterface recording is needed. Wrap an array of shape"
            " (num_samples, num_channels) as spikeinterface.core.NumpyRecording([array], sampling_frequency)"
            " and attach a probe."
        )


def _check(recording: BaseRecording, settings: PreprocessingSettings) -> float:
    """Refuse what cannot be filtered; the upper end of the pass band, Hz."""
    check_type(recording)
    num_channels, rate = recording.get_num_channels(), recording.get_sampling_frequency()
    if num_channels == 0:
        raise ValueError("The recording has 0 channels; at least 1 is needed.")
    # Fragments of a few samples among others are left out; they say nothing about the axes.
    longest = max(recording.get_num_samples(i) for i in range(recording.get_num_segments()))
    if num_channels > MAX_UNSUSPECTED_CHANNELS and 0 < longest < num_channels:
        raise ValueError(
            f"The recording has {longest} samples of {num_channels} channels; time and channels seem to be swapped."
            " Give traces of shape (num_samples, num_channels), or at the command line check --num-channels."
        )
    max_share, freq_min_hz = settings.max_freq_to_sampling_rate, settings.freq_min_hz
    freq_max_hz = settings.highest_freq_hz(rate)
    if not 0 < freq_min_hz < freq_max_hz:
        raise ValueError(
            f"Got a pass band of {freq_min_hz:g}-{freq_max_hz:g} Hz at a sampling rate of {rate:g} Hz; freq_min_hz must"
            f" be above 0 and below freq_max_hz, which is at most {max_share:g} of the sampling rate. Lower"
            " freq_min_hz, or check the sampling rate."
        )
    return freq_max_hz


def _long_enough_segments(recording: BaseRecording, min_ms: float, steps: list[str]) -> np.ndarray:
    rate = recording.get_sampling_frequency()
    num_samples = np.array([recording.get_num_samples(i) for i in range(recording.get_num_segments())])
    is_long = num_samples >= min_ms * rate / 1000
    if not is_long.all():
        short = ", ".join(f"{i} ({n} samples)" for i, n in enumerate(num_samples) if not is_long[i])
        steps.append(f"left out segments shorter than {min_ms:g} ms: {short}")
        logger.warning("Segments shorter than %g ms hold no spikes: %s", min_ms, short)
    return np.flatnonzero(is_long)


def _with_finite_samples(
    recording: BaseRecording, settings: BadChannelSettings, steps: list[str], excluded: dict[str, list[str]]
) -> BaseRecording:
    """Interpolate samples that are NaN or infinite; leave out channels that have too many."""
    max_share = settings.max_share_not_finite
    counts = count_non_finite(recording)
    if not counts.any():
        return recording
    is_bad = counts > max_share * recording.get_total_samples()
    if is_bad.all():
        raise ValueError(
            f"All {len(counts)} channels have more than {100 * max_share:g} % of NaN or infinite samples. Cut them away"
            " with recording.frame_slice(...), or replace them before sorting."
        )
    if is_bad.any():
        _note_left_out("non-finite", recording.channel_ids[is_bad], steps, excluded)
        recording = recording.remove_channels(recording.channel_ids[is_bad])
    counts = counts[~is_bad]
    if not counts.any():
        return recording
    names = ", ".join(f"{i} ({count})" for i, count in zip(recording.channel_ids, counts) if count)
    steps.append(f"interpolated samples that were NaN or infinite, by channel: {names}")
    logger.warning("NaN or infinite samples are interpolated, by channel: %s", names)
    return FiniteRecording(recording, settings.interpolation_margin_s)


def _with_known_gains(recording: BaseRecording, steps: list[str], excluded: dict[str, list[str]]) -> BaseRecording:
    """Leave out channels whose gain or offset is NaN where others have one."""
    gains, offsets = recording.get_channel_gains(), recording.get_channel_offsets()
    if gains is None or offsets is None:
        return recording
    is_known = np.isfinite(np.asarray(gains, dtype="float64")) & np.isfinite(np.asarray(offsets, dtype="float64"))
    if is_known.all() or not is_known.any():
        return recording
    _note_left_out("their gain or offset is not a number", recording.channel_ids[~is_known], steps, excluded)
    return recording.select_channels(recording.channel_ids[is_known])


def _without_lines(
    recording: BaseRecording, parameters: PreparationParameters, unfiltered_levels: np.ndarray, steps: list[str]
) -> BaseRecording:
    """Subtract periodic signals, if there are any."""
    # What is silent beside the noise before the filter has no lines.
    silent_levels = parameters.noise.silent_share * unfiltered_levels
    frequencies, powers = find_lines(recording, parameters.lines, silent_levels)
    if len(frequencies) == 0:
        return recording
    largest = np.argsort(-powers, kind="stable")[:5]
    names = ", ".join(f"{frequencies[i]:.1f} Hz ({100 * powers[i]:.2g} %)" for i in np.sort(largest))
    step = (
        f"subtracted {len(frequencies)} periodic signals of {100 * powers.sum():.2g} % of the noise's power;"
        f" the largest: {names}"
    )
    steps.append(step)
    logger.warning("%s", step[0].upper() + step[1:])
    return LinesRemovedRecording(recording, frequencies.tolist(), parameters.lines.min_line_fit_s)


def _share_in_reach(positions: np.ndarray, reach_um: float) -> float:
    """Largest share of a shank's contacts, `(num_channels, 2)`, that lie within a distance of one of them."""
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    return float((distances <= reach_um).mean(axis=1).max())


def _usable_channels(
    recording: BaseRecording,
    noise_levels: np.ndarray,
    settings: BadChannelSettings,
    steps: list[str],
    excluded: dict[str, list[str]],
) -> np.ndarray:
    """Bool for each channel; those that are not are noted."""
    keep = np.ones(len(noise_levels), dtype=bool)
    for reason, channels in classify_channels_by_noise(noise_levels, settings).items():
        keep[channels] = False
        _note_left_out(reason, recording.channel_ids[channels], steps, excluded)
    return keep


def _note_left_out(reason: str, ids: Iterable, steps: list[str], excluded: dict[str, list[str]]) -> None:
    excluded[reason] = [str(i) for i in ids]
    steps.append(f"left out {reason} channels: {', '.join(excluded[reason])}")
    logger.warning("Channels left out (%s): %s", reason, ", ".join(excluded[reason]))


def _nothing_left(segment_indices: np.ndarray, steps: list[str], excluded: dict[str, list[str]]) -> PreprocessingPlan:
    prepared = PreparedRecording(
        recording=None,
        noise_levels=np.zeros(0, dtype="float32"),
        positions=np.zeros((0, 2), dtype="float32"),
        shanks=np.zeros(0, dtype="int64"),
        channel_indices=np.zeros(0, dtype="int64"),
        segment_indices=segment_indices,
        unit="raw",
        steps=steps,
        excluded_channels=excluded,
    )
    return PreprocessingPlan(None, None, prepared.noise_levels, prepared.noise_levels, [], prepared)
