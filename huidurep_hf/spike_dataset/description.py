"""The file that describes a spike dataset's folder to `datasets`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from .folder import DESCRIPTION_FILE
from .geometry import SpikeGeometry, describe


def write_description(folder: Path, geometry: SpikeGeometry, license: str) -> None:
    """State what the rows of a folder are, and the checksums of the shards in it.

    `datasets` finds what it has cached by this file and the card alone. Without checksums a folder that was built anew
    would be read from the cache as it was before.

    Args:
        folder: with all its shards in `data/`.
        geometry: of the rows.
        license: of the dataset.
    """
    info = describe(geometry, license)
    info.download_checksums = {
        shard.relative_to(folder).as_posix(): {
            "num_bytes": shard.stat().st_size,
            "checksum": hashlib.sha256(shard.read_bytes()).hexdigest(),
        }
        for shard in sorted((folder / "data").glob("*.parquet"))
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps({"default": asdict(info)}, indent=2))
