"""From a ground-truth recording to the waveforms of its true spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...recording.preprocessing.whitening import whiten
from ...recording.scan import prepare
from ...recording.spikes.alignment import align_spikes, find_main_channels
from ...recording.spikes.neighborhood import find_neighborhoods
from ...recording.spikes.waveforms import iterate_waveforms

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting

    from ...recording.preprocessing.preparation import PreparedRecording
    from ...recording.spikes.neighborhood import Neighborhoods

# Window of the spike dataset: 121 samples at 30 kHz, trough at sample 42. Every model's window lies within it.
MS_BEFORE = 1.4
MS_AFTER = 79 / 30
NUM_CHANNELS = 11
# Of whitened traces, whose noise is white: what lies farther from the trough adds more noise than spike.
WHITENED_MS_BEFORE, WHITENED_MS_AFTER = 0.7, 1.3


@dataclass(frozen=True)
class TrueSpikes:
    """Waveforms at the true spike times of one recording, and to which unit each belongs.

    Attributes:
        waveforms: `(num_spikes, num_samples, num_channels)` float32, in noise SDs, trough at `peak_sample`; channels
            in the order of their distance from the peak channel, zero where padded.
        whitened: `(num_spikes, num_whitened_samples, num_channels)` float32, the same channels of the traces whitened
            in space and time as the sorter does it, in noise SDs, from 0.7 ms before the trough to 1.3 ms after it.
        channel_positions: `(num_spikes, num_channels, 2)` float32, µm relative to the peak channel.
        channel_mask: `(num_spikes, num_channels)` bool, False for padding.
        channel_indices: `(num_spikes, num_channels)` int64, the channel on the probe, -1 for padding.
        peak_positions: `(num_spikes, 2)` float32, µm, where the peak channel lies on the probe.
        labels: `(num_spikes,)` int64, index into `unit_ids`.
        unit_ids: `(num_units,)` the true units.
        unit_snr: `(num_units,)` float64, SNR of each unit.
        peaks: structured array `(num_spikes,)` of `sample_index`, `channel_index`, `segment_index`: where in the
            prepared recording each trough was found.
        noise_levels: `(num_channels_of_probe,)`, by which the traces were divided.
        peak_sample: sample of the trough in the window.
        sampling_rate: Hz.
    """

    waveforms: np.ndarray
    whitened: np.ndarray
    channel_positions: np.ndarray
    channel_mask: np.ndarray
    channel_indices: np.ndarray
    peak_positions: np.ndarray
    labels: np.ndarray
    unit_ids: np.ndarray
    unit_snr: np.ndarray
    peaks: np.ndarray
    noise_levels: np.ndarray
    peak_sample: int
    sampling_rate: float

    @property
    def spike_snr(self) -> np.ndarray:
        """SNR of each spike's unit, `(num_spikes,)`."""
        return self.unit_snr[self.labels]


def true_spikes(
    recording: BaseRecording,
    sorting: BaseSorting,
    unit_snr: Mapping[Any, float] | Sequence[float] | np.ndarray,
    *,
    max_spikes_per_unit: int = 200,
    seed: int = 0,
) -> TrueSpikes:
    """Cut the true spikes out of a recording as a sorter would, knowing nothing but when they fire.

    The recording is prepared as for sorting (band-pass 300-6000 Hz, common reference on large probes, noise by the
    median absolute deviation). The truth gives the time of each spike and, on a probe where many units fire at once,
    the neighbourhood in which to look for it: the 11 channels around the unit's largest one. Peak channel and
    trough are then read from each spike's own noisy waveform, within 0.3 ms, so both carry a detector's errors.

    Args:
        recording: SpikeInterface recording with a probe.
        sorting: SpikeInterface sorting of the true spikes.
        unit_snr: dict from unit id to SNR, or an array in the order of `sorting.unit_ids`.
        max_spikes_per_unit: spikes drawn at random from each unit.
        seed: of that draw.

    Returns:
        [`TrueSpikes`], in the order of time.

    Raises:
        ValueError: if the recording has no usable channel, or a segment too short to be filtered.
    """
    prepared, traces, neighborhoods = _prepare(recording, seed)
    rate = traces.get_sampling_frequency()

    spikes = _draw_spikes(sorting, max_spikes_per_unit, np.random.default_rng(seed))
    labels = spikes["unit_index"].astype("int64")
    main_channels = find_main_channels(traces, spikes, len(sorting.unit_ids), prepared.noise_levels)
    peaks = align_spikes(traces, spikes, main_channels, neighborhoods, prepared.noise_levels)
    order = np.lexsort((peaks["sample_index"], peaks["segment_index"]))
    peaks, labels = peaks[order], labels[order]

    num_before, num_after = round(MS_BEFORE * rate / 1000), round(MS_AFTER * rate / 1000)
    waveforms = _cut(traces, peaks, neighborhoods, prepared.noise_levels, num_before, num_after)
    whitened = whiten(replace(prepared, recording=traces), seed=seed)
    window = round(WHITENED_MS_BEFORE * rate / 1000), round(WHITENED_MS_AFTER * rate / 1000)
    channels = peaks["channel_index"]
    snr = [unit_snr[unit] for unit in sorting.unit_ids] if hasattr(unit_snr, "keys") else unit_snr
    return TrueSpikes(
        waveforms=waveforms,
        whitened=_cut(whitened.recording, peaks, neighborhoods, whitened.noise_levels, *window),
        channel_positions=neighborhoods.positions[channels],
        channel_mask=neighborhoods.mask[channels],
        channel_indices=neighborhoods.channel_indices[channels],
        peak_positions=prepared.positions[channels],
        labels=labels,
        unit_ids=np.asarray(sorting.unit_ids),
        unit_snr=np.asarray(snr, dtype="float64"),
        peaks=peaks,
        noise_levels=prepared.noise_levels,
        peak_sample=num_before,
        sampling_rate=float(rate),
    )


