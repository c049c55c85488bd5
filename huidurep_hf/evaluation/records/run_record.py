"""What a figure was made with: command, versions, machine, model; and rows of figures kept on disk as they come."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from ...model.modeling_huidurep import HuiduRepModel

PACKAGES = ("huidurep-hf", "torch", "transformers", "spikeinterface", "numpy", "scikit-learn", "hdbscan")


def describe_environment(extra_packages: Iterable[str] = ()) -> dict:
    """Return command, time, versions and machine class (cores, memory, GPU; no host name) as plain JSON values."""
    import torch

    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "command": shlex.join(["python", os.path.relpath(sys.argv[0]), *sys.argv[1:]]),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{p: _version(p) for p in (*PACKAGES, *extra_packages)}},
        "machine": {
            "processor": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
            "memory_gib": round(memory_gib),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


# Fields that configurations have had since there are published figures, with the value that changes nothing: models
# without them keep their hash.
ADDED_FIELDS = {"pooling": "mean", "origin": "peak", "objective": "momentum_contrast"}


def hash_weights(model: HuiduRepModel) -> str:
    """Return the SHA-256 of a model's configuration and weights: two models of one hash give the same figures."""
    config = model.config.to_diff_dict()
    # Of the library that is installed, not of the model.
    config.pop("transformers_version", None)
    config = {name: value for name, value in config.items() if name not in ADDED_FIELDS or value != ADDED_FIELDS[name]}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, values in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


# The code that our figures rest on, by name in the package: rows are made again when it changes.
EMBEDDING_SOURCES = ("memory.py", "resumable.py", "settings.py", "workers.py", "recording", "model", "embedding")
SORTING_SOURCES = (*EMBEDDING_SOURCES, "sorting")
TRACKING_SOURCES = (*SORTING_SOURCES, "tracking")


def hash_sources(names: Iterable[str], package: Path = Path(__file__).parents[2]) -> str:
    """Return the SHA-256 of files of a package, and of the Python files of its folders: names and texts.

    Args:
        names: of files and folders in the package, such as `SORTING_SOURCES`.
        package: its folder.
    """
    digest = hashlib.sha256()
    for name in names:
        place = package / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            text = path.read_bytes()
            digest.update(f"{path.relative_to(package).as_posix()} {len(text)}\n".encode())
            digest.update(text)
    return digest.hexdigest()


# As ADDED_FIELDS, for what recordings are made of: rows written before a field was added stay valid.
ADDED_PARAMETERS = {"pattern": None}


def plain(parameters: DataclassInstance) -> dict:
    """Return a dataclass as JSON would give it back: tuples become lists; later fields appear when they are used."""
    values = json.loads(json.dumps(dataclasses.asdict(parameters)))
    return {
        name: value for name, value in values.items() if name not in ADDED_PARAMETERS or value != ADDED_PARAMETERS[name]
    }


def has_key(row: dict, key: dict) -> bool:
    """Whether a row has these values; a field that it does not have is None."""
    return all(row.get(name) == value for name, value in key.items())


class ResultFile:
    """A JSON file of figures that grows by a row at a time, so that a run that was cut short can go on.

    Args:
        path: the file; an existing one is continued.
        identity: dict that says what is measured (model hash, settings). A file of another identity is refused:
            its rows would not belong beside the new ones.

    Raises:
        ValueError: if the file exists and holds figures of another identity.
    """

    def __init__(self, path: str | Path, identity: dict) -> None:
        self.path = Path(path)
        self.content = {"identity": identity, "runs": [], "rows": []}
        if self.path.exists():
            self.content = json.loads(self.path.read_text())
            differing = [key for key in identity if self.content["identity"].get(key) != identity[key]]
            if differing:
                key = differing[0]
                raise ValueError(
                    f"{self.path} holds figures of another {key}: {self.content['identity'].get(key)}, not "
                    f"{identity[key]}. Give another output file, or delete this one."
                )

    @property
    def rows(self) -> list[dict]:
        """The rows so far."""
        return self.content["rows"]

    def has_row(self, **key) -> bool:
        """Whether there is a row with these values."""
        return any(has_key(row, key) for row in self.rows)

    def drop_rows(self, **key) -> None:
        """Forget rows with these values; the file follows when the next row is added."""
        self.content["rows"] = [row for row in self.rows if not has_key(row, key)]

    def add_run(self, environment: dict) -> None:
        """Note the environment of the rows that follow; every row names its run."""
        self.content["runs"].append(environment)

    def add_row(self, row: dict) -> None:
        """Append a row and write the file, whole or not at all."""
        self.rows.append({**row, "run": len(self.content["runs"]) - 1})
        self.write()

    def write(self) -> None:
        """Write the file beside its place, then move it there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".partial")
        beside.write_text(json.dumps(self.content, indent=1) + "\n")
        os.replace(beside, self.path)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
