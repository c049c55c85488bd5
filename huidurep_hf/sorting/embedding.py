"""Run the model over the spikes of a recording."""

from dataclasses import astuple, dataclass

import numpy as np
import torch
from tqdm.auto import tqdm

from ..clustering.features import centers_of_mass
from ..recording.neighborhood import find_neighborhoods
from ..recording.waveforms import iterate_waveforms

# Resampling looks a little beyond the model's window.
RESAMPLING_MARGIN = 8


@dataclass(frozen=True)
class EmbeddedSpikes:
    """What the model says about each spike.

    Attributes:
        embeddings: `(num_spikes, embedding_size)` float32.
        locations_um: `(num_spikes, 2)` float32, centre of mass of the denoised spike, µm on the probe.
        amplitudes: `(num_spikes,)` float32, largest denoised peak-to-peak amplitude, in noise units.
    """

    embeddings: np.ndarray
    locations_um: np.ndarray
    amplitudes: np.ndarray

    def reordered(self, others, rows):
        """Return these spikes and `others` after them, in the order of `rows`."""
        joined = (np.concatenate([mine, theirs])[rows] for mine, theirs in zip(astuple(self), astuple(others)))
        return EmbeddedSpikes(*joined)


def embed_spikes(model, feature_extractor, prepared, peaks, *, batch_size=512, progress=False):
    """Denoise and embed spikes in batches, on the model's device and in its precision.

    Args:
        model: HuiduRep model.
        feature_extractor: its feature extractor.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
        peaks: structured array of peaks, sorted by segment and sample.
        batch_size: most spikes in one pass.
        progress: show a progress bar.

    Returns:
        [`EmbeddedSpikes`], one row per peak, on the CPU; no rows for no peaks.
    """
    embeddings = np.zeros((len(peaks), model.config.embedding_size), dtype="float32")
    locations = np.zeros((len(peaks), 2), dtype="float32")
    amplitudes = np.zeros(len(peaks), dtype="float32")
    if len(peaks) == 0:
        return EmbeddedSpikes(embeddings, locations, amplitudes)

    rate = prepared.recording.get_sampling_frequency()
    num_before, num_after = window_around_peak(feature_extractor, rate)
    neighborhoods = find_neighborhoods(prepared.positions, prepared.groups, feature_extractor.num_channels)
    batches = iterate_waveforms(
        prepared.recording,
        peaks,
        neighborhoods,
        prepared.noise_levels,
        num_before=num_before,
        num_after=num_after,
        batch_size=batch_size,
    )
    with tqdm(total=len(peaks), desc="embed", unit="spike", disable=not progress) as bar:
        for batch in batches:
            features = feature_extractor(
                batch.waveforms,
                sampling_rate=rate,
                channel_positions=batch.positions,
                noise_levels=batch.noise_levels,
                channel_mask=batch.mask,
                peak_sample=num_before,
                return_tensors="pt",
            )
            embedded, denoised = _forward(model, features)
            rows = slice(batch.first, batch.first + len(embedded))
            spread = np.ptp(denoised, axis=1) * batch.mask
            peak_positions = prepared.positions[peaks["channel_index"][rows]]
            embeddings[rows] = embedded
            locations[rows] = peak_positions + centers_of_mass(spread, batch.positions, batch.mask)
            amplitudes[rows] = spread.max(axis=1)
            bar.update(len(embedded))
    return EmbeddedSpikes(embeddings, locations, amplitudes)


def window_around_peak(feature_extractor, sampling_rate):
    """Samples before and from the peak on that the feature extractor needs at a recording's rate.

    Args:
        feature_extractor: HuiduRep feature extractor.
        sampling_rate: of the recording, Hz.

    Returns:
        `(num_before, num_after)`.
    """
    num_before = int(np.ceil(feature_extractor.ms_before * sampling_rate / 1000))
    num_after = int(np.ceil(feature_extractor.ms_after * sampling_rate / 1000))
    margin = 0 if sampling_rate == feature_extractor.sampling_rate else RESAMPLING_MARGIN
    return num_before + margin, num_after + margin


@torch.no_grad()
def _forward(model, features):
    inputs = {name: value.to(device=model.device, dtype=model.dtype) for name, value in features.items()}
    output = model(**inputs)
    return output.embeddings.float().cpu().numpy(), output.denoised_waveforms.float().cpu().numpy()
