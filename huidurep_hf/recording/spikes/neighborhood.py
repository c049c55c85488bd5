"""Neighbourhoods: for each peak channel the channels on which its spikes are cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Neighborhoods:
    """For each channel its nearest channels on the same shank, itself first, padded to one length.

    Attributes:
        channel_indices: `(num_channels, num_neighbors)` int64, -1 for padding.
        positions: `(num_channels, num_neighbors, 2)` float32, µm relative to the peak channel, 0 for padding.
        mask: `(num_channels, num_neighbors)` bool, False for padding.
    """

    channel_indices: np.ndarray
    positions: np.ndarray
    mask: np.ndarray


def find_neighborhoods(positions: np.ndarray, shanks: np.ndarray, num_neighbors: int) -> Neighborhoods:
    """Order the contacts of each shank by distance from each channel.

    Args:
        positions: `(num_channels, 2)` contact positions, µm.
        shanks: `(num_channels,)` shank of each channel; neighbours never cross shanks.
        num_neighbors: channels per neighbourhood, the peak channel included.

    Returns:
        [`Neighborhoods`]. At equal distance the channel of lower index comes first.

    Raises:
        ValueError: positions not of shape `(num_channels, 2)`, or `num_neighbors` below 1.
    """
    positions = np.asarray(positions, dtype="float64")
    shanks = np.asarray(shanks)
    if positions.ndim != 2 or positions.shape[1] != 2 or len(positions) != len(shanks):
        raise ValueError(
            f"Got positions of shape {positions.shape} and {len(shanks)} shanks; expected (num_channels, 2) and one"
            " shank per channel."
        )
    if num_neighbors < 1:
        raise ValueError(f"Got num_neighbors={num_neighbors}; at least 1 (the peak channel itself) is needed.")
    num_channels = len(positions)
    channel_indices = np.full((num_channels, num_neighbors), -1, dtype="int64")
    for channel in range(num_channels):
        candidates = np.flatnonzero(shanks == shanks[channel])
        distances = np.linalg.norm(positions[candidates] - positions[channel], axis=1)
        nearest = candidates[np.argsort(distances, kind="stable")][:num_neighbors]
        channel_indices[channel, : len(nearest)] = nearest
    mask = channel_indices >= 0
    relative = positions[channel_indices] - positions[:, None, :]
    relative[~mask] = 0
    return Neighborhoods(channel_indices, relative.astype("float32"), mask)
