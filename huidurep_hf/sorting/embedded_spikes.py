"""Run the model over the spikes of a recording."""

from dataclasses import astuple, dataclass

import numpy as np
from tqdm.auto import tqdm

from ..embedding.peaks import embed_peaks
from .clustering.features import centers_of_mass


@dataclass(frozen=True)
class EmbeddedSpikes:
    """What the model says about each spike.

    Attributes:
        embeddings: `(num_spikes, embedding_size)` float32.
        locations_um: `(num_spikes, 2)` float32 where the model places the neuron, µm on the probe. Of a model that
            gives no places the centre of mass of the denoised spike, which leans towards the contacts and so shows
            motion less well (docs/sorter.md).
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
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        peaks: structured array of peaks, sorted by segment and sample.
        batch_size: most spikes in one pass.
        progress: show a progress bar.

    Returns:
        [`EmbeddedSpikes`], one row per peak, on the CPU; no rows for no peaks.
    """
    embeddings = np.zeros((len(peaks), model.config.embedding_size), dtype="float32")
    locations = np.zeros((len(peaks), 2), dtype="float32")
    amplitudes = np.zeros(len(peaks), dtype="float32")
    batches = embed_peaks(model, feature_extractor, prepared, peaks, batch_size=batch_size)
    with tqdm(total=len(peaks), desc="embed", unit="spike", disable=not progress) as bar:
        for batch in batches:
            peak_positions = prepared.positions[peaks["channel_index"][batch.rows]]
            embeddings[batch.rows] = batch.embeddings
            places = batch.locations
            if places is None:
                places = centers_of_mass(batch.peak_to_peak, batch.positions, batch.mask)
            locations[batch.rows] = peak_positions + places
            amplitudes[batch.rows] = batch.peak_to_peak.max(axis=1)
            bar.update(len(batch.embeddings))
    return EmbeddedSpikes(embeddings, locations, amplitudes)
