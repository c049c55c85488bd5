"""Draws that all views are made of."""

from __future__ import annotations

import torch


def uniform(bounds: tuple[float, float], shape: int | tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Draw uniformly between two bounds, on the generator's device."""
    low, high = bounds
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def happens(probability: float, shape: int | tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Draw booleans that are true with a probability."""
    return torch.rand(shape, generator=generator, device=generator.device) < probability
