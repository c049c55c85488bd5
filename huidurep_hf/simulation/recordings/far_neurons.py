"""Noise that is a crowd of far neurons, each too small to be told from the others; and some that are not.

As MEArec makes its far-neuron noise (Buccino and Einevoll 2021, MEArec, Neuroinformatics 19): neurons of at most 10 µV
fire around the probe, and their sum is scaled to the noise level, above a floor of noise without spikes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from spikeinterface.core import BaseSorting

from ..electrodes.amplifier import NOMINAL_BAND_HZ
from ..electrodes.probes import contact_positions, make_probe
from ..electrodes.templates import TemplateParameters
from .background_noise import generate_noise
from .injection import GroundTruthRecording, RecordingChain, record_units
from .recordings import SIZE_RANGE, STRETCH_RANGE, RecordingParameters, generate_recording, place_units

# Far from the probe's plane, and far beside its contacts.
FAR_DISTANCE_UM, FAR_MARGIN_UM = (30.0, 150.0), 100.0


@dataclass(frozen=True)
class CrowdedRecordingParameters(RecordingParameters):
    """A recording whose noise is a crowd of far neurons.

    Attributes:
        num_far_units: neurons of the crowd.
        far_amplitude_range_uv: troughs of their templates before the crowd is scaled to the noise level.
        far_rate_range_hz: rates of their Poisson trains, drawn log-uniformly.
        floor_share: of the noise's SD that has no spikes in it.
    """

    num_far_units: int = 300
    far_amplitude_range_uv: tuple[float, float] = (0.5, 10.0)
    far_rate_range_hz: tuple[float, float] = (2.0, 20.0)
    floor_share: float = 0.5


def far_neuron_noise(parameters: CrowdedRecordingParameters) -> tuple[np.ndarray, BaseSorting]:
    """Let a crowd of far neurons fire and scale it to the noise level.

    Args:
        parameters: probe, cells, length, noise level, the crowd and the seed are used.

    Returns:
        `(traces, sorting)`: `(num_samples, num_channels)` float32, wide-band, µV, of the noise level after a band-pass
        of 300-6000 Hz; and the SpikeInterface sorting of the crowd.
    """
    low, high = parameters.far_amplitude_range_uv
    noise, seed = parameters.noise_level_uv, parameters.seed
    crowd = replace(
        parameters,
        num_units=parameters.num_far_units,
        snr_range=(low / noise, high / noise),
        drift_um=None,
        seed=seed + 1,
    )
    placement = TemplateParameters(
        distance_um=FAR_DISTANCE_UM, margin_um=FAR_MARGIN_UM, size_range=SIZE_RANGE, stretch_range=STRETCH_RANGE
    )
    contacts = contact_positions(parameters.probe, seed)
    templates = place_units(crowd, contacts, placement)
    num_samples = round(parameters.duration_s * parameters.sampling_rate)
    chain = RecordingChain(
        duration_s=parameters.duration_s,
        noise_level_uv=noise,
        firing_rate_range_hz=parameters.far_rate_range_hz,
        sampling_rate=parameters.sampling_rate,
        seed=seed + 1,
    )
    silence = np.zeros((num_samples, len(contacts)), dtype="float32")
    fired = record_units(templates, make_probe(parameters.probe, seed), chain, background=silence)
    traces = fired.recording.get_traces()
    of_crowd = noise * np.sqrt(1 - np.square(parameters.floor_share))
    traces = traces * np.float32(of_crowd / _band_deviation(traces, parameters.sampling_rate))
    floor = noise * parameters.floor_share
    rng = np.random.default_rng([seed, 1])
    traces += generate_noise(num_samples, contacts, parameters.sampling_rate, floor, rng)
    return traces, fired.sorting


def generate_condition(parameters: RecordingParameters) -> GroundTruthRecording:
    """Generate a recording, its noise a crowd of far neurons where the parameters say so.

    Args:
        parameters: as for [`~huidurep_hf.simulation.recordings.recordings.generate_recording`].
    """
    if not isinstance(parameters, CrowdedRecordingParameters):
        return generate_recording(parameters)
    traces, crowd = far_neuron_noise(parameters)
    return replace(generate_recording(parameters, background=traces), far_sorting=crowd)


def _band_deviation(traces: np.ndarray, sampling_rate: float, max_seconds: float = 20.0) -> float:
    """SD of the first seconds after the nominal band-pass, all channels together."""
    from scipy.signal import butter, sosfiltfilt

    band = butter(3, NOMINAL_BAND_HZ, "bandpass", fs=sampling_rate, output="sos")
    return float(sosfiltfilt(band, traces[: round(max_seconds * sampling_rate)], axis=0).std())
