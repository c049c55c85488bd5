"""Recordings of SpikeInterface's generator, of any length and number of channels, and their true spikes."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...workers import num_available_cores

# Contacts as on a Neuropixels 1.0: four columns, staggered.
PROBE = {
    "num_columns": 4,
    "xpitch": 16,
    "ypitch": 40,
    "y_shift_per_column": [20, 0, 20, 0],
    "contact_shapes": "square",
    "contact_shape_params": {"width": 12},
}
# The recording and the sorter's copy of its traces take at most this share of the free disk.
MAX_SHARE_OF_DISK = 0.8
GAIN_UV = 0.1


@dataclass(frozen=True)
class GeneratedParameters:
    """What a recording is generated from.

    Attributes:
        num_channels, num_units: counts.
        duration_s: length, s.
        firing_rates_hz: lowest and highest rate of a unit.
        alpha_uv: range of a unit's size at the neuron itself, µV; it falls with the distance from the neuron.
        depth_um: lowest and highest distance of a neuron from the plane of the probe.
        noise_uv: SD of the white noise, µV; 6 to 7 after the band-pass.
        sampling_rate: Hz.
        seed: of units, spikes and noise.
    """

    num_channels: int
    num_units: int
    duration_s: float
    firing_rates_hz: tuple[float, float]
    alpha_uv: tuple[float, float] = (100.0, 500.0)
    depth_um: tuple[float, float] = (5.0, 40.0)
    noise_uv: float = 10.0
    sampling_rate: float = 30000.0
    seed: int = 100


# Detected at the sorter's default threshold: 274 peaks/s in 64 channels, 4,020 in 384, 166 in 32.
SPARSE_HZ, DENSE_HZ = (1.0, 8.2), (4.0, 28.0)
SIZES = {
    "small": GeneratedParameters(64, 60, 600.0, SPARSE_HZ),
    "dense": GeneratedParameters(384, 300, 600.0, DENSE_HZ),
    "long384": GeneratedParameters(384, 300, 3600.0, DENSE_HZ),
    "short32": GeneratedParameters(32, 30, 600.0, SPARSE_HZ),
    "long32": GeneratedParameters(32, 30, 4 * 3600.0, SPARSE_HZ),
    "smoke": GeneratedParameters(8, 5, 10.0, SPARSE_HZ),
}


@dataclass(frozen=True)
class SavedRecording:
    """A recording on disk with its truth.

    Attributes:
        path: what `spikeinterface.core.load` reads.
        sorting: true spikes.
        unit_snr: true unit -> trough over SD of the noise, without a filter.
        traces: "binary", or "lazy" where the disk has no room: each read generates its traces.
    """

    path: Path
    sorting: object
    unit_snr: dict
    traces: str = "binary"


def generate(parameters: GeneratedParameters, folder: Path) -> tuple[object, object, dict]:
    """Generate lazily.

    Args:
        parameters: what it is generated from.
        folder: for the true spikes, which a recording that is loaded elsewhere needs.

    Returns:
        `(recording, sorting, unit_snr)`: int16 traces of 0.1 µV per bit.
    """
    from spikeinterface.core import generate_ground_truth_recording, generate_sorting
    from spikeinterface.preprocessing import scale

    durations = [parameters.duration_s]
    sorting = generate_sorting(
        num_units=parameters.num_units,
        sampling_frequency=parameters.sampling_rate,
        durations=durations,
        firing_rates=parameters.firing_rates_hz,
        refractory_period_ms=3.0,
        seed=parameters.seed,
    ).save(folder=folder / "truth")
    recording, _ = generate_ground_truth_recording(
        durations=durations,
        sampling_frequency=parameters.sampling_rate,
        num_channels=parameters.num_channels,
        sorting=sorting,
        num_units=parameters.num_units,
        generate_probe_kwargs=PROBE,
        # One second of noise, repeated.
        noise_kwargs={"noise_levels": parameters.noise_uv, "strategy": "tile_pregenerated"},
        generate_unit_locations_kwargs={
            "margin_um": 10.0,
            "minimum_z": parameters.depth_um[0],
            "maximum_z": parameters.depth_um[1],
            "minimum_distance": 20.0,
        },
        generate_templates_kwargs={"unit_params": {"alpha": parameters.alpha_uv}},
        seed=parameters.seed,
    )
    troughs = -np.min(recording.templates, axis=(1, 2))
    unit_snr = {unit: float(trough / parameters.noise_uv) for unit, trough in zip(sorting.unit_ids, troughs)}
    recording = scale(recording, gain=1 / GAIN_UV, dtype="int16")
    recording.set_channel_gains(GAIN_UV)
    recording.set_channel_offsets(0.0)
    return recording, sorting, unit_snr


def save_generated(parameters: GeneratedParameters, folder: Path, is_lazy: bool = False) -> SavedRecording:
    """Generate; write int16 traces where the disk has room for them and the sorter's copy, unless `is_lazy`."""
    recording, sorting, unit_snr = generate(parameters, folder)
    num_bytes = 2 * parameters.num_channels * parameters.duration_s * parameters.sampling_rate
    if not is_lazy and 2 * num_bytes <= MAX_SHARE_OF_DISK * shutil.disk_usage(folder).free:
        # SpikeInterface collects garbage after each chunk (0.3 s), so large ones.
        shared = {"n_jobs": num_available_cores(), "chunk_memory": "32M", "progress_bar": False}
        recording.save(folder=folder / "recording", format="binary", verbose=False, **shared)
        return SavedRecording(folder / "recording", sorting, unit_snr)
    recording.dump_to_pickle(folder / "recording.pkl")
    return SavedRecording(folder / "recording.pkl", sorting, unit_snr, traces="lazy")


def with_changes(parameters: GeneratedParameters, **changes: float | None) -> GeneratedParameters:
    """The parameters with those replaced that are not None."""
    return dataclasses.replace(parameters, **{name: value for name, value in changes.items() if value is not None})
