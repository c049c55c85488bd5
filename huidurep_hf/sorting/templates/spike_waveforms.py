"""Whitened waveforms of spikes on the channels around each, and their averages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np

from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.spikes.neighborhood import find_neighborhoods
from ...recording.spikes.waveforms import cut_waveforms
from ...workers import Workers
from .settings import WaveformSettings

if TYPE_CHECKING:
    from ..spikes import Spikes


@dataclass(frozen=True)
class SpikeWaveforms:
    """Waveforms with a margin of samples, so that they can be shifted in time.

    Attributes:
        waveforms: `(num_spikes, num_samples + 2 * margin, num_neighbors)` float32, SDs of the noise, 0 where padded.
        peak_channels: `(num_spikes,)` channel around which each was cut.
        channels: `(num_channels, num_neighbors)` neighbours of each peak channel, -1 for padding.
        num_before: samples of a waveform before the spike's time.
        num_samples: of a waveform.
        margin: samples before and after it.
    """

    waveforms: np.ndarray
    peak_channels: np.ndarray
    channels: np.ndarray
    num_before: int
    num_samples: int
    margin: int

    @classmethod
    def cut(
        cls, whitened: PreparedRecording, spikes: Spikes, settings: WaveformSettings, workers: Workers | None = None
    ) -> SpikeWaveforms:
        """Cut the waveforms of spikes out of whitened traces.

        Args:
            whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
            spikes: table of spikes, sorted by segment and sample.
            settings: [`~huidurep_hf.sorting.templates.settings.WaveformSettings`].
            workers: who share the batches; this thread if left out.
        """
        rate = whitened.recording.get_sampling_frequency()
        margin = max(round(settings.waveform_margin_ms * 1e-3 * rate), 1)
        window = settings.waveform_ms_before, settings.waveform_ms_after
        num_before, num_after = (max(round(ms * 1e-3 * rate), 2) for ms in window)
        num_neighbors = min(settings.num_waveform_channels, len(whitened.shanks))
        neighborhoods = find_neighborhoods(whitened.positions, whitened.shanks, num_neighbors)
        waveforms = cut_waveforms(
            whitened.recording,
            spikes,
            neighborhoods,
            whitened.noise_levels,
            num_before=num_before + margin,
            num_after=num_after + margin,
            workers=workers or Workers(1),
        )
        channels = neighborhoods.channel_indices
        peak_channels = spikes["channel_index"].astype("int64")
        return cls(waveforms, peak_channels, channels, num_before, num_before + num_after, margin)

    def of(self, spikes: np.ndarray) -> SpikeWaveforms:
        """The same for some spikes, by index or bool."""
        return dataclasses.replace(self, waveforms=self.waveforms[spikes], peak_channels=self.peak_channels[spikes])

    def aligned(self, spikes: np.ndarray, shifts: np.ndarray, reach: int = 0) -> np.ndarray:
        """Return waveforms of some spikes, `(num_chosen, num_samples + 2 * reach, num_neighbors)`.

        Args:
            spikes: `(num_chosen,)` indices.
            shifts: `(num_chosen,)` samples by which each is read later; at most `margin - reach` either way.
            reach: further samples before and after.
        """
        first = self.margin + np.asarray(shifts)[:, None] - reach
        return self.waveforms[np.asarray(spikes)[:, None], first + np.arange(self.num_samples + 2 * reach)]

    def aligned_on(self, spikes: np.ndarray, shifts: np.ndarray, channels: np.ndarray) -> np.ndarray:
        """Return waveforms of some spikes on given channels, 0 on those that a spike was not cut on.

        Args:
            spikes, shifts: as `aligned`.
            channels: `(num_wanted,)` channel indices.

        Returns:
            `(num_chosen, num_samples, num_wanted)` float32.
        """
        # Padding is the last channel, which is never wanted.
        place_of = np.full(max(self.channels.max(initial=-1), np.max(channels, initial=-1)) + 2, -1)
        place_of[channels] = np.arange(len(channels))
        places = place_of[self.channels[self.peak_channels[spikes]]]
        aligned = np.zeros((len(spikes), self.num_samples, len(channels)), dtype="float32")
        firsts = self.margin + np.asarray(shifts, dtype="int64")
        _cut_again(self.waveforms, np.asarray(spikes), firsts, places, aligned)
        return aligned

    def common(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channels around those that most spikes of each of two units were cut on, and the spikes cut on all of them.

        Args:
            first, second: `(num_spikes,)` indices of each unit's spikes, neither empty.

        Returns:
            `(channels, first, second)`; no channels, and no spikes, where the units are far apart.
        """
        near = [self.channels[np.bincount(self.peak_channels[spikes]).argmax()] for spikes in (first, second)]
        common = np.intersect1d(*near)
        common = common[common >= 0]
        # Padding is the last, which is never common.
        is_common = np.zeros(self.channels.max(initial=-1) + 2, dtype=bool)
        is_common[common] = True
        is_cut_on_all = (is_common[self.channels].sum(axis=1) == len(common)) & (len(common) > 0)
        return common, *(spikes[is_cut_on_all[self.peak_channels[spikes]]] for spikes in (first, second))

    def by_state(
        self, states: np.ndarray, num_before: int
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray, tuple[np.ndarray, ...]]]:
        """Walk through spikes that were cut on one channel in each state of the tissue.

        Args:
            states: `(num_spikes,)`.
            num_before: samples that templates have before a spike's time.

        Yields:
            `(state, spikes, waveforms, window)`: a state that occurs, the indices of its spikes, their
            `(num_spikes, num_samples, num_near)` waveforms, and the index of the same samples and channels in templates
            `(num_samples, num_channels)`.
        """
        start = num_before - self.num_before
        samples = np.arange(start, start + self.num_samples)
        for state in np.unique(states):
            spikes = np.flatnonzero(states == state)
            near = self.channels[self.peak_channels[spikes[0]]]
            near = near[near >= 0]
            waveforms = self.aligned_on(spikes, np.zeros(len(spikes), dtype="int64"), near)
            yield state, spikes, waveforms, np.ix_(samples, near)

    def average(
        self, labels: np.ndarray, shifts: np.ndarray, settings: WaveformSettings, workers: Workers | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Average some spikes of each unit.

        Args:
            labels: `(num_spikes,)` units from 0 without gaps, -1 for none.
            shifts: `(num_spikes,)` alignment of each spike, samples.
            settings: [`~huidurep_hf.sorting.templates.settings.WaveformSettings`]: how many spikes are averaged.
            workers: who share the units; this thread if left out.

        Returns:
            `(templates, counts)`: `(num_units, num_samples, num_channels)` float32 on all channels, 0 where too few
            of the unit's spikes were cut, and `(num_units, num_channels)` int64 spikes averaged on each channel.
        """
        num_units, num_channels = labels.max(initial=-1) + 1, len(self.channels)
        templates = np.zeros((num_units, self.num_samples, num_channels), dtype="float32")
        counts = np.zeros((num_units, num_channels), dtype="int64")

        def add_up(unit_and_spikes: tuple[int, np.ndarray]) -> None:
            unit, spikes = unit_and_spikes
            for channel in np.unique(self.peak_channels[spikes]):
                members = spikes[self.peak_channels[spikes] == channel]
                is_there = self.channels[channel] >= 0
                near = self.channels[channel][is_there]
                templates[unit][:, near] += self.aligned(members, shifts[members]).sum(axis=0)[:, is_there]
                counts[unit, near] += len(members)

        units = enumerate(choose_spikes(labels, settings.max_spikes_per_average))
        for _ in map(add_up, units) if workers is None else workers.map(add_up, units):
            pass
        # A channel that few of a unit's spikes were cut on would show those few, with all their noise.
        counts[counts < settings.min_share_on_channel * counts.max(axis=1, keepdims=True, initial=0)] = 0
        return np.where(counts[:, None, :] > 0, templates, 0) / np.maximum(counts, 1)[:, None, :].astype(
            "float32"
        ), counts


@numba.njit(cache=True, nogil=True)
def _cut_again(
    waveforms: np.ndarray, spikes: np.ndarray, firsts: np.ndarray, places: np.ndarray, aligned: np.ndarray
) -> None:
    """Copy waveforms of some spikes from each first sample on, each channel to its place.

    Args:
        waveforms: `(num_spikes, num_cut_samples, num_neighbors)`.
        spikes, firsts: `(num_chosen,)` int64.
        places: `(num_chosen, num_neighbors)` int64, -1 where a channel is not wanted.
        aligned: `(num_chosen, num_samples, num_wanted)`, which is written.
    """
    for row in range(len(spikes)):
        for sample in range(aligned.shape[1]):
            own, copied = waveforms[spikes[row], firsts[row] + sample], aligned[row, sample]
            for neighbor in range(places.shape[1]):
                if places[row, neighbor] >= 0:
                    copied[places[row, neighbor]] = own[neighbor]


def choose_spikes(labels: np.ndarray, max_spikes: int, num_units: int | None = None) -> list[np.ndarray]:
    """Return for each unit the indices of at most `max_spikes` of its spikes, spread evenly over them.

    The choice for a unit does not depend on other units.

    Args:
        labels: `(num_spikes,)` units from 0, -1 for none.
        max_spikes: how many.
        num_units: where units may have no spikes; one more than the last label if left out.
    """
    order = np.argsort(labels, kind="stable")
    num_units = labels.max(initial=-1) + 1 if num_units is None else num_units
    starts = np.searchsorted(labels[order], np.arange(num_units + 1))
    chosen = []
    for start, stop in zip(starts[:-1], starts[1:]):
        num_chosen = min(stop - start, max_spikes)
        places = np.floor((np.arange(num_chosen) + 0.5) * (stop - start) / max(num_chosen, 1)).astype("int64")
        chosen.append(order[start + places])
    return chosen


def without_time_shift(difference: np.ndarray, waveforms: np.ndarray) -> np.ndarray:
    """Remove from a difference of waveforms the part that a shift in time explains.

    Spikes that differ by a fraction of a sample in time are not of two units.

    Args:
        difference: `(..., num_samples, num_channels)` of two waveforms.
        waveforms: of the same shape, their sum.

    Returns:
        The difference without its share of the waveforms' slope.
    """
    slope = np.gradient(waveforms, axis=-2)
    share = (difference * slope).sum(axis=(-2, -1), keepdims=True)
    return difference - slope * share / np.maximum(np.square(slope).sum(axis=(-2, -1), keepdims=True), 1e-12)


class TemplateCleaner:
    """Take noise out of averages: few temporal shapes, and the channels on which a unit stands out.

    An average over 20 spikes has noise of 0.2 SD in each of hundreds of samples, together far more than what two
    neighbouring neurons differ by; most of it lies where no spike has anything.

    Args:
        waveforms: [`SpikeWaveforms`], from which the temporal shapes are found (singular vectors on peak channels).
        settings: [`~huidurep_hf.sorting.templates.settings.WaveformSettings`].
        seed: of the choice of spikes.
    """

    def __init__(self, waveforms: SpikeWaveforms, settings: WaveformSettings, seed: int):
        self.num_deviations = settings.num_waveform_deviations
        rng = np.random.default_rng(seed)
        spikes = rng.permutation(len(waveforms.waveforms))[: settings.num_spikes_for_shapes]
        # A peak channel is its own first neighbour.
        on_peak = waveforms.aligned(spikes, np.zeros(len(spikes), dtype="int64"))[:, :, 0]
        _, _, shapes = np.linalg.svd(on_peak, full_matrices=False)
        self.shapes = shapes[: settings.num_waveform_shapes].astype("float32")

    def __call__(self, templates: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Clean `(num_units, num_samples, num_channels)` averages of `(num_units, num_channels)` spikes."""
        scores = np.einsum("usc,rs->urc", templates, self.shapes, optimize=True)
        energies = np.square(scores).sum(axis=1)
        num_shapes = len(self.shapes)
        limit = (num_shapes + self.num_deviations * np.sqrt(2 * num_shapes)) / np.maximum(counts, 1)
        is_kept = (energies > limit) & (counts > 0)
        if len(templates):
            is_kept[np.arange(len(templates)), energies.argmax(axis=1)] = True
        return np.einsum("urc,rs->usc", scores * is_kept[:, None, :], self.shapes, optimize=True)
