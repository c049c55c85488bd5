"""A few seconds of traces from all over the recording, from which its noise is estimated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..blocks import Block
from ..by_channel import by_channel

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ...workers import Workers
    from ..settings import NoiseSettings


Result = TypeVar("Result")

# Of a Gaussian: its SD over its median absolute deviation.
SD_PER_MAD = 1 / 0.6744897501960817


@dataclass(frozen=True)
class NoiseSample:
    """Stretches of traces.

    Attributes:
        stretches: each `(num_samples, num_channels)` float32.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.recording.settings.NoiseSettings`].
        is_gated: whether silent stretches were left out.
        workers: who measure them; this thread if left out.
    """

    stretches: list[np.ndarray]
    sampling_rate: float
    settings: NoiseSettings
    is_gated: bool = False
    workers: Workers | None = None

    @classmethod
    def draw(
        cls, recording: BaseRecording, settings: NoiseSettings, seed: int, workers: Workers | None = None
    ) -> NoiseSample:
        """Read random stretches, over all segments together, without what is silent.

        Args:
            recording: filtered SpikeInterface recording.
            settings: [`~huidurep_hf.recording.settings.NoiseSettings`].
            seed: of the stretches' positions.
            workers: [`~huidurep_hf.workers.Workers`] that read and measure them; this thread if left out.
        """

        def read(stretch: Block) -> np.ndarray:
            traces = recording.get_traces(
                segment_index=stretch.segment, start_frame=stretch.start, end_frame=stretch.stop
            )
            # Sums of integers, as of two middle values, may overflow.
            return traces.astype("float32", copy=False)

        stretches = random_stretches(recording, settings, seed)
        read_ones = list(map(read, stretches) if workers is None else workers.map(read, stretches))
        return cls(read_ones, recording.get_sampling_frequency(), settings, workers=workers)._without_silence()

    def _without_silence(self) -> NoiseSample:
        """The same without silent stretches, if there are any and not all of it is silent."""
        from scipy.ndimage import binary_opening

        largest = [np.abs(traces).max(axis=1, initial=0) for traces in self.stretches]
        if sum(map(len, largest)) == 0:
            return self
        usual = np.quantile(np.concatenate(largest), self.settings.max_silence)
        width = max(round(self.settings.silence_ms * 1e-3 * self.sampling_rate), 1)
        limit = self.settings.silent_share * usual
        is_silent = [binary_opening(each < limit, np.ones(width)) for each in largest]
        if usual == 0 or not np.concatenate(is_silent).any():
            return self
        kept = [traces[~silent] for traces, silent in zip(self.stretches, is_silent)]
        return dataclasses.replace(self, stretches=[traces for traces in kept if len(traces)], is_gated=True)

    def without_raised_noise(self) -> NoiseSample:
        """The same without stretches in which the noise of most channels is raised: an animal that chews."""
        if len(self.stretches) < 2:
            return self
        usual = self._usual_deviations
        ratios = np.median(self._deviations / np.maximum(usual, np.finfo("float32").tiny), axis=1)
        is_quiet = ratios <= self.settings.max_stretch_noise_ratio
        if is_quiet.all():
            return self
        kept = [traces for traces, quiet in zip(self.stretches, is_quiet) if quiet]
        return dataclasses.replace(self, stretches=kept)

    def referenced(self, shanks: list[np.ndarray]) -> NoiseSample:
        """The same less the median over the channels of each shank."""
        return dataclasses.replace(self, stretches=[subtract_median(traces, shanks) for traces in self.stretches])

    def of_channels(self, channels: np.ndarray) -> NoiseSample:
        """The same of some channels, by index or bool."""
        return dataclasses.replace(self, stretches=[traces[:, channels] for traces in self.stretches])

    @cached_property
    def levels(self) -> np.ndarray:
        """SD of each channel's noise `(num_channels,)` float32: median absolute deviations, averaged over stretches.

        Over those in which the channel has about the noise of a quiet one.
        """
        is_usual = self._deviations <= self.settings.max_stretch_noise_ratio_of_channel * self._usual_deviations
        return (SD_PER_MAD * np.mean(self._deviations, axis=0, where=is_usual)).astype("float32")

    @cached_property
    def _deviations(self) -> np.ndarray:
        """Median absolute deviations, `(num_stretches, num_channels)`."""

        def deviations_of(stretch: np.ndarray) -> np.ndarray:
            return column_medians(np.abs(stretch - column_medians(stretch)))

        return np.stack(self.map(deviations_of))

    @property
    def _usual_deviations(self) -> np.ndarray:
        """As in a quiet stretch, `(num_channels,)`; of those that are whole, as what silence leaves may be little."""
        lengths = np.array([len(one) for one in self.stretches])
        return np.quantile(self._deviations[2 * lengths >= lengths.max()], self.settings.quiet_quantile, axis=0)

    @property
    def concatenated(self) -> np.ndarray:
        """All stretches, one after the other, `(num_samples, num_channels)`."""
        return np.concatenate(self.stretches)

    @cached_property
    def overall_levels(self) -> np.ndarray:
        """SD of each channel by the median absolute value of all stretches together, `(num_channels,)`."""
        return np.maximum(SD_PER_MAD * column_medians(np.concatenate(self.map(np.abs))), 1e-12)

    def map(self, function: Callable[[np.ndarray], Result]) -> list[Result]:
        """What a function gives of each stretch, in their order; the workers share the stretches."""
        share = map if self.workers is None else self.workers.map
        return list(share(function, self.stretches))


def estimate_noise_levels(recording: BaseRecording, settings: NoiseSettings, seed: int) -> np.ndarray:
    """SD of each channel's noise `(num_channels,)` float32, in the unit of the traces; of [`NoiseSample.draw`]."""
    return NoiseSample.draw(recording, settings, seed).without_raised_noise().levels


def random_stretches(recording: BaseRecording, settings: NoiseSettings, seed: int) -> list[Block]:
    """Choose stretches, every place in any segment alike; a shorter segment is one stretch.

    Args:
        recording: SpikeInterface recording.
        settings: number and length of the stretches.
        seed: of the choice.
    """
    num_samples = [recording.get_num_samples(segment) for segment in range(recording.get_num_segments())]
    size = round(settings.noise_stretch_s * recording.get_sampling_frequency())
    # As many places as a stretch may begin at.
    num_places = np.array([max(length - size, 0) + 1 for length in num_samples])
    ends = np.cumsum(num_places)
    num_stretches = settings.num_noise_stretches
    places = np.random.default_rng(seed).integers(0, ends[-1] - 1, num_stretches, endpoint=True)
    if ends[-1] <= num_stretches:
        places = np.arange(ends[-1])
    stretches = []
    for place in np.sort(places):
        segment = int(np.searchsorted(ends, place, side="right"))
        start = int(place - (ends[segment] - num_places[segment]))
        stretches.append(Block(segment, start, min(start + size, num_samples[segment])))
    return stretches


def subtract_median(traces: np.ndarray, shanks: list[np.ndarray]) -> np.ndarray:
    """Subtract the common median of each shank's channels, sample by sample; `(num_samples, num_channels)`."""
    referenced = np.empty_like(traces)
    for channels in shanks:
        own = traces if len(channels) == traces.shape[1] else traces[:, channels]
        referenced[:, channels] = own - row_medians(own)[:, None]
    return referenced


def row_medians(values: np.ndarray) -> np.ndarray:
    """Median of each row of `(num_rows, num_columns)`, as of `np.median` and several times as fast: `(num_rows,)`."""
    if 0 in values.shape:
        return np.full(len(values), np.nan, dtype=values.dtype)
    # numpy sorts short rows with vector instructions, which it does not use to find two middle values.
    ordered = np.sort(values, axis=1)
    middle = values.shape[1] // 2
    return ordered[:, middle] if values.shape[1] % 2 else (ordered[:, middle - 1] + ordered[:, middle]) / 2


def column_medians(values: np.ndarray) -> np.ndarray:
    """Median of each column of `(num_rows, num_columns)`, as [`row_medians`]; fast for many rows: `(num_columns,)`."""
    if 0 in values.shape:
        return np.full(values.shape[1], np.nan, dtype=values.dtype)
    middle = len(values) // 2
    parted = np.partition(by_channel(values), middle, axis=1)
    if len(values) % 2:
        return parted[:, middle]
    return (parted[:, :middle].max(axis=1) + parted[:, middle]) / 2
