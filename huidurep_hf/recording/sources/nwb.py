"""Electrical series of NWB files, also where the electrodes have no usable positions, or have three coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .probe import attach_probe, probegroup_from_positions

if TYPE_CHECKING:
    from h5py import Group
    from spikeinterface.core import BaseRecording

COORDINATES = ("rel_x", "rel_y", "rel_z")


def read_nwb(path: Path, series: str) -> BaseRecording:
    """Open an electrical series.

    Args:
        path: of the file.
        series: path of the series in it.

    Returns:
        SpikeInterface recording; without a probe where electrodes share one place, which those of no probe do.
    """
    from spikeinterface.extractors.nwbextractors import NwbRecordingExtractor

    try:
        recording = NwbRecordingExtractor(path, electrical_series_path=series)
    except ValueError as error:
        if "positions must be unique" not in str(error):
            raise
        recording = _without_positions(path, series)
    # SpikeInterface takes two coordinates of three.
    positions = _three_coordinates(path, series) if path.is_file() else None
    if positions is None:
        return recording
    groups = recording.get_channel_groups()
    recording = attach_probe(recording, probegroup_from_positions(positions))
    if groups is not None:
        recording.set_channel_groups(groups)
    return recording


def _without_positions(path: Path, series: str) -> BaseRecording:
    import h5py
    from spikeinterface.extractors.nwbextractors import NwbTimeSeriesExtractor

    recording = NwbTimeSeriesExtractor(path, timeseries_path=series)
    with h5py.File(path, "r") as file:
        group, attributes = file[series], file[series]["data"].attrs
        of_channels = group["channel_conversion"][:] if "channel_conversion" in group else 1.0
        recording.set_channel_gains(1e6 * attributes.get("conversion", 1.0) * of_channels)
        recording.set_channel_offsets(1e6 * attributes.get("offset", 0.0))
        table, rows = _electrodes(file), group["electrodes"][:]
        if "group_name" in table:
            recording.set_channel_groups(table["group_name"].asstr()[:][rows])
    return recording


def _three_coordinates(path: Path, series: str) -> np.ndarray | None:
    """Positions `(num_channels, 3)` that differ in the third coordinate; else None."""
    import h5py

    with h5py.File(path, "r") as file:
        table = _electrodes(file)
        if not all(name in table for name in COORDINATES):
            return None
        positions = np.stack([table[name][:] for name in COORDINATES], axis=1)[file[series]["electrodes"][:]]
    is_usable = np.isfinite(positions).all() and len(np.unique(positions, axis=0)) == len(positions)
    return positions.astype("float64") if is_usable and np.ptp(positions[:, 2]) > 0 else None


def _electrodes(file: Group) -> Group:
    return file["general/extracellular_ephys/electrodes"]
