# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Weights are what they are said to be: files of their own folder, with the content that the Hub promised."""

import hashlib
import json
import re
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

SHA256 = re.compile("[0-9a-f]{64}")


def check_shards(folder):
    """Refuse a local folder whose index of weights names files outside it; the Hub's client refuses those itself.

    Args:
        folder: `Path` of a checkpoint; whatever is no folder passes.

    Raises:
        ValueError: naming the file.
    """
    for index in folder.glob("*.safetensors.index.json"):
        for name in set(json.loads(index.read_text()).get("weight_map", {}).values()):
            if Path(name).name != name:
                raise ValueError(f"{index} names the weights file {name!r}, which does not lie beside it.")


def check_download(name, commit=None, cache_dir=None):
    """Compare weights in the Hub's cache with the SHA-256 under which the Hub stores them.

    The Hub's client compares the size alone: content that a proxy or a disk has changed would be loaded in silence.
    The cache names each large file after its hash, so nothing needs to be asked for. Weights elsewhere pass.

    Args:
        name: hub name or folder, as given to `from_pretrained`.
        commit: of the weights that were loaded from a hub name.
        cache_dir: the Hub's cache, if not at its usual place.

    Raises:
        OSError: a file is not what was promised; the message says how to fetch it again.
    """
    folder = Path(name)
    if not folder.is_dir():
        config = try_to_load_from_cache(str(name), "config.json", cache_dir=cache_dir, revision=commit)
        if not isinstance(config, str):
            return
        folder = Path(config).parent
    for path in folder.glob("*.safetensors"):
        stored = path.resolve()
        if stored.parent.name == "blobs" and SHA256.fullmatch(stored.name):
            found = hash_file(stored)
            if found != stored.name:
                raise OSError(
                    f"{path.name} of {name} was changed on its way: its SHA-256 is {found[:12]}… and not "
                    f"{stored.name[:12]}…. Load it once with force_download=True."
                )


def hash_file(path):
    """Return the SHA-256 of a file, as the Hub writes it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
