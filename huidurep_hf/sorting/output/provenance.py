"""What a run was made of, in plain JSON values."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from huggingface_hub import try_to_load_from_cache

from ...model.integrity_huidurep import hash_file
from ...recording.sources.reopening import describe_source
from .unit_table import round_significant

if TYPE_CHECKING:
    import torch
    from spikeinterface.core import BaseRecording

    from ...model.modeling_huidurep import HuiduRepModel
    from ..parameters import SortingParameters
    from ..sorted_spikes import SortedSpikes

NUM_HASHED_SAMPLES = 1000
LAYOUT_PROPERTIES = ("location", "group", "gain_to_uV", "offset_to_uV", "inter_sample_shift")
MODEL_SUFFIXES = (".json", ".safetensors")
MODEL_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
PACKAGES = ("huidurep-hf", "spikeinterface", "torch", "transformers", "numpy", "scikit-learn", "hdbscan")


def describe_run(recording: BaseRecording, model: HuiduRepModel, parameters: SortingParameters) -> dict:
    """Describe a run before it begins, so that it can be repeated or resumed.

    Args:
        recording: SpikeInterface recording, as given.
        model: that embeds the spikes.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `dict` of time, versions, parameters, model and recording.
    """
    config = model.config
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {package: version_of(package) for package in PACKAGES},
        "parameters": parameters.to_dict(),
        "model": {
            "name_or_path": str(getattr(config, "name_or_path", "")),
            "commit": getattr(config, "_commit_hash", None),
            "encoder_type": config.encoder_type,
            "num_parameters": model.num_parameters(),
            "weights_sha256": hash_weights(model),
            "files_sha256": _hash_model_files(config),
            "device": str(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
        },
        "recording": describe_recording(recording),
    }


def describe_sort(found: SortedSpikes) -> dict:
    """Describe what was done to the recording, and how long it took.

    Args:
        found: [`~huidurep_hf.sorting.sorted_spikes.SortedSpikes`].
    """
    prepared = found.prepared
    # No traces are left of a silent recording, and nothing of it is blanked.
    rate = prepared.recording.get_sampling_frequency() if prepared.blanked else 1.0
    return {
        "preparation": {
            "steps": prepared.steps,
            "excluded_channels": prepared.excluded_channels,
            "unit": prepared.unit,
            "blanked": [
                {
                    "segment": int(prepared.segment_indices[segment]),
                    "start_sample": int(start),
                    "end_sample": int(stop),
                    "start_s": round(int(start) / rate, 6),
                    "end_s": round(int(stop) / rate, 6),
                    "reason": reason,
                }
                for segment, start, stop, reason in prepared.blanked
            ],
            "noise_levels": [round_significant(level) for level in prepared.noise_levels],
        },
        "fit": None if found.fit is None else found.fit.to_dict(),
        "seconds": dict(found.seconds),
    }


def describe_recording(recording: BaseRecording) -> dict:
    """Describe a SpikeInterface recording: what it is, its traces and its files."""
    return {
        "description": " ".join(repr(recording).split()),
        **describe_traces(recording),
        **describe_source(recording),
    }


def describe_traces(recording: BaseRecording) -> dict:
    """Describe the traces of a recording: size, rate, start times, type, hashes of their ends and of the layout."""
    num_segments = recording.get_num_segments()
    return {
        "num_channels": int(recording.get_num_channels()),
        "sampling_rate": float(recording.get_sampling_frequency()),
        "num_samples": [int(recording.get_num_samples(i)) for i in range(num_segments)],
        "start_times_s": [_start_time_s(recording, i) for i in range(num_segments)],
        "dtype": str(recording.get_dtype()),
        "channel_ids": [str(channel) for channel in recording.channel_ids],
        "ends_sha256": _hash_ends(recording),
        "layout_sha256": _hash_layout(recording),
    }


def _start_time_s(recording: BaseRecording, segment: int) -> float:
    # A time vector of no samples has no first one.
    return float(recording.get_start_time(segment)) if recording.get_num_samples(segment) else 0.0


def _hash_ends(recording: BaseRecording) -> str:
    """Hash of the first and the last samples of each segment, which identifies recordings of one size."""
    digest = hashlib.sha256()
    for segment in range(recording.get_num_segments()):
        num_samples = recording.get_num_samples(segment)
        for start in sorted({0, max(num_samples - NUM_HASHED_SAMPLES, 0)}):
            stop = min(start + NUM_HASHED_SAMPLES, num_samples)
            digest.update(np.ascontiguousarray(recording.get_traces(segment, start, stop)).tobytes())
    return digest.hexdigest()


def _hash_layout(recording: BaseRecording) -> str:
    """Hash of what a sort depends on beside the traces: contacts, groups, gains and sampling times of the channels."""
    values = {name: recording.get_property(name) for name in LAYOUT_PROPERTIES}
    values["contacts"] = recording.get_probegroup().to_numpy() if recording.has_probe() else None
    plain = {name: value if value is None else np.asarray(value).tolist() for name, value in values.items()}
    return hashlib.sha256(repr(plain).encode()).hexdigest()


def hash_weights(model: torch.nn.Module) -> str:
    """SHA-256 of the weights of a model, in float32 and in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _hash_model_files(config: object) -> dict[str, str]:
    """SHA-256 of each file of the model's folder, or of the Hub's cache."""
    name, commit = str(getattr(config, "name_or_path", "")), getattr(config, "_commit_hash", None)
    if name and Path(name).is_dir():
        files = [path for path in Path(name).iterdir() if path.suffix in MODEL_SUFFIXES]
    else:
        # A folder that is gone has a name that no repository can have.
        is_repository = name and not Path(name).is_absolute()
        cached = [try_to_load_from_cache(name, file, revision=commit) for file in MODEL_FILES] if is_repository else []
        files = [Path(path) for path in cached if isinstance(path, str)]
    return {path.name: hash_file(path) for path in sorted(files)}


def version_of(package: str) -> str | None:
    """Installed version of a package, None without it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
