"""What other neurons add to a spike: one or two that collide with it, and the small ones that are always there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .view_draws import happens, uniform

if TYPE_CHECKING:
    from .view_parameters import Spikes, ViewParameters


def interfering_spikes(spikes: Spikes, parameters: ViewParameters, generator: torch.Generator) -> torch.Tensor:
    """Return what other units' spikes add on the channels of each spike, `(n, num_samples, num_channels)`.

    Two may collide (each with the given chance, at a fraction of this spike's peak), and background units, whose
    peak is a few noise SDs whatever this spike's is, add up. `spikes` are in noise units.
    """
    num_spikes = len(spikes.mask)
    peak = spikes.peak_amplitude()
    always = (0.0, parameters.collision_shift_samples[1])
    total = torch.zeros_like(spikes.waveforms)
    for neighbor in range(1, 1 + parameters.num_collisions + parameters.num_background):
        if neighbor <= parameters.num_collisions:
            wanted = peak * uniform(parameters.collision_scale, num_spikes, generator)
            probability, shift_samples = parameters.collision_probability, parameters.collision_shift_samples
        else:
            wanted = uniform(parameters.background_peak, num_spikes, generator)
            probability, shift_samples = parameters.background_probability, always
        hit = happens(probability, num_spikes, generator)
        factor = hit * wanted / peak.roll(neighbor).clamp(min=1e-6)
        total += other_spikes(spikes, neighbor, factor, shift_samples, generator)
    return total


def other_spikes(
    spikes: Spikes, neighbor: int, factor: torch.Tensor, shift_samples: tuple[float, float], generator: torch.Generator
) -> torch.Tensor:
    """Return another unit's spike, near each spike in space and time, on that spike's channels.

    The other spike is the batch's `neighbor`-th next, centred on a random channel of this one. Its footprint is read
    off at the nearest of its own contacts, faded where none is near.

    Args:
        spikes: whom they meet.
        neighbor: how far on in the batch the other one stands.
        factor: on its amplitude, `(n,)`; 0 for none.
        shift_samples: range of its distance in time, either way.
        generator: source of all draws.
    """
    num_spikes, num_samples, num_channels = spikes.waveforms.shape
    device = spikes.waveforms.device
    other_positions, other_mask = spikes.positions.roll(neighbor, dims=0), spikes.mask.roll(neighbor, dims=0)
    center = (torch.rand(spikes.mask.shape, generator=generator, device=device) + spikes.mask.float()).argmax(dim=1)
    offset = spikes.positions.gather(1, center[:, None, None].expand(-1, 1, 2))
    distance = torch.cdist(spikes.positions - offset, other_positions)
    distance = distance.masked_fill(~other_mask[:, None], float("inf"))
    gap, nearest = distance.min(dim=2)

    sign = happens(0.5, num_spikes, generator).float() * 2 - 1
    shift = (uniform(shift_samples, num_spikes, generator) * sign).round().long()
    source = torch.arange(num_samples, device=device)[None] - shift[:, None]
    inside = (source >= 0) & (source < num_samples)
    # One look-up for channels and time together: the slow part is moving memory.
    flat = spikes.waveforms.roll(neighbor, dims=0).reshape(num_spikes, -1)
    index = source.clamp(0, num_samples - 1)[:, :, None] * num_channels + nearest[:, None]
    waveforms = flat.gather(1, index.reshape(num_spikes, -1)).reshape(num_spikes, num_samples, num_channels)
    return waveforms * (inside * factor[:, None])[..., None] * torch.exp(-gap / 30.0)[:, None]