def waveforms_at(recording: BaseRecording, spikes: TrueSpikes, seed: int = 0) -> np.ndarray:
    """Cut another recording of the same probe at the very samples and channels of `spikes`, in the same noise SDs.

    Args:
        recording: SpikeInterface recording; it is prepared like the one that the spikes come from.
        spikes: where to cut.
        seed: as in [`true_spikes`].

    Returns:
        Waveforms of the shape of `spikes.waveforms`.

    Raises:
        ValueError: if the preparation leaves out other channels than it did for the spikes.
    """
    prepared, traces, neighborhoods = _prepare(recording, seed)
    if len(prepared.noise_levels) != len(spikes.noise_levels):
        raise ValueError(
            f"The recording has {len(prepared.noise_levels)} usable channels and the spikes were cut from "
            f"{len(spikes.noise_levels)}; take a recording of the same probe and noise."
        )
    num_after = spikes.waveforms.shape[1] - spikes.peak_sample
    return _cut(traces, spikes.peaks, neighborhoods, spikes.noise_levels, spikes.peak_sample, num_after)


def _prepare(recording: BaseRecording, seed: int) -> tuple[PreparedRecording, BaseRecording, Neighborhoods]:
    prepared = prepare(recording, seed=seed)
    if prepared.recording is None or len(prepared.segment_indices) != recording.get_num_segments():
        raise ValueError(
            f"Of the recording's {recording.get_num_segments()} segments {len(prepared.segment_indices)} can be used; "
            "the spikes of a ground truth are looked for in all of them. Leave out empty segments first."
        )
    traces = prepared.recording.save(format="memory", progress_bar=False, n_jobs=1, verbose=False)
    num_channels = min(NUM_CHANNELS, traces.get_num_channels())
    return prepared, traces, find_neighborhoods(prepared.positions, prepared.shanks, num_channels)


def _draw_spikes(sorting: BaseSorting, max_spikes_per_unit: int, rng: np.random.Generator) -> np.ndarray:
    spikes = sorting.to_spike_vector()
    kept = []
    for unit in range(len(sorting.unit_ids)):
        of_unit = np.flatnonzero(spikes["unit_index"] == unit)
        kept.append(rng.permutation(of_unit)[:max_spikes_per_unit])
    return spikes[np.sort(np.concatenate(kept))] if kept else spikes[:0]


def _cut(
    traces: BaseRecording,
    peaks: np.ndarray,
    neighborhoods: Neighborhoods,
    noise_levels: np.ndarray,
    num_before: int,
    num_after: int,
) -> np.ndarray:
    """Waveforms of all peaks `(num_spikes, num_before + num_after, num_channels)` in noise SDs."""
    shape = (len(peaks), num_before + num_after, neighborhoods.channel_indices.shape[1])
    waveforms = np.zeros(shape, dtype="float32")
    batches = iterate_waveforms(traces, peaks, neighborhoods, noise_levels, num_before=num_before, num_after=num_after)
    for batch in batches:
        last = batch.first + len(batch.waveforms)
        waveforms[batch.first : last] = batch.waveforms / batch.noise_levels[:, None, :]
    return waveforms
