"""Contact positions: what a recording brings, probe files, and simple probes by name."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .channels import some_of

if TYPE_CHECKING:
    from probeinterface import ProbeGroup
    from spikeinterface.core import BaseRecording

logger = logging.getLogger("huidurep_hf")

TETRODE_SIDE_UM = 25.0
PROBE_NAMES = "tetrode, linear:NUM_CONTACTS:PITCH_UM, or the path of a probeinterface JSON file"
UM_PER_UNIT = {"um": 1.0, "mm": 1e3, "m": 1e6}
# Contacts may leave their plane by so much: it changes no distance that matters. Contacts of less extent are a line.
MAX_OFF_PLANE_UM, MIN_EXTENT_UM = 5.0, 0.1
# No electrode has contacts closer than this: positions in mm look so.
MIN_PITCH_UM = 1.0


def with_probe(recording: BaseRecording) -> BaseRecording:
    """Return the recording with usable contact positions: two-dimensional and in µm, distances as they are.

    A single channel needs no geometry, so it gets a point at the origin. Several channels without positions are
    refused: a guess would silently decide which channels record the same neuron. The recording's groups stay.

    Args:
        recording: SpikeInterface recording.

    Returns:
        The recording, unchanged if its probe is two-dimensional and in µm.

    Raises:
        ValueError: several channels without a probe, a contact without a position, contacts in no plane, or closer
            than 1 µm.
    """
    num_channels = recording.get_num_channels()
    if not recording.has_probe():
        if num_channels > 1:
            raise ValueError(
                f"The recording has {num_channels} channels and no probe; contact positions are needed to know which"
                " channels are neighbours. Attach them with recording.set_probe(probe), or at the command line with"
                f" --probe ({PROBE_NAMES})."
            )
        return attach_probe(recording, probegroup_from_positions(np.zeros((num_channels, 2))))
    is_placed = np.isfinite(recording.get_probegroup().get_global_contact_positions()).all(axis=1)
    if not is_placed.all():
        raise ValueError(
            f"The probe gives no position to the channels {some_of(recording.channel_ids[~is_placed])} (NaN or"
            " infinite); give all contacts a position in µm (--probe), or leave those channels out (--channels, or"
            " recording.remove_channels)."
        )
    recording = _in_plane_and_um(recording)
    _check_distances(recording.get_channel_locations(), recording.get_channel_groups())
    return recording


def set_named_probe(recording: BaseRecording, name: str | Path, selected: np.ndarray | None = None) -> BaseRecording:
    """Attach a probe given by a name or a file.

    Args:
        recording: SpikeInterface recording.
        name: "tetrode" (a square of 25 µm side), "linear:NUM_CONTACTS:PITCH_UM", or the path of a probeinterface
            JSON file. Contacts are wired to the channels in their order, unless the file says otherwise.
        selected: as of [`attach_probe`].

    Returns:
        A recording of the channels that have a contact, with that probe.

    Raises:
        ValueError: unknown name, no probe file, or as of [`attach_probe`].
    """
    if str(name).lower().endswith(".json"):
        return attach_probe(recording, _read_probegroup(name), selected, f"The probe file {str(name)!r}")
    probegroup = probegroup_from_positions(_positions_by_name(str(name)))
    return attach_probe(recording, probegroup, selected, f"The probe {name!r}")


def attach_probe(
    recording: BaseRecording, probegroup: ProbeGroup, selected: np.ndarray | None = None, title: str = "The probe"
) -> BaseRecording:
    """Attach a probe to a recording and keep the channels that are wired to a contact.

    The wiring (`device_channel_indices`, -1 for a contact without a channel) counts the selected channels if the
    probe has one contact for each of them, and else all channels of the recording. A probe without wiring has its
    contacts in the order of the channels.

    Args:
        recording: SpikeInterface recording, left as it is.
        probegroup: `probeinterface.ProbeGroup`, any number of dimensions and any of its units.
        selected: `(num_selected,)` indices of channels, in the order wanted; all if left out.
        title: how errors name the probe.

    Returns:
        A recording of the selected channels that have a contact, with that probe, in two dimensions and µm.

    Raises:
        ValueError: wiring that is missing or does not fit the recording, or contacts in no plane.
    """
    num_channels = recording.get_num_channels()
    selected = np.arange(num_channels) if selected is None else selected
    wiring, is_stated = _wiring(probegroup)
    contacts = np.flatnonzero(wiring >= 0)
    wired, num_contacts = wiring[contacts], len(wiring)
    values, counts = np.unique(wired, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{title} wires {counts.max()} contacts to channel {values[counts.argmax()]}; give each contact a channel "
            "of its own in device_channel_indices, or -1."
        )
    if np.array_equal(values, np.arange(len(selected))):
        wired = selected[wired]
    elif not is_stated and num_contacts != num_channels:
        raise ValueError(
            f"{title} has {num_contacts} contacts but the recording has {num_channels} channels"
            f"{'' if len(selected) == num_channels else f', {len(selected)} of them selected'}, and no wiring says"
            " which belong together; set device_channel_indices in a probe file, select channels with --channels, or"
            f" give another probe: {PROBE_NAMES}."
        )
    contact_of_channel = dict(zip(wired.tolist(), contacts.tolist()))
    kept = [channel for channel in selected.tolist() if channel in contact_of_channel]
    if not kept:
        raise ValueError(
            f"{title} wires its {num_contacts} contacts to none of the {len(selected)} channels; correct"
            " device_channel_indices in it, or select other channels with --channels."
        )
    _say_what_is_left_out(title, recording, selected, kept, wired)
    part = recording.select_channels(recording.channel_ids[kept])
    probegroup = probegroup.get_slice(np.array([contact_of_channel[channel] for channel in kept]))
    probegroup.set_global_device_channel_indices(np.arange(len(kept)))
    # Tetrodes of one file often share the same nominal positions, which is no mistake.
    part.set_probegroup(probegroup, check_overlap=False)
    return _in_plane_and_um(part)


def _wiring(probegroup: ProbeGroup) -> tuple[np.ndarray, bool]:
    """Channel of each contact, -1 for none, and whether the probe itself says so."""
    channels, first = [], 0
    for probe in probegroup.probes:
        stated, last = probe.device_channel_indices, first + probe.get_contact_count()
        channels.append(np.arange(first, last) if stated is None else np.asarray(stated))
        first = last
    is_stated = any(probe.device_channel_indices is not None for probe in probegroup.probes)
    return np.concatenate(channels).astype("int64"), is_stated


def _say_what_is_left_out(
    title: str, recording: BaseRecording, selected: np.ndarray, kept: list[int], wired: np.ndarray
) -> None:
    if len(kept) < len(selected):
        ids = recording.channel_ids[np.setdiff1d(selected, kept)]
        logger.info("%s has no contact for the channels %s, which are left out.", title, some_of(ids))
    absent = np.sort(wired[wired >= recording.get_num_channels()])
    if len(absent):
        logger.warning(
            "%s wires contacts to channels that the recording with its %d channels has not (%s); they are left out. "
            "Check that it is the probe of this recording.",
            title,
            recording.get_num_channels(),
            some_of(absent),
        )


def _in_plane_and_um(recording: BaseRecording) -> BaseRecording:
    """The recording with two-dimensional contact positions in µm; itself if they are so."""
    from probeinterface import Probe, ProbeGroup

    probegroup = recording.get_probegroup()
    if probegroup.ndim == 2 and all(probe.si_units == "um" for probe in probegroup.probes):
        return recording
    table = probegroup.to_numpy(complete=True)
    units = np.array([UM_PER_UNIT[probe.si_units] for probe in probegroup.probes])
    positions = probegroup.get_global_contact_positions() * units[table["probe_index"]][:, None]
    positions = _project_onto_plane(positions) if positions.shape[1] == 3 else positions
    flat = ProbeGroup()
    for index, probe in enumerate(probegroup.probes):
        # One row for each channel, whichever the order of the probes.
        channels = np.flatnonzero(table["probe_index"] == index)
        copy = Probe(ndim=2, si_units="um", name=probe.name, model_name=probe.model_name)
        copy.set_contacts(
            positions[channels],
            shapes="circle",
            shape_params={"radius": 5},
            shank_ids=None if probe.shank_ids is None else table["shank_ids"][channels],
            contact_sides=None if probe.contact_sides is None else table["contact_sides"][channels],
        )
        copy.set_device_channel_indices(channels)
        flat.add_probe(copy)
    groups = recording.get_channel_groups()
    # SpikeInterface attaches in place; the caller's recording is left as it is.
    recording = recording.select_channels(recording.channel_ids)
    recording.set_probegroup(flat, check_overlap=False)
    recording.set_channel_groups(groups)
    return recording


def _project_onto_plane(positions: np.ndarray) -> np.ndarray:
    """Coordinates in the plane that the contacts span; the second runs along z or y, whichever the plane holds more of.

    Args:
        positions: `(num_contacts, 3)` µm.

    Returns:
        `(num_contacts, 2)` µm, with the same distances. A plane of two axes keeps their coordinates.

    Raises:
        ValueError: contacts that do not lie in a plane.
    """
    centered = positions - positions.mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=True)
    extents = np.abs(centered @ directions.T).max(axis=0)
    if extents[2] > MAX_OFF_PLANE_UM:
        raise ValueError(
            f"The contacts of the probe lie up to {extents[2]:.0f} µm off any one plane; the sorter needs a planar "
            "probe: give one with two coordinates for each contact (probe.to_2d), or sort each shank by itself."
        )
    # A line or a point lies in many planes: take one with the axis x, or else y.
    basis = [direction for direction, extent in zip(directions, extents) if extent > MIN_EXTENT_UM][:2]
    for axis in np.eye(3):
        rest = axis - sum((axis @ direction) * direction for direction in basis)
        if len(basis) < 2 and np.linalg.norm(rest) > 0.5:
            basis.append(rest / np.linalg.norm(rest))
    plane = np.stack(basis)
    y_in_plane, z_in_plane = plane.T[1], plane.T[2]
    is_along_y = np.linalg.norm(y_in_plane) > np.linalg.norm(z_in_plane) + 1e-6
    up = y_in_plane if is_along_y else z_in_plane
    up = up / np.linalg.norm(up)
    across = np.array([up[1], -up[0]])
    axes = np.stack([across, up]) @ plane
    # The first coordinate runs along x, or along y where the plane holds no x.
    leading = axes[0][np.abs(axes[0]).argmax()]
    axes[0] *= np.sign(leading)
    return np.round(positions @ axes.T, 6)


def _check_distances(positions: np.ndarray, groups: np.ndarray) -> None:
    """Refuse contacts closer than any electrode has, and say it where contacts of a shank share one place."""
    nearest, num_shared = [], 0
    for group in np.unique(groups):
        places, counts = np.unique(positions[groups == group], axis=0, return_counts=True)
        num_shared += counts[counts > 1].sum()
        if len(places) > 1:
            # Enough of them, not all pairs of thousands of contacts.
            distances = np.linalg.norm(places[:100, None] - places[None], axis=2)
            nearest += np.sort(distances, axis=1)[:, 1].tolist()
    if num_shared:
        logger.warning(
            "%d of %d contacts share their place with another one of their shank; if they are apart, give their "
            "positions (--probe).",
            num_shared,
            len(positions),
        )
    if nearest and np.median(nearest) < MIN_PITCH_UM:
        raise ValueError(
            f"Contacts lie {np.median(nearest):.3g} µm apart, closer than on any probe; if their positions are in mm, "
            'say so with si_units="mm" in the probe file, or give them in µm.'
        )


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


def probegroup_from_positions(positions: np.ndarray) -> ProbeGroup:
    """A probe of contacts at these places, `(num_contacts, 2)` or `(num_contacts, 3)` in µm, without wiring."""
    from probeinterface import Probe, ProbeGroup

    probe = Probe(ndim=positions.shape[1], si_units="um")
    plane_axes = np.tile(np.eye(positions.shape[1])[:2], (len(positions), 1, 1))
    probe.set_contacts(positions, shapes="circle", shape_params={"radius": 5}, plane_axes=plane_axes)
    probegroup = ProbeGroup()
    probegroup.add_probe(probe)
    return probegroup


def _read_probegroup(path: str | Path) -> ProbeGroup:
    from probeinterface import read_probeinterface

    if not Path(path).is_file():
        raise ValueError(f"The probe file {str(path)!r} does not exist; give one of: {PROBE_NAMES}.")
    try:
        return read_probeinterface(path)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(
            f"{str(path)!r} is not a probeinterface JSON file ({error}). Write one with"
            " probeinterface.write_probeinterface(path, probe)."
        ) from error
