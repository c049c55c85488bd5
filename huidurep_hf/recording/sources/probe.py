"""Contact positions: what a recording brings, and simple probes by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from probeinterface import ProbeGroup
    from spikeinterface.core import BaseRecording


TETRODE_SIDE_UM = 25.0
PROBE_NAMES = "tetrode, linear:NUM_CONTACTS:PITCH_UM, or the path of a probeinterface JSON file"


def with_probe(recording: BaseRecording) -> BaseRecording:
    """Return the recording with usable contact positions.

    A single channel needs no geometry, so it gets a point at the origin. Several channels without positions are
    refused: a guess would silently decide which channels record the same neuron.

    Args:
        recording: SpikeInterface recording.

    Returns:
        The recording, unchanged if it has a probe.

    Raises:
        ValueError: several channels without a probe, or a contact without a position.
    """
    num_channels = recording.get_num_channels()
    if not recording.has_probe():
        if num_channels > 1:
            raise ValueError(
                f"The recording has {num_channels} channels and no probe; contact positions are needed to know which"
                " channels are neighbours. Attach them with recording.set_probe(probe), or at the command line with"
                f" --probe ({PROBE_NAMES})."
            )
        return _attached(recording, _probegroup_from_positions(np.zeros((num_channels, 2))))
    is_placed = np.isfinite(recording.get_channel_locations()).all(axis=1)
    if not is_placed.all():
        raise ValueError(
            f"The probe gives no position to the channels {', '.join(map(str, recording.channel_ids[~is_placed]))} "
            "(NaN or infinite); give all contacts a position in µm, or leave those channels out with"
            " recording.remove_channels(...)."
        )
    return recording


def set_named_probe(recording: BaseRecording, name: str | Path) -> BaseRecording:
    """Attach a probe given by a name or a file.

    Args:
        recording: SpikeInterface recording.
        name: "tetrode" (a square of 25 µm side), "linear:NUM_CONTACTS:PITCH_UM", or the path of a probeinterface
            JSON file. Contacts are wired to the channels in their order, unless the file says otherwise.

    Returns:
        A recording with that probe.

    Raises:
        ValueError: unknown name, or a number of contacts other than the recording's number of channels.
    """
    num_channels = recording.get_num_channels()
    if str(name).lower().endswith(".json"):
        return _attached(recording, _read_probegroup(name, num_channels))
    positions = _positions_by_name(str(name))
    if len(positions) != num_channels:
        raise ValueError(
            f"The probe {name!r} has {len(positions)} contacts but the recording has {num_channels} channels."
            f" Give a probe with {num_channels} contacts: {PROBE_NAMES}."
        )
    return _attached(recording, _probegroup_from_positions(positions))


def _attached(recording: BaseRecording, probegroup: ProbeGroup) -> BaseRecording:
    """SpikeInterface attaches in place; the caller's recording is left as it is."""
    recording = recording.select_channels(recording.channel_ids)
    # Tetrodes of one file often share the same nominal positions, which is no mistake.
    recording.set_probegroup(probegroup, check_overlap=False)
    return recording


def _positions_by_name(name: str) -> np.ndarray:
    kind, *numbers = name.split(":")
    if kind == "tetrode" and not numbers:
        return TETRODE_SIDE_UM * np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype="float64")
    if kind == "linear" and len(numbers) == 2:
        try:
            num_contacts, pitch_um = int(numbers[0]), float(numbers[1])
        except ValueError:
            num_contacts, pitch_um = 0, 0.0
        if num_contacts > 0 and pitch_um > 0:
            return np.stack([np.zeros(num_contacts), pitch_um * np.arange(num_contacts)], axis=1)
    raise ValueError(f"Unknown probe {name!r}; known: {PROBE_NAMES} (for example linear:16:50).")


def _probegroup_from_positions(positions: np.ndarray) -> ProbeGroup:
    from probeinterface import Probe, ProbeGroup

    probe = Probe(ndim=2, si_units="um")
    probe.set_contacts(positions=positions, shapes="circle", shape_params={"radius": 5})
    probe.set_device_channel_indices(np.arange(len(positions)))
    probegroup = ProbeGroup()
    probegroup.add_probe(probe)
    return probegroup


def _read_probegroup(path: str | Path, num_channels: int) -> ProbeGroup:
    from probeinterface import read_probeinterface

    if not Path(path).is_file():
        raise ValueError(f"The probe file {str(path)!r} does not exist; give one of: {PROBE_NAMES}.")
    try:
        probegroup = read_probeinterface(path)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(
            f"{str(path)!r} is not a probeinterface JSON file ({error}). Write one with"
            " probeinterface.write_probeinterface(path, probe)."
        ) from error
    num_contacts = probegroup.get_contact_count()
    if num_contacts != num_channels:
        raise ValueError(
            f"The probe file {str(path)!r} has {num_contacts} contacts but the recording has {num_channels} channels."
        )
    first = 0
    for probe in probegroup.probes:
        if probe.device_channel_indices is None:
            probe.set_device_channel_indices(np.arange(first, first + probe.get_contact_count()))
        first += probe.get_contact_count()
    return probegroup
