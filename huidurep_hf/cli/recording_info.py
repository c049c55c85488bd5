"""What was understood of a recording, in words: `huidurep info`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..recording.preprocessing.preparation import PreparedRecording, plan_preprocessing
from ..recording.sources.channels import some_of
from ..recording.sources.plausibility import warn_of_absurd_noise, warn_of_misread_samples
from ..recording.sources.probe import attach_probe, probegroup_from_positions, with_probe
from ..sorting.forecast import forecast_run
from ..sorting.parameters import SortingParameters
from ..workers import num_available_cores

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

MAX_ROWS, MAX_COLUMNS = 24, 64
CHANNELS_PER_LINE = 6
LABEL_WIDTH = 11


def describe(recording: BaseRecording) -> str:
    """Describe a recording without sorting it: a few seconds of it are read.

    Args:
        recording: SpikeInterface recording.

    Returns:
        Lines of format, stream, channels, rate, duration, gain, probe with a picture, noise of each channel in µV or
        the recording's own unit, channels that a sort would leave out, and the forecast of a sort.

    Raises:
        ValueError: a recording that cannot be sorted, for another reason than its probe.
    """
    warn_of_misread_samples(recording)
    parameters = SortingParameters()
    placed, probe_error = _placed(recording)
    prepared = plan_preprocessing(placed, parameters, seed=parameters.seed).prepared
    warn_of_absurd_noise(prepared.noise_levels, prepared.unit)
    is_used = np.isin(np.arange(recording.get_num_channels()), prepared.channel_indices)
    rows = {
        "format": [recording.get_annotation("format") or "not stated"],
        "stream": [recording.get_annotation("stream") or "the only one"],
        "channels": [f"{recording.get_num_channels()} of {recording.get_dtype()}: {some_of(recording.channel_ids)}"],
        "rate": [f"{recording.get_sampling_frequency():g} Hz"],
        "duration": [_duration(recording)],
        "gain": [_gain(recording)],
        "probe": [probe_error] if probe_error else _probe(placed, is_used),
        "noise": _noise(prepared, recording.channel_ids),
        "left out": [f"{reason}: {', '.join(ids)}" for reason, ids in prepared.excluded_channels.items()] or ["none"],
        "forecast": [str(forecast_run(recording, parameters, num_available_cores()))],
    }
    lines = []
    for label, texts in rows.items():
        lines += [f"{label if first else '':{LABEL_WIDTH}}{text}".rstrip() for first, text in _with_first(texts)]
    return "\n".join(lines)


def _with_first(texts: list[str]) -> list[tuple[bool, str]]:
    return [(index == 0, text) for index, text in enumerate(texts)]


def _placed(recording: BaseRecording) -> tuple[BaseRecording, str]:
    """With its probe; or with contacts in a line, by which noise can be measured all the same, and what is wrong."""
    try:
        return with_probe(recording), ""
    except ValueError as error:
        line = 20.0 * np.arange(recording.get_num_channels())
        positions = probegroup_from_positions(np.stack([np.zeros(len(line)), line], axis=1))
        return attach_probe(recording, positions), str(error)


def _duration(recording: BaseRecording) -> str:
    num_segments, rate = recording.get_num_segments(), recording.get_sampling_frequency()
    seconds = [recording.get_num_samples(segment) / rate for segment in range(num_segments)]
    starts = [recording.get_start_time(segment) if seconds[segment] else 0.0 for segment in range(num_segments)]
    text = f"{sum(seconds):.6g} s"
    if num_segments > 1:
        text += f" in {num_segments} segments of {min(seconds):.6g} to {max(seconds):.6g} s"
    if any(starts):
        text += f", from {', '.join(f'{start:.6g}' for start in starts[:8])} s{' …' if num_segments > 8 else ''}"
    return text


def _gain(recording: BaseRecording) -> str:
    if not recording.has_scaleable_traces():
        return "unknown: amplitudes stay in the recording's own unit"
    gains, offsets = np.unique(recording.get_channel_gains()), np.unique(recording.get_channel_offsets())
    text = f"{gains[0]:.4g} µV per count" if len(gains) == 1 else f"{gains[0]:.4g} to {gains[-1]:.4g} µV per count"
    return text + (f", {offsets[0]:.4g} µV at count 0" if len(offsets) == 1 and offsets[0] else "")


def _probe(placed: BaseRecording, is_used: np.ndarray) -> list[str]:
    positions, groups = placed.get_channel_locations(), placed.get_channel_groups()
    lines = []
    for group in np.unique(groups):
        members = groups == group
        extent = np.ptp(positions[members], axis=0)
        contacts = "1 contact" if members.sum() == 1 else f"{members.sum()} contacts"
        lines += [f"group {group}: {contacts}, {extent[0]:.4g} µm wide and {extent[1]:.4g} µm high"]
        lines += draw_probe(positions[members], is_used[members])
    return [*lines, "(o contact, x contact left out; upwards on the page is upwards on the probe)"]


def draw_probe(positions: np.ndarray, is_used: np.ndarray) -> list[str]:
    """Draw contacts with letters, at most 24 lines of 64: o for a contact, x for one that is not used.

    Args:
        positions: `(num_contacts, 2)` µm.
        is_used: `(num_contacts,)` bool.
    """
    columns, rows = _places(positions[:, 0], MAX_COLUMNS), _places(positions[:, 1], MAX_ROWS)
    picture = np.full((rows.max() + 1, columns.max() + 1), " ")
    # What is not used last, so that it is seen.
    for used, letter in ((True, "o"), (False, "x")):
        chosen = is_used == used
        picture[rows[chosen], columns[chosen]] = letter
    return ["  " + " ".join(line).rstrip() for line in picture[::-1]]


def _places(coordinates: np.ndarray, most: int) -> np.ndarray:
    """Ranks of coordinates in µm; parts of their range where they are too many."""
    values, ranks = np.unique(np.round(coordinates), return_inverse=True)
    if len(values) <= most:
        return ranks
    share = (coordinates - coordinates.min()) / np.ptp(coordinates)
    return np.minimum((share * most).astype("int64"), most - 1)


def _noise(prepared: PreparedRecording, channel_ids: np.ndarray) -> list[str]:
    if len(prepared.noise_levels) == 0:
        return ["not measured: the recording is silent or too short"]
    unit = "µV" if prepared.unit == "uV" else "of the recording's own unit"
    lines = [f"median {np.median(prepared.noise_levels):.3g} {unit} (SD, filtered)"]
    names = channel_ids[prepared.channel_indices]
    each = [f"{name} {level:.3g}" for name, level in zip(names, prepared.noise_levels)]
    width = max(map(len, each)) + 2
    for start in range(0, len(each), CHANNELS_PER_LINE):
        lines.append("".join(text.ljust(width) for text in each[start : start + CHANNELS_PER_LINE]))
    return lines
