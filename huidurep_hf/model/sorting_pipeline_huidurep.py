# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""`pipeline("spike-sorting")`: the sorter in the clothes of a transformers pipeline."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from transformers import Pipeline

SORT_ARGUMENTS = ("output_folder", "overwrite", "progress")


class SpikeSortingPipeline(Pipeline):
    """Sort recordings: `pipeline("spike-sorting", model="huidurep/base")(recording)`.

    A recording is a SpikeInterface recording, a path that `huidurep sort` reads, or a dict (a row of a `datasets`
    table): `traces` `(num_samples, num_channels)`, `sampling_rate` (Hz), `probe` (contact positions
    `(num_channels, 2)` in µm, a name such as "tetrode", or a probeinterface probe) and, where known, `gain_uv`; or
    `path`, and `probe` or `stream` where the file does not say.

    A call takes one recording and returns a SpikeInterface sorting; a list of recordings and a list of sortings; or a
    `datasets` table or stream, a `KeyDataset` or a generator of recordings and an iterator, which sorts as it is read.
    Further arguments are those of [`~huidurep_hf.sorting.sorter.SpikeSorter.sort`]. `batch_size` is the number of
    spikes in one pass of the model.

    The sorter itself is in `huidurep_hf`: a repository holds the model and this door to it.
    """

    _load_feature_extractor = True
    _load_tokenizer = False
    _load_image_processor = False
    _load_video_processor = False
    _load_processor = False

    def __call__(self, recordings: Any, *, batch_size: int | None = None, **kwargs) -> Any:
        """Sort one recording or several; see the class.

        Raises:
            ValueError: unknown parameter, an unreadable recording, or several recordings for one `output_folder`.
            ImportError: the sorter is not installed.
        """
        datasets = sys.modules.get("datasets")
        if datasets is not None and isinstance(recordings, (datasets.DatasetDict, datasets.IterableDatasetDict)):
            return {split: self(part, batch_size=batch_size, **kwargs) for split, part in recordings.items()}
        if batch_size is not None:
            kwargs["spike_batch_size"] = batch_size
        several = isinstance(recordings, (list, tuple))
        if several and kwargs.get("output_folder") is not None:
            raise ValueError(
                f"Got {len(recordings)} recordings and one output_folder; sort them one by one, each to its own folder."
            )
        if datasets is not None and isinstance(recordings, (datasets.Dataset, datasets.IterableDataset)):
            recordings = (row for row in recordings)
        elif several:
            # The framework looks into a list for chat messages, and would index into a recording.
            return [self(recording, **kwargs) for recording in recordings]
        # Recordings are never batched together; the model's batches are of spikes.
        return super().__call__(recordings, batch_size=1, **kwargs)

    def _sanitize_parameters(
        self, spike_batch_size: int | None = None, **kwargs
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        sort_arguments = {name: kwargs.pop(name) for name in SORT_ARGUMENTS if name in kwargs}
        if spike_batch_size is not None:
            kwargs["batch_size"] = spike_batch_size
        if kwargs:
            # Refuses unknown names here, where the caller can still see them.
            _sorting_package().SortingParameters.from_dict(kwargs)
        return {}, {**sort_arguments, **kwargs}, {}

    def preprocess(self, recording: Any) -> dict[str, Any]:
        """Make a SpikeInterface recording of whatever was given."""
        return {"recording": _sorting_package().as_recording(recording)}

    def _forward(self, inputs: Mapping[str, Any], **kwargs) -> dict[str, Any]:
        sorter = _sorting_package().SpikeSorter(self.model, self.feature_extractor)
        return {"sorting": sorter(inputs["recording"], **kwargs)}

    def postprocess(self, outputs: Mapping[str, Any]) -> Any:
        """Return the sorting."""
        return outputs["sorting"]


def _sorting_package() -> Any:
    # Not before sorting begins: SpikeInterface takes seconds to load. In a `try`, so that a repository loads without.
    try:
        import spikeinterface  # noqa: F401

        import huidurep_hf
    except ImportError as error:
        raise ImportError(
            f"pipeline('spike-sorting') needs {error.name}, which is not installed: pip install 'huidurep-hf[sorting]'."
            " The model and pipeline('spike-embedding') work without."
        ) from error
    return huidurep_hf


__all__ = ["SpikeSortingPipeline"]
