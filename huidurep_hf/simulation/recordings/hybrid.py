"""Hybrid recordings: units of held-out cells added to recorded traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import spikeinterface.core as si
from spikeinterface.preprocessing import bandpass_filter

from ..electrodes.amplifier import NOMINAL_BAND_HZ
from ..electrodes.probes import probe_of
from ..neurons.cells import HELD_OUT_CELLS
from .benchmark_conditions import CLEAR_SNR_RANGE
from .injection import GroundTruthRecording, RecordingChain, record_units
from .recordings import RecordingParameters, place_units

CELLS = HELD_OUT_CELLS
MAD_OF_NORMAL = 0.6745
"""Median absolute deviation of normal noise of deviation 1."""


@dataclass(frozen=True)
class HybridParameters:
    """What is added to a recording.

    Attributes:
        num_units: added units, the held-out cells in equal shares.
        snr_range: of the units, over the recording's own noise.
        firing_rate_range_hz: rates of the units, drawn log-uniformly.
        noise_level_uv: the recording is scaled to this noise after a band-pass of 300-6000 Hz (median of the
            channels): its own gain is often unknown, and a sorter's result must not depend on it.
        seed: units, trains and amplitudes follow from it.
    """

    num_units: int = 6
    snr_range: tuple[float, float] = CLEAR_SNR_RANGE
    firing_rate_range_hz: tuple[float, float] = (2.0, 8.0)
    noise_level_uv: float = 9.0
    seed: int = 0


def hybrid_recording(recording: si.BaseRecording, parameters: HybridParameters) -> GroundTruthRecording:
    """Add units to recorded traces.

    The truth holds the added units alone: the neurons that the recording already holds are not known.

    Args:
        recording: SpikeInterface recording with a probe; its segments are joined.
        parameters: units and scale.

    Returns:
        The recording with the truth, in memory (4 bytes a sample and channel).

    Raises:
        ValueError: no probe, silent channels only, or not enough places for the units.
    """
    if not recording.has_probe():
        raise ValueError("The recording has no probe; added units need contact positions.")
    contacts = recording.get_channel_locations()
    rate = recording.get_sampling_frequency()
    traces = scaled_traces(recording, parameters.noise_level_uv)
    placement = RecordingParameters(
        "the probe of the recording",
        num_units=parameters.num_units,
        cells=CELLS,
        noise_level_uv=parameters.noise_level_uv,
        snr_range=parameters.snr_range,
        sampling_rate=rate,
        seed=parameters.seed,
    )
    chain = RecordingChain(
        duration_s=len(traces) / rate,
        noise_level_uv=parameters.noise_level_uv,
        firing_rate_range_hz=parameters.firing_rate_range_hz,
        sampling_rate=rate,
        seed=parameters.seed,
    )
    return record_units(place_units(placement, contacts), probe_of(contacts), chain, traces)


def scaled_traces(recording: si.BaseRecording, noise_level_uv: float) -> np.ndarray:
    """Traces of all segments, each channel's median at 0, with this noise in the median channel.

    The noise is the deviation of the band-passed traces, from their median absolute deviation: spikes do not count.

    Returns:
        `(num_samples, num_channels)` float32, µV.

    Raises:
        ValueError: half of the channels or more are silent.
    """
    joined = si.concatenate_recordings([recording]) if recording.get_num_segments() > 1 else recording
    traces = joined.get_traces().astype(np.float32)
    traces -= np.median(traces, axis=0)
    rate = recording.get_sampling_frequency()
    low, high = NOMINAL_BAND_HZ
    in_band = bandpass_filter(si.NumpyRecording([traces], rate), low, min(high, 0.45 * rate)).get_traces()
    noise = np.median(np.median(np.abs(in_band), axis=0)) / MAD_OF_NORMAL
    if noise == 0:
        raise ValueError("Half of the recording's channels or more are silent; there is no noise to add units to.")
    return traces * np.float32(noise_level_uv / noise)
