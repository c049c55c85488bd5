"""The HuiduRep model over the spikes of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..embedding.peaks import embed_peaks
from ..progress import ProgressBar
from ..recording.preprocessing.preparation import PreparedRecording
from ..recording.spikes.waveforms import batch_ranges
from ..workers import Workers
from .clustering.features import centers_of_mass
from .spikes import Spikes

if TYPE_CHECKING:
    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel

COLUMNS = ("embedding", "location_um", "size")


class SpikeEncoder:
    """Embeds, locates and sizes spikes.

    Args:
        model: HuiduRep model, on the device and in the precision it is to run with.
        feature_extractor: its feature extractor.
    """

    def __init__(self, model: HuiduRepModel, feature_extractor: HuiduRepFeatureExtractor):
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
        columns: tuple[str, ...] = COLUMNS,
        workers: Workers | None = None,
        name: str = "embed",
        progress: bool = False,
    ) -> Spikes:
        """Denoise, embed and locate spikes in batches.

        Args:
            prepared: the preprocessed recording.
            spikes: in order.
            batch_size: most spikes in one pass.
            columns: those wanted; without `size` spikes are not denoised, and this takes a third less time.
            workers: who share the batches.
            name: of the pass.
            progress: show a progress bar.

        Returns:
            The table with the wanted of `embedding` `(num_spikes, embedding_size)` float32; `location_um`
            `(num_spikes, 2)` float32, where the model places the neuron on the probe (of a model that gives no places
            the centre of mass of the denoised spike, which leans towards the contacts and so shows motion less well);
            and `size` `(num_spikes,)` float32, largest denoised peak-to-peak amplitude, in SDs of the noise.
        """
        workers = workers or Workers()
        spans = batch_ranges(prepared.recording, spikes, batch_size) if len(spikes) else []
        job = _EmbedBatch(self.model, self.feature_extractor, prepared, spikes, columns)
        widths = {"embedding": (self.embedding_size,), "location_um": (2,), "size": ()}
        found = {column: np.zeros((len(spikes), *widths[column]), dtype="float32") for column in columns}
        with ProgressBar(total=len(spikes), desc=name, unit="spike", disable=not progress) as bar:
            for (first, last), arrays in zip(spans, workers.run(name, job, spans)):
                for column, values in arrays.items():
                    found[column][first:last] = values
                bar.update(last - first)
        return spikes.with_columns(**found)


@dataclass(frozen=True)
class _EmbedBatch:
    """Wanted columns of some consecutive spikes, by the model."""

    model: HuiduRepModel
    feature_extractor: HuiduRepFeatureExtractor
    prepared: PreparedRecording
    spikes: Spikes
    columns: tuple[str, ...]

    def __call__(self, span: tuple[int, int]) -> dict[str, np.ndarray]:
        own = self.spikes[slice(*span)]
        (batch,) = embed_peaks(
            self.model, self.feature_extractor, self.prepared, own, batch_size=len(own), denoise="size" in self.columns
        )
        places = batch.locations
        if places is None:
            places = centers_of_mass(batch.peak_to_peak, batch.positions, batch.mask)
        found = {
            "embedding": batch.embeddings,
            "location_um": (self.prepared.positions[own["channel_index"]] + places).astype("float32"),
        }
        if "size" in self.columns:
            found["size"] = batch.peak_to_peak.max(axis=1)
        return {column: found[column] for column in self.columns}
