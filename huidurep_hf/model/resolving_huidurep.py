# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Where `from_pretrained` looks before it asks the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

Loaded = TypeVar("Loaded", bound="CheckpointResolvingMixin")


class CheckpointResolvingMixin:
    """Lets the installed package say where a checkpoint's name is found.

    `huidurep_hf` sets `resolve_checkpoint` when it registers its classes, so that the checkpoints it ships are found
    without a network. In a copy of this file that came with a hub repository nothing is set, and a name stays as it is.
    """

    # Without it, nothing can be loaded.
    needed_file = "config.json"

    @staticmethod
    def resolve_checkpoint(name: str | Path | None, **kwargs) -> str | Path | None:
        """Return a name or folder for `from_pretrained`; `kwargs` are those given to it."""
        return name

    @classmethod
    def from_pretrained(
        cls: type[Loaded], pretrained_model_name_or_path: str | Path | None, *args: object, **kwargs
    ) -> Loaded:
        """As in `transformers`, from a folder, the Hub, its cache, or the checkpoints shipped with `huidurep_hf`."""
        resolved = CheckpointResolvingMixin.resolve_checkpoint(
            pretrained_model_name_or_path, needed_file=cls.needed_file, **kwargs
        )
        return super().from_pretrained(resolved, *args, **kwargs)
