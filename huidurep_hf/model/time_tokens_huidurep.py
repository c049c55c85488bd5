# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""The time-token encoder (the paper's): a token of every sample, from a fixed number of channels."""

from __future__ import annotations

import math

import torch
from torch import nn

from .configuration_huidurep import HuiduRepConfig


class HuiduRepTimeTokenizer(nn.Module):
    """One token per sample, by two convolutions over time and fixed sinusoidal positions (the paper's)."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        # What the denoiser makes of each token.
        self.output_size = config.num_channels
        self.conv1 = nn.Conv1d(config.num_channels, config.hidden_size, kernel_size=5, padding=2)
        self.conv2 = nn.Conv1d(config.hidden_size, config.hidden_size, kernel_size=3, padding=1)
        self.register_buffer("time_encoding", sinusoidal_encoding(config), persistent=False)

    def forward(self, waveforms: torch.Tensor, positions: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return tokens `(num_spikes, window_size, hidden_size)` of `(num_spikes, window_size, num_channels)`.

        Positions and scale are not looked at.
        """
        features = torch.relu(self.conv2(torch.relu(self.conv1(waveforms.transpose(1, 2)))))
        return features.transpose(1, 2) + self.time_encoding.to(features.dtype)

    def get_input_projection(self) -> nn.Module:
        """Return the first map from waveforms to tokens."""
        return self.conv1

    def set_input_projection(self, value: nn.Module) -> None:
        """Replace the first map from waveforms to tokens."""
        self.conv1 = value

    @staticmethod
    def mask_of_tokens(channel_mask: torch.Tensor) -> None:
        """Return which tokens are there: every sample is."""

    @staticmethod
    def to_waveforms(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return waveforms `(num_spikes, window_size, num_channels)` of a sample on each channel from each token."""
        return values


def sinusoidal_encoding(config: HuiduRepConfig) -> torch.Tensor:
    """Return the sine and cosine table `(window_size, hidden_size)` of Vaswani et al. 2017, section 3.5."""
    time = torch.arange(config.window_size, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, config.hidden_size, 2) * (-math.log(10000.0) / config.hidden_size))
    table = torch.zeros(config.window_size, config.hidden_size)
    table[:, 0::2] = torch.sin(time * frequency)
    table[:, 1::2] = torch.cos(time * frequency[: config.hidden_size // 2])
    return table
