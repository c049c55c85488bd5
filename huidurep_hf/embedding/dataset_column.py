"""A spike dataset gets a column of embeddings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..model.embedding_pipeline_huidurep import SpikeEmbeddingPipeline, as_rows
from ..spike_dataset.geometry import read_geometry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel

    AnyDataset = Dataset | DatasetDict | IterableDataset | IterableDatasetDict

COLUMN = "embedding"


def embed_dataset(
    spikes: AnyDataset,
    model: HuiduRepModel,
    feature_extractor: HuiduRepFeatureExtractor,
    *,
    noise_level_uv: float | None = None,
    batch_size: int = 512,
    column: str = COLUMN,
) -> AnyDataset:
    """Return a spike dataset with a column of embeddings, by `map`: a table is written to the cache, a stream streams.

    Args:
        spikes: `datasets.Dataset` or `datasets.IterableDataset` with the columns that docs/architecture.md states, or a
            dict of its splits. Other columns stay as they are; a format of pandas, polars or Arrow is left.
        model: HuiduRep model, on the device and in the precision it is to run with.
        feature_extractor: its feature extractor.
        noise_level_uv: noise SD in µV by which clean spikes are divided; datasets of recorded spikes need none.
        batch_size: spikes in one pass.
        column: name of the new column, a list of `embedding_size` float32.

    Raises:
        ValueError: not a spike dataset, or one without rows; clean spikes without a noise level, or with one that is
            not above 0; or the column is there already.
    """
    from datasets import DatasetDict, Features, IterableDatasetDict, List, Value

    if isinstance(spikes, (DatasetDict, IterableDatasetDict)):
        options = {"noise_level_uv": noise_level_uv, "batch_size": batch_size, "column": column}
        return type(spikes)(
            {split: embed_dataset(part, model, feature_extractor, **options) for split, part in spikes.items()}
        )
    if noise_level_uv is not None and not 0 < noise_level_uv < math.inf:
        raise ValueError(f"noise_level_uv is {noise_level_uv}; give the noise SD in µV, above 0, such as 10.")
    spikes = as_rows(spikes)
    geometry = read_geometry(spikes)
    if "uV" in geometry.unit and noise_level_uv is None:
        raise ValueError(
            "These are clean spikes in µV, and the model sees spikes in units of noise; state the noise they would have"
            " been recorded with, such as noise_level_uv=10 (--noise-level 10)."
        )
    if spikes.features is not None and column in spikes.features:
        raise ValueError(f"The dataset has a column {column!r} already; remove it, or give column=... another name.")
    pipeline = SpikeEmbeddingPipeline(model=model, feature_extractor=feature_extractor, device=model.device)
    features = None
    if spikes.features is not None:
        features = Features({**spikes.features, column: List(Value("float32"), length=model.config.embedding_size)})

    def embed(rows: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {column: pipeline(rows, noise_levels=noise_level_uv)}

    return spikes.map(embed, batched=True, batch_size=batch_size, features=features)
