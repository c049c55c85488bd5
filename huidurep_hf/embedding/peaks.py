"""Run the model over peaks of a recording, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..model.feature_extraction_huidurep import KERNEL_HALF_WIDTH
from ..recording.spikes.neighborhood import find_neighborhoods
from ..recording.spikes.waveforms import PeakTable, batch_ranges, iterate_waveforms
from ..workers import Workers

if TYPE_CHECKING:
    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel
    from ..recording.preprocessing.preparation import PreparedRecording


@dataclass(frozen=True)
class EmbeddedBatch:
    """What the model says about consecutive peaks.

    Attributes:
        rows: slice of these peaks.
        embeddings: `(num_peaks, embedding_size)` float32.
        peak_to_peak: `(num_peaks, num_neighbors)` float32 of the denoised waveforms, in SDs of noise; 0 where padded;
            None of a pass that does not denoise.
        positions: `(num_peaks, num_neighbors, 2)` contact positions relative to the peak channel, µm.
        mask: `(num_peaks, num_neighbors)` bool, False for padding.
        locations: `(num_peaks, 2)` float32 where the model places the neuron relative to the peak channel, µm; None of
            a model that does not know the contacts.
    """

    rows: slice
    embeddings: np.ndarray
    peak_to_peak: np.ndarray | None
    positions: np.ndarray
    mask: np.ndarray
    locations: np.ndarray | None


def embed_peaks(
    model: HuiduRepModel,
    feature_extractor: HuiduRepFeatureExtractor,
    prepared: PreparedRecording,
    peaks: PeakTable,
    *,
    batch_size: int = 512,
    denoise: bool = True,
    workers: Workers | None = None,
) -> Iterator[EmbeddedBatch]:
    """Yield [`EmbeddedBatch`] of consecutive peaks; computed on the model's device and in its precision.

    Args:
        model: HuiduRep model.
        feature_extractor: its feature extractor.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        peaks: table of peaks, sorted by segment and sample.
        batch_size: most spikes in one pass.
        denoise: False leaves the denoised waveforms out, unless the model gives no locations.
        workers: who share the batches; this thread if left out.
    """
    if len(peaks) == 0:
        return
    rate = prepared.recording.get_sampling_frequency()
    num_before, num_after = window_around_peak(feature_extractor, rate)
    neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, feature_extractor.num_channels)

    @torch.no_grad()
    def embed(span: tuple[int, int]) -> EmbeddedBatch:
        first, last = span
        (batch,) = iterate_waveforms(
            prepared.recording,
            peaks[first:last],
            neighborhoods,
            prepared.noise_levels,
            num_before=num_before,
            num_after=num_after,
            batch_size=batch_size,
        )
        features = feature_extractor(
            batch.waveforms,
            sampling_rate=rate,
            channel_positions=batch.positions,
            noise_levels=batch.noise_levels,
            channel_mask=batch.mask,
            peak_sample=num_before,
            return_tensors="pt",
        )
        inputs = {name: value.to(device=model.device, dtype=model.dtype) for name, value in features.items()}
        output = model(**inputs, denoise=denoise or model.backbone.localizer is None)
        denoised = output.denoised_waveforms
        return EmbeddedBatch(
            rows=slice(first, last),
            embeddings=output.embeddings.float().cpu().numpy(),
            peak_to_peak=None if denoised is None else np.ptp(denoised.float().cpu().numpy(), axis=1) * batch.mask,
            positions=batch.positions,
            mask=batch.mask,
            locations=None if output.locations is None else output.locations.float().cpu().numpy(),
        )

    spans = batch_ranges(prepared.recording, peaks, batch_size)
    yield from map(embed, spans) if workers is None else workers.map(embed, spans)


def window_around_peak(feature_extractor: HuiduRepFeatureExtractor, sampling_rate: float) -> tuple[int, int]:
    """Samples before and from the peak on that the feature extractor needs at a recording's rate.

    Args:
        feature_extractor: HuiduRep feature extractor.
        sampling_rate: of the recording, Hz.

    Returns:
        `(num_before, num_after)`.
    """
    ratio = sampling_rate / feature_extractor.sampling_rate
    # Resampling looks a little beyond the window.
    margin = 0 if ratio == 1 else int(np.ceil(KERNEL_HALF_WIDTH * max(ratio, 1.0)))
    num_before = int(np.ceil(feature_extractor.ms_before * sampling_rate / 1000))
    num_after = int(np.ceil(feature_extractor.ms_after * sampling_rate / 1000))
    return num_before + margin, num_after + margin
