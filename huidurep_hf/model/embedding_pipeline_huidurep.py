# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""`pipeline("spike-embedding")`: spike waveforms in, the numbers that are clustered out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import Pipeline
from transformers.pipelines.pt_utils import KeyDataset
from transformers.utils import logging

from .spike_rows_huidurep import SPIKE_ARGUMENTS, check_unit, is_empty, read_spikes

logger = logging.get_logger(__name__)

SPIKES_PER_PASS = 512
# Formats of `datasets` that give tables for rows.
TABLE_FORMATS = ("arrow", "pandas", "polars")


class SpikeEmbeddingPipeline(Pipeline):
    """Embed spikes: `pipeline("spike-embedding", model="huidurep/base")(waveforms, sampling_rate=30000)`.

    A spike is an array `(num_samples, num_channels)`, a flat one with `num_channels=...`, or a mapping (a row of a
    spike dataset, or a batch of its columns) of such a `"waveform"` and any of `sampling_rate` (Hz),
    `channel_positions` (µm, relative to the peak channel), `channel_mask`, `peak_sample`, `num_channels`, `unit`
    ("uV", or "noise_sd" for SDs of noise) and `noise_levels` (of spikes in another unit; without either, spikes count
    as being in SDs of noise, except those of a dataset, which are refused; a row is known as one of a dataset by its
    other columns). What a row does not say may be given to the
    call, for all spikes. A `peak_sample` that nobody says is guessed from all the spikes of an array together, and from
    each spike of a list by itself, which is worse.

    A call takes one spike; many in one array `(num_spikes, num_samples, num_channels)`; a list of spikes; a `datasets`
    table or stream, a dict of its splits, a `KeyDataset`, any `torch` dataset or generator of spikes. One spike gives a
    float32 array `(embedding_size,)`, an array of many `(num_spikes, embedding_size)`, a list a list, and everything
    else an iterator that reads as it goes. `batch_size` is the number of spikes in one pass of the model; spikes of
    different numbers of channels may share one. A spike of which no channel can be used gives NaN.

    ```python
    >>> from transformers import pipeline
    >>> import huidurep_hf

    >>> embed = pipeline("spike-embedding", model="huidurep/base")  # doctest: +SKIP
    >>> embed(waveforms, sampling_rate=30000, channel_positions=positions_um).shape  # doctest: +SKIP
    (1000, 32)

    ```
    """

    _load_feature_extractor = True
    _load_tokenizer = False
    _load_image_processor = False
    _load_video_processor = False
    _load_processor = False

    def __call__(
        self,
        spikes: np.ndarray | torch.Tensor | Mapping[str, Any] | Iterable | torch.utils.data.Dataset,
        *,
        batch_size: int | None = None,
        **kwargs,
    ) -> np.ndarray | list[np.ndarray] | Iterator[np.ndarray] | dict[str, Iterator[np.ndarray]]:
        """Embed spikes; see the class.

        Raises:
            ValueError: a shape that does not fit, clean spikes without a noise level, or no sampling rate.
            TypeError: an unknown argument.
        """
        if _is_split(spikes):
            return {split: self(part, batch_size=batch_size, **kwargs) for split, part in spikes.items()}
        if is_empty(spikes):
            return np.zeros((0, self.model.config.embedding_size), dtype=np.float32)
        if isinstance(spikes, KeyDataset):
            spikes = _rows_of_key(spikes)
        elif _is_table(spikes):
            if spikes.column_names is not None:
                # At once, and not when the first row is read.
                check_unit({*spikes.column_names, *(name for name, value in kwargs.items() if value is not None)})
            kwargs["needs_unit"] = True
            spikes = (row for row in as_rows(spikes))
        if isinstance(spikes, (list, tuple)):
            if len(spikes) == 0:
                return []
            spikes = list(spikes)
        elif isinstance(spikes, (np.ndarray, torch.Tensor, Mapping)):
            # One pass may take a part of an array of many spikes.
            kwargs["spikes_per_pass"] = batch_size or self._batch_size or SPIKES_PER_PASS
            return super().__call__(spikes, batch_size=1, **kwargs)
        return super().__call__(spikes, batch_size=batch_size, **kwargs)

    def _sanitize_parameters(
        self, spikes_per_pass: int | None = None, **kwargs
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        unknown = sorted(set(kwargs) - set(SPIKE_ARGUMENTS) - {"needs_unit"})
        if unknown:
            raise TypeError(f"Got unknown arguments {unknown}; there are {', '.join(SPIKE_ARGUMENTS)} and batch_size.")
        return kwargs, {} if spikes_per_pass is None else {"spikes_per_pass": spikes_per_pass}, {}

    def preprocess(
        self, spike: np.ndarray | torch.Tensor | Sequence | Mapping[str, Any], **stated
    ) -> dict[str, torch.Tensor | bool]:
        """Return the model's input with the channels before the samples, because batches are padded along that axis."""
        given = read_spikes(spike, **stated)
        if "sampling_rate" not in given.stated:
            raise ValueError("The waveforms do not say their rate; give sampling_rate=... in Hz.")
        if given.is_single and "peak_sample" not in given.stated:
            logger.warning_once(
                "peak_sample is not given, so where the trough lies is guessed from each spike by itself, which noise "
                "misleads. Give peak_sample=..., or many spikes in one array."
            )
        features = self.feature_extractor(given.waveforms, return_tensors="pt", **given.stated)
        return {
            "waveforms": features["waveforms"].transpose(1, 2),
            "channel_positions": features["channel_positions"],
            # Of three axes, because the framework joins masks of two without padding them.
            "channel_mask": features["channel_mask"][:, :, None],
            "is_single": given.is_single,
        }

    def _forward(self, inputs: Mapping[str, Any], spikes_per_pass: int | None = None) -> dict[str, Any]:
        is_single = inputs["is_single"]
        # With batch_size the framework has joined the first spike of each item.
        if isinstance(is_single, list) and not all(is_single):
            raise ValueError("Got items of several spikes and a batch_size; give single spikes, or one array of all.")
        waveforms = inputs["waveforms"].transpose(1, 2)
        tensors = (waveforms, inputs["channel_positions"], inputs["channel_mask"][:, :, 0])
        size = spikes_per_pass or max(len(waveforms), 1)
        passes = [
            self.model(*(part[first : first + size] for part in tensors), denoise=False)
            for first in range(0, len(waveforms), size)
        ]
        embeddings = [output.embeddings.float() for output in passes]
        empty = torch.zeros(0, self.model.config.embedding_size)
        return {"embeddings": torch.cat(embeddings) if embeddings else empty, "is_single": is_single}

    def postprocess(self, outputs: Mapping[str, Any]) -> np.ndarray:
        """Return the embeddings as a float32 array."""
        embeddings = outputs["embeddings"].numpy()
        return embeddings[0] if outputs["is_single"] else embeddings


def _is_split(spikes: object) -> bool:
    """Say whether these are the splits of a dataset."""
    datasets = sys.modules.get("datasets")
    return datasets is not None and isinstance(spikes, (datasets.DatasetDict, datasets.IterableDatasetDict))


def _is_table(spikes: object) -> bool:
    """Say whether this is a table or stream of `datasets`, which need not be installed."""
    datasets = sys.modules.get("datasets")
    return datasets is not None and isinstance(spikes, (datasets.Dataset, datasets.IterableDataset))


def as_rows(spikes: Any) -> Any:
    """Return a table or stream of `datasets` that gives rows, and no tables of pandas, polars or Arrow."""
    if not hasattr(spikes, "format"):
        return spikes.with_format(None)
    is_of_tables = spikes.format["type"] in TABLE_FORMATS
    return spikes.with_format(None, columns=spikes.format["columns"]) if is_of_tables else spikes


def _rows_of_key(spikes: KeyDataset) -> Iterator[dict[str, Any]]:
    """Return the rows of a `KeyDataset`, which says with its waveforms what stands beside them."""
    rows = as_rows(spikes.dataset) if _is_table(spikes.dataset) else spikes.dataset
    return ({**row, "waveform": row[spikes.key]} for row in rows)


__all__ = ["SpikeEmbeddingPipeline"]
