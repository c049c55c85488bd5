"""Waveforms of a recording at a dataset's rate and window, in SDs of each channel's noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..model.feature_extraction_huidurep import KERNEL_HALF_WIDTH, resampling_matrix
from ..recording.spikes.neighborhood import find_neighborhoods
from ..recording.spikes.waveforms import WaveformBatch, iterate_waveforms
from .geometry import SpikeGeometry

if TYPE_CHECKING:
    from ..recording.preprocessing.preparation import PreparedRecording


def samples_needed(sampling_rate: float, geometry: SpikeGeometry) -> tuple[int, int]:
    """Samples at `sampling_rate` (Hz), before and from the peak on, of which a waveform of the geometry is made."""
    ratio = sampling_rate / geometry.sampling_rate
    margin = math.ceil(KERNEL_HALF_WIDTH * max(ratio, 1.0))
    before = math.ceil(geometry.peak_sample * ratio) + margin
    after = math.ceil((geometry.num_samples - geometry.peak_sample) * ratio) + margin
    return before, after


def iterate_resampled(
    prepared: PreparedRecording, peaks: np.ndarray, geometry: SpikeGeometry
) -> Iterator[WaveformBatch]:
    """Cut waveforms, resample them by the feature extractor's interpolation and divide them by the noise.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        peaks: as [`~huidurep_hf.recording.spikes.waveforms.iterate_waveforms`] takes them.
        geometry: rate, window and number of channels that are wanted.

    Yields:
        [`WaveformBatch`] in the order of the peaks, `waveforms` of `(num_spikes, num_samples, num_channels)` in noise
        SDs; nothing for no peaks.
    """
    # Nor is there a recording to ask for its rate, where nothing of it could be used.
    if len(peaks) == 0:
        return
    rate = prepared.recording.get_sampling_frequency()
    before, after = samples_needed(rate, geometry)
    resampling = resampling_matrix(
        before + after, before, rate, geometry.num_samples, geometry.peak_sample, geometry.sampling_rate
    ).astype("float32")
    neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, geometry.num_channels)
    for batch in iterate_waveforms(
        prepared.recording, peaks, neighborhoods, prepared.noise_levels, num_before=before, num_after=after
    ):
        scaled = batch.waveforms / batch.noise_levels[:, None, :]
        yield replace(batch, waveforms=np.einsum("nsc,sw->nwc", scaled, resampling, optimize=True))
