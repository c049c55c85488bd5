"""The folder of a spike dataset appears when it is complete, and takes the place of nothing but another one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..output_path import followed, identity, put_in_place

DESCRIPTION_FILE = "dataset_infos.json"
# Of `Dataset.save_to_disk` and `DatasetDict.save_to_disk`.
SAVED_FILES = ("state.json", "dataset_dict.json")


def check_dataset_folder(folder: str | Path, overwrite: bool) -> None:
    """Refuse a folder that must not be written.

    Raises:
        FileExistsError: it exists, and `overwrite` is False or it is no spike dataset.
    """
    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise FileExistsError(f"{folder} exists already; choose another folder or overwrite it.")
    if folder.exists() and not (folder / DESCRIPTION_FILE).is_file():
        raise FileExistsError(f"{folder} is no spike dataset, so it is not overwritten; choose another folder.")


@contextmanager
def new_dataset_folder(folder: str | Path, overwrite: bool) -> Iterator[Path]:
    """Give a folder beside the final place to work in, with `data/` in it; move it there at the end.

    Raises:
        FileExistsError: as [`check_dataset_folder`].
    """
    folder = followed(folder)
    check_dataset_folder(folder, overwrite)
    earlier = identity(folder)
    unfinished = folder.with_name(f".{folder.name}.unfinished-{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "data").mkdir(parents=True)
    try:
        yield unfinished
        put_in_place(unfinished, folder, earlier)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def is_saved_to_disk(folder: Path) -> bool:
    """Say whether `save_to_disk` wrote this folder."""
    return any((folder / name).is_file() for name in SAVED_FILES)


def is_dataset_folder(folder: Path) -> bool:
    """Say whether a folder holds a dataset: ours, one of `save_to_disk`, or one as `push_to_hub` lays it out."""
    return (folder / DESCRIPTION_FILE).is_file() or is_saved_to_disk(folder) or any(folder.glob("data/*.parquet"))
