"""Open a spike dataset: a folder, a Parquet file, or a name on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .folder import is_saved_to_disk

if TYPE_CHECKING:
    from datasets import Dataset


def open_spikes(source: str | Path, split: str = "train") -> Dataset:
    """Return a split of a dataset.

    Args:
        source: folder as `scripts/build_dataset.py`, `save_to_disk` or `push_to_hub` write it, a Parquet file, or a hub
            name.
        split: of a folder or hub name; a Parquet file has none, nor has a single dataset that was saved to disk.

    Raises:
        ImportError: `datasets` is not installed.
        ValueError: there is no such dataset or split, or its files cannot be read; the message says why.
    """
    try:
        from datasets import Dataset, load_dataset, load_from_disk
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise ImportError(
            f"A spike dataset is read by {error.name}, which is not installed: pip install 'huidurep-hf[pretraining]'."
        ) from error
    try:
        if Path(source).is_file():
            return load_dataset("parquet", data_files=str(source), split="train")
        if is_saved_to_disk(Path(source)):
            saved = load_from_disk(str(source))
            return saved if isinstance(saved, Dataset) else saved[split]
        return load_dataset(str(source), split=split)
    except (OSError, ValueError, KeyError, DatasetsError) as error:
        raise ValueError(
            f"No spike dataset with a split {split!r} can be read from {str(source)!r} ({_reason(error)}). Make one"
            " with: python scripts/build_dataset.py --output data/spikes"
        ) from error


def _reason(error: BaseException) -> str:
    """Return the first cause of an error in a line: `datasets` says only that something failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "…"
