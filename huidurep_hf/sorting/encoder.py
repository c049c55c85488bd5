"""The HuiduRep model over the spikes of a recording."""

import numpy as np
from tqdm.auto import tqdm

from ..embedding.peaks import embed_peaks
from ..recording.preprocessing.preparation import PreparedRecording
from ..workers import Workers
from .clustering.features import centers_of_mass
from .spikes import Spikes


class SpikeEncoder:
    """Embeds, locates and sizes spikes.

    Args:
        model: HuiduRep model, on the device and in the precision it is to run with.
        feature_extractor: its feature extractor.
    """

    def __init__(self, model, feature_extractor):
        self.model, self.feature_extractor = model, feature_extractor

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding."""
        return self.model.config.embedding_size

    def __call__(
        self,
        prepared: PreparedRecording,
        spikes: Spikes,
        *,
        batch_size: int = 512,
        workers: Workers | None = None,
        progress: bool = False,
    ) -> Spikes:
        """Denoise, embed and locate spikes in batches.

        Args:
            prepared: the preprocessed recording.
            spikes: in order.
            batch_size: most spikes in one pass.
            workers: who share the batches.
            progress: show a progress bar.

        Returns:
            The table with `embedding` `(num_spikes, embedding_size)` float32; `location_um` `(num_spikes, 2)` float32,
            where the model places the neuron on the probe (of a model that gives no places the centre of mass of the
            denoised spike, which leans towards the contacts and so shows motion less well); and `size`
            `(num_spikes,)` float32, largest denoised peak-to-peak amplitude, in SDs of the noise.
        """
        embeddings = np.zeros((len(spikes), self.embedding_size), dtype="float32")
        locations = np.zeros((len(spikes), 2), dtype="float32")
        sizes = np.zeros(len(spikes), dtype="float32")
        batches = embed_peaks(
            self.model, self.feature_extractor, prepared, spikes, batch_size=batch_size, workers=workers
        )
        with tqdm(total=len(spikes), desc="embed", unit="spike", disable=not progress) as bar:
            for batch in batches:
                places = batch.locations
                if places is None:
                    places = centers_of_mass(batch.peak_to_peak, batch.positions, batch.mask)
                embeddings[batch.rows] = batch.embeddings
                locations[batch.rows] = prepared.positions[spikes["channel_index"][batch.rows]] + places
                sizes[batch.rows] = batch.peak_to_peak.max(axis=1)
                bar.update(len(batch.embeddings))
        return spikes.with_columns(embedding=embeddings, location_um=locations, size=sizes)
