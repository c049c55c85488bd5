"""What a recording was read from: its files and their hashes, and SpikeInterface's own description to open it again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .untrusted import refuse_code

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

HASHED_BYTES = 1_000_000
# The largest of the files that lie in a recording's folder.
MAX_FILES = 64


def describe_source(recording: BaseRecording) -> dict:
    """Describe where a recording comes from, in plain JSON values.

    Args:
        recording: SpikeInterface recording.

    Returns:
        `dict` of `files`, as of [`hash_files`], and `spikeinterface_json`, from which [`reopen`] makes the recording
        again; None for traces in memory, which are in no file.
    """
    if not recording.check_serializability("json"):
        return {"files": [], "spikeinterface_json": None}
    from spikeinterface.core.core_tools import SIJsonEncoder

    described = recording.to_dict(recursive=True, include_annotations=True, include_properties=True)
    try:
        text = json.dumps(described, cls=SIJsonEncoder)
    except (TypeError, ValueError):
        # An annotation or property that is no JSON.
        text = json.dumps(recording.to_dict(recursive=True), cls=SIJsonEncoder)
    return {"files": hash_files(recording), "spikeinterface_json": text}


def hash_files(recording: BaseRecording) -> list[dict]:
    """Path, size and hash of the files that SpikeInterface names as a recording's source.

    Args:
        recording: SpikeInterface recording.

    Returns:
        One `dict` a file: `path`, `bytes`, `ends_sha256` (of the first and the last megabyte, and the size).
    """
    return [
        {"path": str(path), "bytes": path.stat().st_size, "ends_sha256": _hash_ends(path)}
        for path in _find_files(recording)
    ]


def reopen(text: str) -> BaseRecording:
    """Open a recording again from its description.

    Args:
        text: `spikeinterface_json` of [`describe_source`].

    Raises:
        ValueError: the files are not there or cannot be read, or the text names code.
    """
    from spikeinterface.core import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.json"
        path.write_text(text)
        refuse_code(path)
        try:
            return load(path)
        except Exception as error:
            # Readers fail in many ways where their files are gone.
            raise ValueError(
                f"The recording cannot be opened again ({' '.join(str(error).split())}); give its path (--recording)."
            ) from error


def _find_files(recording: BaseRecording) -> list[Path]:
    from spikeinterface.core.core_tools import extractor_dict_iterator

    files = {}
    for element in extractor_dict_iterator(recording.to_dict(recursive=True)):
        # Others are names, such as that of a stream.
        if not isinstance(element.value, (str, Path)) or "path" not in str(element.name):
            continue
        path = Path(element.value)
        found = [path] if path.is_file() else []
        if path.is_dir():
            found = [Path(root, name) for root, _, names in os.walk(path) for name in names]
        files |= {one.absolute(): one.stat().st_size for one in found}
    largest = sorted(files, key=lambda path: (-files[path], path))[:MAX_FILES]
    return sorted(largest)


def _hash_ends(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(HASHED_BYTES))
        if size > HASHED_BYTES:
            file.seek(max(size - HASHED_BYTES, HASHED_BYTES))
            digest.update(file.read(HASHED_BYTES))
    return digest.hexdigest()
