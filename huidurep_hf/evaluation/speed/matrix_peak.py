"""The fastest matrix product of a machine: what a model could reach at most."""

from __future__ import annotations

import torch

from .repeated import WAYS, measure_rate


def measure_matrix_peak(dtype: torch.dtype, device: torch.device, size: int, min_seconds: float) -> dict[str, float]:
    """Rate of `torch.mm` of two square matrices, 10⁹ operations/s, by the way that cores are shared.

    Args:
        dtype: precision.
        device: where.
        size: rows and columns.
        min_seconds: about so long each way is measured, s.
    """
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(size, size, generator=generator).to(device, dtype) for _ in range(2))
    ways = WAYS if device.type == "cpu" else WAYS[:1]
    return {
        way: 2e-9 * size**3 * measure_rate(lambda: torch.mm(first, second), way, device, min_seconds) for way in ways
    }
