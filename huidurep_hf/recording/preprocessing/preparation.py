"""From any recording to filtered float traces whose noise is known."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..settings import PreprocessingSettings
from ..sources.probe import with_probe
from .bad_channels import classify_channels_by_noise, find_non_finite_channels
from .noise_sample import NoiseSample, column_medians
from .phase_shift import align_sampling_times

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ...workers import Workers


logger = logging.getLogger("huidurep_hf")

MIN_SEGMENT_MS = 10.0
# Band-pass filters lose their meaning close to the Nyquist frequency.
MAX_FREQ_TO_SAMPLING_RATE = 0.45


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
        motion: SpikeInterface `Motion` that the traces are corrected for; `None` if they are as recorded.
        uncorrected: the same before the correction; `None` if there was none.
    """

    recording: object
    noise_levels: np.ndarray
    positions: np.ndarray
    shanks: np.ndarray
    channel_indices: np.ndarray
    segment_indices: np.ndarray
    unit: str
    steps: list = field(default_factory=list)
    excluded_channels: dict = field(default_factory=dict)
    motion: object = None
    uncorrected: PreparedRecording | None = None

    @property
    def as_recorded(self) -> PreparedRecording:
        """The same without correction of motion."""
        return self if self.uncorrected is None else self.uncorrected


@dataclass(frozen=True)
class PreprocessingPlan:
    """What is to be done to each block of a recording.

    Attributes:
        filtered: lazy float32 SpikeInterface recording of the usable channels, band-passed and not referenced yet;
            `None` if there are none.
        noise_levels: `(num_channels,)` SD of its noise.
        referenced_shanks: channels of each shank whose common median is subtracted; empty for no reference.
        prepared: the recording that comes of it, lazy: each reading filters again.
    """

    filtered: object
    noise_levels: np.ndarray
    referenced_shanks: list[np.ndarray]
    prepared: PreparedRecording


def plan_preprocessing(
    recording: BaseRecording, settings: PreprocessingSettings, *, seed: int = 0, workers: Workers | None = None
) -> PreprocessingPlan:
    """Scale, centre, filter and reference a recording, leave out what cannot be used, and measure the noise.

    Steps: contact positions checked; channels with NaN left out; µV where gains are known; median of each channel
    removed; channels that were sampled in turns brought to one time; band-pass; silent, dead and noisy channels left
    out; common median reference per shank, if every shank has enough channels (the median of a tetrode is mostly the
    spike itself); noise estimated where the recording is not silent. Only a sample of the traces is read, but for
    floating-point recordings, in which every sample may be NaN.

    Args:
        recording: SpikeInterface recording of any dtype, rate, number of segments, shanks and channels.
        settings: [`~huidurep_hf.recording.settings.PreprocessingSettings`].
        seed: of the random stretches on which medians and noise are estimated.
        workers: [`~huidurep_hf.workers.Workers`].

    Returns:
        [`PreprocessingPlan`]. Empty, silent and too-short recordings give one without a recording.

    Raises:
        TypeError: not a SpikeInterface recording.
        ValueError: no channels, no probe, NaN in every channel, or an impossible pass band.
    """
    import spikeinterface.preprocessing as preprocessing

    freq_max_hz = _check(recording, settings.freq_min_hz, settings.freq_max_hz)
    recording = with_probe(recording)
    original_ids = list(recording.channel_ids)
    steps, excluded = [], {}

    segment_indices = _long_enough_segments(recording, steps)
    if len(segment_indices) == 0:
        return _nothing_left(segment_indices, steps, excluded)
    if len(segment_indices) < recording.get_num_segments():
        # Only then: the new recording takes the segments over, and the caller's loses them.
        recording = recording.select_segments([int(i) for i in segment_indices])

    recording = _without_non_finite_channels(recording, steps, excluded)
    unit = "uV" if recording.has_scaleable_traces() else "raw"
    if unit == "uV":
        recording = preprocessing.scale_to_uV(recording)
        steps.append("scaled to uV")
    else:
        steps.append("gain unknown: amplitudes stay in the recording's own unit")
    # Float from here on, so unsigned integers and large ADC offsets need no step of their own. The offset goes
    # before the filter, which would ring at the edges of every segment.
    medians = column_medians(NoiseSample.draw(recording, seed, workers).concatenated)
    recording = preprocessing.scale(recording, gain=1.0, offset=-medians[None, :], dtype="float32")
    steps.append("median of each channel removed")
    aligned = align_sampling_times(recording)
    if aligned is not recording:
        steps.append("channels sampled in turns brought to one time")
    recording = preprocessing.bandpass_filter(
        aligned, freq_min=settings.freq_min_hz, freq_max=freq_max_hz, dtype="float32"
    )
    steps.append(f"band-pass {settings.freq_min_hz:g}-{freq_max_hz:g} Hz")

    noise = NoiseSample.draw(recording, seed, workers)
    keep = _usable_channels(recording, noise.levels, steps, excluded)
    if not keep.any():
        return _nothing_left(segment_indices, steps, excluded)
    if not keep.all():
        recording = recording.select_channels(recording.channel_ids[keep])
        noise = noise.of_channels(keep)
    if noise.is_gated:
        steps.append("noise measured without silent stretches")
        logger.warning("The recording is silent at times; its noise is measured where it is not.")
    _, shanks = np.unique(recording.get_channel_groups(), return_inverse=True)
    members = [np.flatnonzero(shanks == shank) for shank in range(shanks.max() + 1)]
    filtered, noise_levels = recording, noise.levels
    if min(map(len, members)) >= settings.min_channels_for_reference:
        ids = [list(recording.channel_ids[channels]) for channels in members]
        recording = preprocessing.common_reference(recording, operator="median", groups=ids)
        noise = noise.referenced(members)
        steps.append(f"common median reference, {len(members)} shank(s)")
    else:
        members = []
    for step in steps:
        logger.info("prepare: %s", step)
    prepared = PreparedRecording(
        recording=recording,
        noise_levels=noise.levels,
        positions=recording.get_channel_locations(axes="xy").astype("float32"),
        shanks=shanks,
        channel_indices=np.array([original_ids.index(i) for i in recording.channel_ids], dtype="int64"),
        segment_indices=segment_indices,
        unit=unit,
        steps=steps,
        excluded_channels=excluded,
    )
    return PreprocessingPlan(filtered, noise_levels, members, prepared)


