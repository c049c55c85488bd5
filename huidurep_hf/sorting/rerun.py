"""Sort again what a result was made from, and say whether the spikes are the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..hub.checkpoints import find_again
from ..recording.sources.reading import read_recording
from ..recording.sources.reopening import hash_files, reopen
from .output.provenance import PACKAGES, describe_traces, hash_weights, version_of
from .output.result import SortingResult
from .parameters import SortingParameters
from .sorter import SpikeSorter

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

# Of a result of `huidurep example`.
RECORDING_FOLDER = "recording"
# What makes two recordings the same to the sorter.
COMPARED = ("num_channels", "sampling_rate", "num_samples", "dtype", "channel_ids", "ends_sha256")


@dataclass(frozen=True)
class Rerun:
    """A result and its repetition.

    Attributes:
        result: of the repetition.
        is_same: whether each spike has the same time and unit.
        changed_versions: package -> `(then, now)`, of those that differ.
    """

    result: SortingResult
    is_same: bool
    changed_versions: dict[str, tuple[str | None, str | None]]


def rerun(
    folder: str | Path,
    *,
    recording: BaseRecording | None = None,
    model: str | None = None,
    device: str | None = None,
    **run: object,
) -> Rerun:
    """Sort again with the recording, model and parameters that a result's provenance names.

    Args:
        folder: of the result.
        recording: the same recording, where it has moved or was in memory.
        model: hub name or folder of the same model, where it has moved.
        device: where the model runs; as then if left out.
        run: `output_folder`, `overwrite`, `progress`, `num_workers` and others of [`SpikeSorter.sort`].

    Raises:
        ValueError: the recording or the model is not the one that was sorted; the result was curated; or the result
            does not say what it was made from.
        FileNotFoundError: no result there.
        OSError: the model is not there.
    """
    first = SortingResult.load(folder)
    provenance = first.provenance
    if provenance.get("curations"):
        raise ValueError(f"{folder} was curated by a person; give the result that it was made from.")
    described = provenance["recording"]
    if recording is None:
        recording = _recording_of(Path(folder), described)
    check_same_recording(recording, described)
    then = provenance["model"]
    place, revision = find_again(then, model)
    device = device or then["device"]
    sorter = SpikeSorter.from_pretrained(place, revision=revision, device=device, dtype=then["dtype"])
    if hash_weights(sorter.model) != then["weights_sha256"]:
        raise ValueError(f"The weights of {place} are not those of the result; give the model of then (--model).")
    result = sorter.sort(
        recording,
        parameters=SortingParameters.from_dict(provenance["parameters"]),
        keep_noise=provenance.get("keep_noise", False),
        **run,
    )
    trains = [one.sorting.to_spike_vector() for one in (first, result)]
    versions = {package: (provenance["versions"].get(package), version_of(package)) for package in PACKAGES}
    changed = {package: pair for package, pair in versions.items() if pair[0] != pair[1]}
    return Rerun(result, np.array_equal(*trains), changed)


def _recording_of(folder: Path, described: dict) -> BaseRecording:
    if described.get("spikeinterface_json"):
        return reopen(described["spikeinterface_json"])
    if (folder / RECORDING_FOLDER).is_dir():
        return read_recording(folder / RECORDING_FOLDER)
    raise ValueError(f"{folder} was made from traces in memory; give the recording (--recording).")


def check_same_recording(recording: BaseRecording, described: dict) -> None:
    """Refuse a recording that is not the one that was sorted.

    Args:
        recording: SpikeInterface recording.
        described: `provenance["recording"]` of a result.

    Raises:
        ValueError: naming the file, or what differs.
    """
    differing = differing_traces(recording, described)
    if differing:
        values = "; ".join(f"{name} {_short(then)} then, {_short(now)} now" for name, (then, now) in differing.items())
        raise ValueError(f"The recording is not the one that was sorted ({values}); give that one (--recording).")
    # A recording that has moved has the same files at another place.
    hashes = {one["ends_sha256"] for one in hash_files(recording)}
    changed = [one["path"] for one in described.get("files", []) if one["ends_sha256"] not in hashes]
    if changed:
        raise ValueError(
            f"The file {changed[0]} has changed since it was sorted; give the recording as it was (--recording)."
        )


def differing_traces(recording: BaseRecording, described: dict) -> dict[str, tuple[object, object]]:
    """What of `provenance["recording"]` of a result a recording differs in: name -> `(then, now)`."""
    found = describe_traces(recording)
    # Results of earlier versions say less.
    return {
        name: (described[name], found[name])
        for name in COMPARED
        if name in described and found[name] != described[name]
    }


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
