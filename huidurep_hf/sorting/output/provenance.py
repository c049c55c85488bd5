"""What a run was made of, in plain JSON values."""

from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("huidurep-hf", "spikeinterface", "torch", "transformers", "numpy", "scikit-learn", "hdbscan")


def describe_run(recording, prepared, sorter, parameters, seconds):
    """Describe a run so that it can be repeated.

    Args:
        recording: SpikeInterface recording, as given.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        sorter: [`~huidurep_hf.sorting.sorter.SpikeSorter`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        seconds: stage -> wall time, s.

    Returns:
        `dict` of versions, parameters, model, recording, preparation steps and times.
    """
    config = sorter.model.config
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {package: _version(package) for package in PACKAGES},
        "parameters": parameters.to_dict(),
        "model": {
            "name_or_path": str(getattr(config, "name_or_path", "")),
            "commit": getattr(config, "_commit_hash", None),
            "encoder_type": config.encoder_type,
            "num_parameters": sorter.model.num_parameters(),
            "device": str(sorter.model.device),
            "dtype": str(sorter.model.dtype).removeprefix("torch."),
        },
        "recording": describe_recording(recording),
        "preparation": {
            "steps": prepared.steps,
            "excluded_channels": prepared.excluded_channels,
            "unit": prepared.unit,
            "noise_levels": [round(float(level), 4) for level in prepared.noise_levels],
        },
        "seconds": dict(seconds),
    }


def describe_recording(recording):
    """Describe a SpikeInterface recording: size, rate, type, and the file it came from where it says so."""
    num_segments = recording.get_num_segments()
    return {
        "description": " ".join(repr(recording).split()),
        "num_channels": int(recording.get_num_channels()),
        "sampling_rate": float(recording.get_sampling_frequency()),
        "num_samples": [int(recording.get_num_samples(i)) for i in range(num_segments)],
        "dtype": str(recording.get_dtype()),
        "channel_ids": [str(channel) for channel in recording.channel_ids],
    }


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None