def check_type(recording: object) -> None:
    """Raise a `TypeError` for what is no SpikeInterface recording."""
    from spikeinterface.core import BaseRecording

    if not isinstance(recording, BaseRecording):
        raise TypeError(
            f"Got a {type(recording).__name__}; a SpikeInterface recording is needed. Wrap an array of shape"
            " (num_samples, num_channels) as spikeinterface.core.NumpyRecording([array], sampling_frequency)"
            " and attach a probe."
        )


def _check(recording: BaseRecording, freq_min_hz: float, freq_max_hz: float) -> float:
    check_type(recording)
    num_channels, rate = recording.get_num_channels(), recording.get_sampling_frequency()
    if num_channels == 0:
        raise ValueError("The recording has 0 channels; at least 1 is needed.")
    shortest = min(recording.get_num_samples(i) for i in range(recording.get_num_segments()))
    if num_channels > 32 and 0 < shortest < num_channels:
        raise ValueError(
            f"The recording has {shortest} samples of {num_channels} channels; time and channels seem to be swapped."
            " Give traces of shape (num_samples, num_channels), or at the command line check --num-channels."
        )
    freq_max_hz = min(freq_max_hz, MAX_FREQ_TO_SAMPLING_RATE * rate)
    if not 0 < freq_min_hz < freq_max_hz:
        raise ValueError(
            f"Got a pass band of {freq_min_hz:g}-{freq_max_hz:g} Hz at a sampling rate of {rate:g} Hz; freq_min_hz must"
            " be above 0 and below freq_max_hz, which is at most 0.45 of the sampling rate. Lower freq_min_hz, or"
            " check the sampling rate."
        )
    return freq_max_hz


def _long_enough_segments(recording: BaseRecording, steps: list[str]) -> np.ndarray:
    rate = recording.get_sampling_frequency()
    num_samples = np.array([recording.get_num_samples(i) for i in range(recording.get_num_segments())])
    is_long = num_samples >= MIN_SEGMENT_MS * rate / 1000
    if not is_long.all():
        short = ", ".join(f"{i} ({n} samples)" for i, n in enumerate(num_samples) if not is_long[i])
        steps.append(f"left out segments shorter than {MIN_SEGMENT_MS:g} ms: {short}")
        logger.warning("Segments shorter than %g ms hold no spikes: %s", MIN_SEGMENT_MS, short)
    return np.flatnonzero(is_long)


def _without_non_finite_channels(
    recording: BaseRecording, steps: list[str], excluded: dict[str, list[str]]
) -> BaseRecording:
    first_bad = find_non_finite_channels(recording)
    if not first_bad:
        return recording
    channel, (segment, sample) = min(first_bad.items(), key=lambda item: item[1])
    if len(first_bad) == recording.get_num_channels():
        raise ValueError(
            f"All {len(first_bad)} channels have NaN or infinite samples, the first in segment {segment} at sample"
            f" {sample} of channel {recording.channel_ids[channel]}. Cut them away with recording.frame_slice(...) or"
            " replace them before sorting."
        )
    ids = [recording.channel_ids[channel] for channel in sorted(first_bad)]
    _note_left_out("non-finite", ids, steps, excluded)
    return recording.remove_channels(ids)


def _usable_channels(
    recording: BaseRecording, noise_levels: np.ndarray, steps: list[str], excluded: dict[str, list[str]]
) -> np.ndarray:
    """Bool for each channel; those that are not are noted."""
    keep = np.ones(len(noise_levels), dtype=bool)
    for reason, channels in classify_channels_by_noise(noise_levels).items():
        keep[channels] = False
        _note_left_out(reason, recording.channel_ids[channels], steps, excluded)
    return keep


def _note_left_out(reason: str, ids: Iterable, steps: list[str], excluded: dict[str, list[str]]) -> None:
    excluded[reason] = [str(i) for i in ids]
    steps.append(f"left out {reason} channels: {', '.join(excluded[reason])}")
    logger.warning("Channels left out because %s: %s", reason, ", ".join(excluded[reason]))


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
    return PreprocessingPlan(None, prepared.noise_levels, [], prepared)
