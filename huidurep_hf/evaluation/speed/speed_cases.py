"""Recordings that the sorters are timed on, each with a description that its rows are kept by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..records.run_record import plain
from ..records.saved_recording import save_recording
from ..sorters.benchmark_cases import condition_cases
from .generated_recordings import SIZES, SavedRecording, save_generated, with_changes

if TYPE_CHECKING:
    from ...simulation.recordings.injection import GroundTruthRecording

CONDITION_WORK, GENERATED_WORK = "silicon32", "generated"


@dataclass(frozen=True)
class SpeedCase:
    """A recording that can be made again.

    Attributes:
        work: "silicon32" or "generated".
        size: name of the condition or the size.
        seed: of the recording.
        description: plain JSON values from which it is made.
        save: function of a folder that writes the recording there.
        is_warmed_in_process: each run sorts the beginning first, in its own process: some sorters compile in each. If
            not, one run before all others does, in a process of its own: what is left in memory is not measured then.
    """

    work: str
    size: str
    seed: int
    description: dict
    save: Callable[[Path], SavedRecording]
    is_warmed_in_process: bool = False


def condition_case(condition: str, seed: int) -> SpeedCase:
    """A condition of the benchmark; raises ValueError if there is none of that name."""
    (case,) = condition_cases([condition], [seed])
    return SpeedCase(
        CONDITION_WORK,
        condition,
        seed,
        case.description,
        lambda folder: _save_truth(case.generate(), folder),
        is_warmed_in_process=True,
    )


def smoke_case() -> SpeedCase:
    """Ten seconds of a tetrode from bundled templates, in place of a condition that takes minutes to simulate."""
    from ...simulation.recordings.examples import example_recording

    example = {"name": "tetrode", "duration_s": 10.0, "seed": 0}
    return SpeedCase(
        CONDITION_WORK, "smoke tetrode", 0, example, lambda folder: _save_truth(example_recording(**example), folder)
    )


def generated_case(size: str, *, is_lazy: bool = False, **changes: float | None) -> SpeedCase:
    """A recording of the generator.

    Args:
        size: name, see `SIZES`.
        is_lazy: generate traces whenever they are read, even if the disk has room.
        changes: fields of `GeneratedParameters` in place of the size's, where they are not None.

    Raises:
        ValueError: no size has that name.
    """
    if size not in SIZES:
        raise ValueError(f"Unknown size {size!r}; use some of {list(SIZES)}.")
    parameters = with_changes(SIZES[size], **changes)
    if with_changes(SIZES[size], seed=parameters.seed) != parameters:
        size = f"{parameters.num_channels} ch, {parameters.num_units} units, {parameters.duration_s / 60:g} min"
    if is_lazy:
        size = f"{size}, lazy"
    description = {**plain(parameters), "is_lazy": is_lazy}
    return SpeedCase(
        GENERATED_WORK, size, parameters.seed, description, lambda folder: save_generated(parameters, folder, is_lazy)
    )


def _save_truth(truth: GroundTruthRecording, folder: Path) -> SavedRecording:
    save_recording(truth.recording, folder / "recording")
    return SavedRecording(folder / "recording", truth.sorting, truth.unit_snr)
