# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""The channel-token encoder (ours): a token of every channel, which knows where its contact is."""

from __future__ import annotations

import torch
from torch import nn

from .configuration_huidurep import HuiduRepConfig


class HuiduRepChannelTokenizer(nn.Module):
    """One token per channel: its waveform, where its contact lies, and how large the spike is.

    Waveforms are divided by the spike's largest absolute value, so that the layers see shapes of one size; the
    logarithm of that value is given beside them, since it says how far the noise can be trusted.
    """

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        # What the denoiser makes of each token.
        self.output_size = config.window_size
        self.position_scale_um = config.position_scale_um
        self.waveform_proj = nn.Sequential(
            nn.Linear(config.window_size, config.intermediate_size),
            nn.GELU(),
            nn.Linear(config.intermediate_size, config.hidden_size),
        )
        # x, y, distance from the peak channel, log of the spike's scale
        self.context_proj = nn.Sequential(
            nn.Linear(4, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)
        )

    def forward(
        self, waveforms: torch.Tensor, positions: torch.Tensor, scale: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens `(num_spikes, num_channels, hidden_size)` of `(num_spikes, window_size, num_channels)`."""
        place = positions / self.position_scale_um
        distance = torch.linalg.vector_norm(place, dim=-1, keepdim=True)
        size = torch.log(scale).expand(-1, place.shape[1], 1)
        context = self.context_proj(torch.cat([place, distance, size], dim=-1))
        return self.waveform_proj((waveforms / scale).transpose(1, 2)) + context

    def get_input_projection(self) -> nn.Module:
        """Return the first map from waveforms to tokens."""
        return self.waveform_proj

    def set_input_projection(self, value: nn.Module) -> None:
        """Replace the first map from waveforms to tokens."""
        self.waveform_proj = value

    @staticmethod
    def mask_of_tokens(channel_mask: torch.Tensor) -> torch.Tensor:
        """Return which tokens are there: those of channels that are."""
        return channel_mask

    @staticmethod
    def to_waveforms(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return waveforms `(num_spikes, window_size, num_channels)` of a waveform from each token."""
        return values.transpose(1, 2) * scale


def center_of_mass(waveforms: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Return the mean position of the contacts, each weighed by the energy that it sees: `(num_spikes, 1, 2)`.

    Args:
        waveforms: `(num_spikes, window_size, num_channels)`, zero on channels that are not there.
        positions: `(num_spikes, num_channels, 2)`, µm.
    """
    # Energies times µm pass what float16 can hold.
    dtype = torch.promote_types(positions.dtype, torch.float32)
    energy = waveforms.to(dtype).square().sum(dim=1)[:, :, None]
    moment = (energy * positions.to(dtype)).sum(dim=1, keepdim=True)
    return (moment / energy.sum(dim=1, keepdim=True).clamp(min=1e-6)).to(positions.dtype)
