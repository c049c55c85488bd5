# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Weights are what they are said to be: files of their own folder, with the content that the Hub promised."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache

SHA256 = re.compile("[0-9a-f]{64}")
# Heads of pretraining: a model may be loaded from a checkpoint with other heads, or none.
HEADS = re.compile(r"(projector|predictor|momentum_\w+)\.")
MOST_NAMED = 3


class WeightsError(OSError, RuntimeError):
    """A checkpoint's weights are not those of the model.

    An `OSError`, as for any checkpoint that cannot be loaded, and a `RuntimeError`, as `transformers` raises it for
    weights of another shape.
    """


def check_report(report: dict[str, Any], name: str | Path | None, allow_mismatched: bool = False) -> None:
    """Refuse weights that do not fill the model, or that it has no place for; heads of pretraining aside.

    Args:
        report: `dict` of `missing_keys`, `unexpected_keys` and `mismatched_keys`, as `transformers` gives it.
        name: of the checkpoint, for the message.
        allow_mismatched: weights of another shape were asked to be initialised anew.

    Raises:
        WeightsError: naming what is wrong.
    """
    mismatched = {
        key: f"{key} ({tuple(found)}, not {tuple(needed)})" for key, found, needed in report["mismatched_keys"]
    }
    missing = set(report["missing_keys"]) - set(mismatched)
    wrong = {
        "has in another shape": [] if allow_mismatched else [mismatched[key] for key in sorted(mismatched)],
        "lacks": [key for key in sorted(missing) if not HEADS.match(key)],
        "has, and the model does not know,": [key for key in sorted(report["unexpected_keys"]) if not HEADS.match(key)],
    }
    for verb, keys in wrong.items():
        if keys:
            more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
            raise WeightsError(
                f"The checkpoint {name} {verb} the weights {', '.join(keys[:MOST_NAMED])}{more}, so it is not of this"
                " configuration; load a whole checkpoint, or read the report with output_loading_info=True."
            )


def check_finite(model: torch.nn.Module, name: str | Path | None) -> None:
    """Refuse weights that are NaN or infinite; weights on the disk are not looked at.

    Args:
        model: loaded model.
        name: of the checkpoint, for the message.

    Raises:
        WeightsError: naming some of them.
    """
    tensors = {
        key: value for key, value in model.state_dict().items() if value.is_floating_point() and not value.is_meta
    }
    broken = [key for key, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise WeightsError(
            f"The weights {', '.join(broken[:MOST_NAMED])} of {name} are not finite in {tensors[broken[0]].dtype}; load"
            " a sound checkpoint, or in a precision with a larger range."
        )


def check_shards(folder: Path) -> None:
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


def check_download(name: str | Path, revision: str | None = None, cache_dir: str | Path | None = None) -> None:
    """Compare weights in the Hub's cache with the SHA-256 under which the Hub stores them.

    The Hub's client compares the size alone: content that a proxy or a disk has changed would be loaded in silence.
    The cache names each large file after its hash, so nothing needs to be asked for. Weights elsewhere pass.

    Args:
        name: hub name or folder, as given to `from_pretrained`.
        revision: branch, tag or commit of the weights that were loaded from a hub name.
        cache_dir: the Hub's cache, if not at its usual place.

    Raises:
        OSError: a file is not what was promised; the message says how to fetch it again.
    """
    folder = Path(name)
    if not folder.is_dir():
        # `transformers` may have found the commit already.
        revision = getattr(revision, "resolved", revision)
        config = try_to_load_from_cache(str(name), "config.json", cache_dir=cache_dir, revision=revision)
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


def hash_file(path: str | Path) -> str:
    """Return the SHA-256 of a file, as the Hub writes it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
