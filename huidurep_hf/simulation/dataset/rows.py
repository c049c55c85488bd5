"""From a unit's waveforms on a whole probe to the rows of a spike dataset."""

from __future__ import annotations

import numpy as np

from ..electrodes.templates import UnitWaveforms


def dataset_rows(unit: UnitWaveforms, contacts: np.ndarray, num_channels: int, names: dict) -> list[dict]:
    """Rows of a unit, one for each displacement: its waveforms on the nearest channels, and its `names` in each."""
    rows = []
    for full, displacement, location in zip(unit.waveforms, unit.displacements_um, unit.locations):
        waveform, positions, mask, peak_position = nearest_channels(full, contacts, num_channels)
        row = {
            "waveform": waveform.ravel().astype(np.float16),
            "channel_positions": positions.ravel().astype(np.float32),
            "channel_mask": mask,
            "location": (location - peak_position).astype(np.float32),
            "displacement_um": np.float32(displacement),
        }
        rows.append(row | names)
    return rows


def nearest_channels(waveform: np.ndarray, contacts: np.ndarray, num_channels: int) -> tuple[np.ndarray, ...]:
    """A waveform on the channels nearest to its peak channel.

    Args:
        waveform: `(num_samples, num_contacts)`.
        contacts: `(num_contacts, 2)`, µm.
        num_channels: how many channels to give.

    Returns:
        Waveform `(num_samples, num_channels)` and positions `(num_channels, 2)` relative to the peak channel, both
        sorted by distance from it and padded with zeros; mask `(num_channels,)`, False for padding; and the peak
        channel's own position `(2,)`.
    """
    peak = int(waveform.min(axis=0).argmin())
    relative = contacts - contacts[peak]
    # Stable, so that equally distant channels keep their order and the peak channel comes first.
    order = np.argsort(np.linalg.norm(relative, axis=1).round(3), kind="stable")[:num_channels]
    padding = num_channels - len(order)
    mask = np.arange(num_channels) < len(order)
    padded_waveform = np.pad(waveform[:, order], ((0, 0), (0, padding)))
    return padded_waveform, np.pad(relative[order], ((0, padding), (0, 0))), mask, contacts[peak]
