"""Encoders with a simpler feature in place of some of the model's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...embedding.peaks import embed_peaks, window_around_peak
from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.spikes.neighborhood import find_neighborhoods
from ...recording.spikes.waveforms import iterate_waveforms
from ...sorting.clustering.features import centers_of_mass
from ...sorting.encoder import SpikeEncoder
from ...sorting.spikes import Spikes
from ...workers import Workers
from ..representation.baselines import pca_features

# Takes the encoder, the preprocessed recording, embedded spikes and the workers; gives the table with other columns.
Replacement = Callable[[SpikeEncoder, PreparedRecording, Spikes, Workers | None], Spikes]


class EncoderVariant:
    """An encoder some of whose columns are replaced.

    Args:
        encoder: [`~huidurep_hf.sorting.encoder.SpikeEncoder`].
        replacements: what replaces them, one after the other.
    """

    def __init__(self, encoder: SpikeEncoder, replacements: Sequence[Replacement] = ()) -> None:
        self.encoder, self.replacements = encoder, tuple(replacements)

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding."""
        return self.encoder.embedding_size

    def __call__(
        self,
        prepared: PreparedRecording,
        spikes: Spikes,
        *,
        workers: Workers | None = None,
        **options: object,
    ) -> Spikes:
        """Embed, locate and size spikes; as [`~huidurep_hf.sorting.encoder.SpikeEncoder`] does."""
        embedded = self.encoder(prepared, spikes, workers=workers, **options)
        if len(spikes) == 0:
            return embedded
        for replace in self.replacements:
            embedded = replace(self.encoder, prepared, embedded, workers)
        return embedded


def pca_embedding(
    encoder: SpikeEncoder, prepared: PreparedRecording, spikes: Spikes, workers: Workers | None = None
) -> Spikes:
    """Replace `embedding` by as many principal components of the waveforms as recorded, those of these spikes."""
    waveforms, _, _ = waveforms_as_recorded(encoder, prepared, spikes)
    components = pca_features(waveforms, encoder.embedding_size)
    embedding = np.zeros((len(spikes), encoder.embedding_size), dtype="float32")
    embedding[:, : components.shape[1]] = components
    return spikes.with_columns(embedding=embedding)


def denoised_centers_of_mass(
    encoder: SpikeEncoder, prepared: PreparedRecording, spikes: Spikes, workers: Workers | None = None
) -> Spikes:
    """Replace `location_um`, where the model places the neuron, by the centre of mass of the denoised spike."""
    batches = embed_peaks(encoder.model, encoder.feature_extractor, prepared, spikes, workers=workers)
    centers = [centers_of_mass(batch.peak_to_peak, batch.positions, batch.mask) for batch in batches]
    return spikes.with_columns(location_um=_on_probe(prepared, spikes, np.concatenate(centers)))


def without_denoiser(
    encoder: SpikeEncoder, prepared: PreparedRecording, spikes: Spikes, workers: Workers | None = None
) -> Spikes:
    """Replace `location_um` and `size` by the centre of mass and the size of the spike as recorded."""
    waveforms, positions, mask = waveforms_as_recorded(encoder, prepared, spikes)
    peak_to_peak = np.ptp(waveforms, axis=1) * mask
    location = _on_probe(prepared, spikes, centers_of_mass(peak_to_peak, positions, mask))
    return spikes.with_columns(location_um=location, size=peak_to_peak.max(axis=1))


def waveforms_as_recorded(
    encoder: SpikeEncoder, prepared: PreparedRecording, spikes: Spikes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut what the model would see, in SDs of the noise, before it is resampled.

    Args:
        encoder: for the window and the number of channels.
        prepared: the preprocessed recording.
        spikes: in order, at least one.

    Returns:
        `(waveforms, positions, mask)`: `(num_spikes, num_samples, num_channels)`, `(num_spikes, num_channels, 2)` µm
        relative to the peak channel, and `(num_spikes, num_channels)`, False for padding.
    """
    extractor = encoder.feature_extractor
    num_before, num_after = window_around_peak(extractor, prepared.recording.get_sampling_frequency())
    neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, extractor.num_channels)
    batches = list(
        iterate_waveforms(
            prepared.recording,
            spikes,
            neighborhoods,
            prepared.noise_levels,
            num_before=num_before,
            num_after=num_after,
        )
    )
    waveforms = np.concatenate([batch.waveforms / batch.noise_levels[:, None, :] for batch in batches])
    positions, mask = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("positions", "mask"))
    return waveforms, positions, mask


def _on_probe(prepared: PreparedRecording, spikes: Spikes, from_peak_channel: np.ndarray) -> np.ndarray:
    """Places relative to the peak channels as places on the probe, `(num_spikes, 2)` float32 µm."""
    return (prepared.positions[spikes["channel_index"]] + from_peak_channel).astype("float32")
