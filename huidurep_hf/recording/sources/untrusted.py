"""Files of a stranger are data: what could have code run when SpikeInterface opens it is refused before that."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np

PICKLE_SUFFIXES = (".pkl", ".pickle")
PICKLE_PROTOCOLS = (2, 3, 4, 5)
# SpikeInterface writes them beside what it saves, and does not open them.
PROVENANCE_FILES = ("provenance.json", "provenance.pkl")
ZARR_FILES = (".zarray", ".zmetadata", "zarr.json")
# Its readers that run Python files, evaluate text or load models of other libraries.
RUNNING_MODULES = (
    "spikeinterface.extractors.phykilosortextractors",
    "spikeinterface.extractors.klustaextractors",
    "spikeinterface.extractors.shybridextractors",
    "spikeinterface.extractors.sinapsrecordingextractors",
    "spikeinterface.preprocessing.deepinterpolation",
)
# Sortings with start times, in our own results.
OWN_SORTINGS = "huidurep_hf.recording.sources.timed_sorting"
REMEDY = (
    "open it yourself if you trust whoever made it, save it with SpikeInterface's save(folder=...) or"
    " save(format='zarr', folder=...), and give that folder"
)


def refuse_code(path: Path) -> None:
    """Refuse a file or folder that could have code run when it is opened as a recording or sorting.

    That is: a pickle, by its name or its content, also one nested in a folder; a numpy file of Python objects; a Zarr
    array stored as pickles; the folder of a sorter, which that sorter's code would read; a SpikeInterface JSON file
    that names anything else than a class of recordings or sortings, or that leads to any of these.

    Args:
        path: exists.

    Raises:
        ValueError: naming the file and what to do.
    """
    path = Path(path)
    # Within folders names must do: SpikeInterface goes by them, and any samples may begin like a pickle.
    if path.is_file() and _holds_pickle(path):
        raise _pickle_error(path)
    _check(path, set())


def _pickle_error(path: Path) -> ValueError:
    return ValueError(f"{path} is a pickle, which can run any code when it is opened; {REMEDY}.")


def _check(path: Path, seen: set[Path]) -> None:
    if path.is_file():
        # By the name that leads to it: a link may give a pickle another suffix than its own.
        if path.absolute() not in seen:
            seen.add(path.absolute())
            _check_file(path, seen)
        return
    if path.resolve() in seen or not path.is_dir():
        return
    if (path / "sorter_output").is_dir():
        raise ValueError(f"{path} is the folder of a sorter, which that sorter's code would read; {REMEDY}.")
    for file in _files_below(path, seen):
        if file.name not in PROVENANCE_FILES:
            _check(file, seen)


def _files_below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Files in a folder and in those below it, also where links lead to them; no folder twice."""
    for place, folders, names in os.walk(folder, followlinks=True):
        if Path(place).resolve() in seen:
            folders.clear()
            continue
        seen.add(Path(place).resolve())
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def _check_file(path: Path, seen: set[Path]) -> None:
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise _pickle_error(path)
    if path.suffix == ".npy":
        _check_array(path)
    elif path.name in ZARR_FILES:
        if "pickle" in _find_texts(_read_json(path)):
            raise ValueError(f"{path} names an array stored as pickles, which can run any code; {REMEDY}.")
    elif path.suffix == ".json":
        _check_json(path, seen)


def _holds_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(2)
    return len(start) == 2 and start[0] == 0x80 and start[1] in PICKLE_PROTOCOLS


def _check_array(path: Path) -> None:
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"{path} holds Python objects and no plain array, and opening them can run any code; {REMEDY}."
        ) from error


def _read_json(path: Path) -> object:
    """Content of a JSON file; None if it is no JSON, as whoever opens it says."""
    try:
        return json.loads(path.read_text())
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply to be a description of data; {REMEDY}.") from error
    except ValueError:
        return None


def _check_json(path: Path, seen: set[Path]) -> None:
    for described in _find_extractors(_read_json(path)):
        _check_class(path, described["class"])
        for value in _find_texts(described.get("kwargs", {})):
            if "://" in value:
                raise ValueError(f"{path} leads to {value!r}, which cannot be checked before it is opened; {REMEDY}.")
            if value.lower().endswith(PICKLE_SUFFIXES):
                raise ValueError(f"{path} leads to the pickle {value!r}, which can run any code; {REMEDY}.")
            # SpikeInterface takes relative paths from the folder of the file, or from where the process is.
            if len(value) < 1000 and "\0" not in value:
                for place in {path.parent, path.resolve().parent}:
                    _check(place / value, seen)
                # The folder that the process is in is no part of the file, and may hold anything.
                if Path(value).resolve() not in (Path.cwd(), *Path.cwd().parents):
                    _check(Path(value), seen)


def _find_extractors(content: object) -> list[dict]:
    """Every dict at any depth that SpikeInterface would make an object of."""
    if isinstance(content, list):
        return [found for value in content for found in _find_extractors(value)]
    if not isinstance(content, dict):
        return []
    below = _find_extractors(list(content.values()))
    return [content, *below] if "class" in content and "kwargs" in content else below


def _find_texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    values = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return [text for value in values for text in _find_texts(value)]


def _check_class(path: Path, name: object) -> None:
    """SpikeInterface would call anything importable that a JSON file names."""
    from spikeinterface.core import BaseRecording, BaseSorting

    module, _, attribute = str(name).rpartition(".")
    found = None
    if module.startswith("spikeinterface.") or module == OWN_SORTINGS:
        try:
            found = getattr(import_module(module), attribute, None)
        except ImportError:
            found = None
    is_data = isinstance(found, type) and issubclass(found, (BaseRecording, BaseSorting))
    if not is_data or any(parent.__module__.startswith(RUNNING_MODULES) for parent in found.__mro__):
        raise ValueError(
            f"{path} names the class {name!r}, and only classes that read recordings and sortings as"
            f" data are made from a file; {REMEDY}."
        )
