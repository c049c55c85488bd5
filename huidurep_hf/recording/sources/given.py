"""A recording in whatever form a user has it: an object, a path, or arrays in a dict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .channels import select_channels
from .probe import attach_probe, probegroup_from_positions, set_named_probe
from .reading import read_recording

if TYPE_CHECKING:
    from probeinterface import ProbeGroup
    from spikeinterface.core import BaseRecording


ARRAY_KEYS = {"traces", "sampling_rate", "probe", "channels", "gain_uv", "offset_uv"}
PATH_KEYS = {"path", "probe", "channels", "stream", "format"}


def as_recording(given: BaseRecording | str | Path | Mapping) -> BaseRecording:
    """Return a SpikeInterface recording of what was given.

    Args:
        given: a SpikeInterface recording, which is returned as it is; a path as in
            [`~huidurep_hf.recording.sources.reading.read_recording`]; a mapping of `path` and, if need be, `probe`,
            `channels`, `stream` and `format`; or one of `traces` `(num_samples, num_channels)`, `sampling_rate` in
            Hz and, for more than one channel, `probe`: contact positions `(num_channels, 2)` in µm, a name or file as
            in [`~huidurep_hf.recording.sources.probe.set_named_probe`], or a probeinterface `Probe`, `ProbeGroup` or
            its `dict`. `channels` selects some; `gain_uv` and `offset_uv` give µV per count and at count 0. Other keys
            with values are refused, as in a table's row where a misspelt column would otherwise be passed over.

    Raises:
        ValueError: a key is missing or unknown, shapes do not fit, or the path cannot be read.
        TypeError: none of these forms.
    """
    if isinstance(given, (str, Path)):
        return read_recording(given)
    if not isinstance(given, Mapping):
        # The sorter refuses objects that are no recordings.
        return given
    given = {name: value for name, value in given.items() if value is not None}
    allowed = PATH_KEYS if "path" in given else ARRAY_KEYS
    if unknown := sorted(set(given) - allowed):
        raise ValueError(f"Got a recording with {unknown}; known are {sorted(allowed)}. Remove the other columns.")
    if "path" in given:
        return read_recording(**given)
    if missing := sorted({"traces", "sampling_rate"} - set(given)):
        raise ValueError(f"Got a recording without {missing}; give traces and sampling_rate, or path.")
    return _from_traces(**given)


def _from_traces(
    traces: np.ndarray,
    sampling_rate: float,
    probe: object = None,
    channels: str | None = None,
    gain_uv: float | None = None,
    offset_uv: float = 0.0,
) -> BaseRecording:
    from spikeinterface.core import NumpyRecording

    traces = np.asarray(traces)
    if traces.ndim != 2 or traces.shape[1] == 0 or traces.dtype.kind not in "iuf":
        raise ValueError(
            f"Got traces of shape {traces.shape} and type {traces.dtype}; expected (num_samples, num_channels)."
        )
    if not sampling_rate > 0:
        raise ValueError(f"Got a sampling rate of {sampling_rate} Hz; it must be positive.")
    recording = NumpyRecording([traces], sampling_frequency=float(sampling_rate))
    if gain_uv is not None:
        recording.set_channel_gains(gain_uv)
        recording.set_channel_offsets(offset_uv)
    selected = select_channels(recording, channels)
    if probe is None:
        return recording.select_channels(recording.channel_ids[selected])
    if isinstance(probe, (str, Path)):
        return set_named_probe(recording, probe, selected)
    return attach_probe(recording, _as_probegroup(probe, len(selected)), selected)


def _as_probegroup(probe: object, num_channels: int) -> ProbeGroup:
    from probeinterface import Probe, ProbeGroup

    if isinstance(probe, dict):
        probe = ProbeGroup.from_dict(probe) if "probes" in probe else Probe.from_dict(probe)
    if isinstance(probe, ProbeGroup):
        return probe
    if isinstance(probe, Probe):
        group = ProbeGroup()
        group.add_probe(probe)
        return group
    positions = np.asarray(probe, dtype=float)
    if positions.shape not in ((num_channels, 2), (num_channels, 3)):
        raise ValueError(f"Got contact positions of shape {positions.shape}; expected {(num_channels, 2)}, in µm.")
    return probegroup_from_positions(positions)
