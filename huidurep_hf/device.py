"""The device that a model runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Return a device that is there, before any work: a GPU where there is one if none is given.

    Args:
        device: as `torch` names it.

    Raises:
        ValueError: it is not there; the message lists those that are.
    """
    import torch

    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError, TypeError) as error:
        there = ["cpu"]
        if torch.accelerator.is_available():
            there.append(torch.accelerator.current_accelerator().type)
        raise ValueError(f"Got the device {device!r}, which is not there; give one of {', '.join(there)}.") from error
