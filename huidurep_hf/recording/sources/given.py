"""A recording in whatever form a user has it: an object, a path, or arrays in a dict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .probe import set_named_probe
from .reading import read_recording

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


ARRAY_KEYS = {"traces", "sampling_rate", "probe", "gain_uv", "offset_uv"}
PATH_KEYS = {"path", "probe", "stream"}


def as_recording(given: BaseRecording | str | Path | dict) -> BaseRecording:
    """Return a SpikeInterface recording of what was given.

    Args:
        given: a SpikeInterface recording, which is returned as it is; a path as in
            [`~huidurep_hf.recording.sources.reading.read_recording`]; a `dict` of `path` and, if need be, `probe` and
            `stream`; or a `dict` of `traces` `(num_samples, num_channels)`, `sampling_rate` in Hz and, for more than
            one channel, `probe`: contact positions `(num_channels, 2)` in µm, a name or file as in
            [`~huidurep_hf.recording.sources.probe.set_named_probe`], or a probeinterface `Probe`, `ProbeGroup` or its
            `dict`. `gain_uv` and `offset_uv` give µV per count and at count 0. Other keys with values are refused, as
            in a table's row where a misspelt column would otherwise be passed over.

    Raises:
        ValueError: a key is missing or unknown, shapes do not fit, or the path cannot be read.
        TypeError: none of these forms.
    """
    if isinstance(given, (str, Path)):
        return read_recording(given)
    if not isinstance(given, dict):
        # The sorter refuses objects that are no recordings.
        return given
    given = {name: value for name, value in given.items() if value is not None}
    allowed = PATH_KEYS if "path" in given else ARRAY_KEYS
    if unknown := sorted(set(given) - allowed):
        raise ValueError(f"Got a recording with {unknown}; known are {sorted(allowed)}. Remove the other columns.")
    if "path" in given:
        return read_recording(given["path"], probe=given.get("probe"), stream=given.get("stream"))
    if missing := sorted({"traces", "sampling_rate"} - set(given)):
        raise ValueError(f"Got a recording without {missing}; give traces and sampling_rate, or path.")
    return _from_traces(**given)


def _from_traces(
    traces: np.ndarray, sampling_rate: float, probe: object = None, gain_uv: float | None = None, offset_uv: float = 0.0
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
    if probe is None:
        return recording
    if isinstance(probe, (str, Path)):
        return set_named_probe(recording, probe)
    return _attach(recording, probe)


def _attach(recording: BaseRecording, probe: object) -> BaseRecording:
    from probeinterface import Probe, ProbeGroup

    num_channels = recording.get_num_channels()
    if isinstance(probe, dict):
        probe = ProbeGroup.from_dict(probe) if "probes" in probe else Probe.from_dict(probe)
    if not isinstance(probe, (Probe, ProbeGroup)):
        positions = np.asarray(probe, dtype=float)
        if positions.shape != (num_channels, 2):
            raise ValueError(f"Got contact positions of shape {positions.shape}; expected {(num_channels, 2)}, in µm.")
        probe = Probe(ndim=2, si_units="um")
        probe.set_contacts(positions, shapes="circle", shape_params={"radius": 5.0})
    if isinstance(probe, Probe):
        group = ProbeGroup()
        group.add_probe(probe)
        if probe.device_channel_indices is None:
            probe.set_device_channel_indices(np.arange(probe.get_contact_count()))
        probe = group
    if probe.get_contact_count() != num_channels:
        raise ValueError(f"Got a probe of {probe.get_contact_count()} contacts for {num_channels} channels.")
    recording.set_probegroup(probe, check_overlap=False)
    return recording
