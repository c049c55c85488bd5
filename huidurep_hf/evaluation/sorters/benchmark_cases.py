"""Ground-truth recordings for comparisons of sorters, each with a description that its rows are kept by."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..records.run_record import plain

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


@dataclasses.dataclass(frozen=True)
class BenchmarkCase:
    """A ground-truth recording that can be made again.

    Attributes:
        name: of the condition.
        seed: of the recording.
        description: plain JSON values from which it is made; rows of another description are not reused.
        generate: function without arguments that returns a `GroundTruthRecording`.
        is_exhaustive: every neuron in the recording is in the truth; if not, false units are not counted.
    """

    name: str
    seed: int
    description: dict
    generate: object
    is_exhaustive: bool = True


def condition_cases(conditions: Sequence[str], seeds: Sequence[int]) -> list[BenchmarkCase]:
    """Return the held-out conditions of these names with these recording seeds.

    Raises:
        ValueError: no condition has that name.
    """
    from ...simulation.recordings.benchmark_conditions import BENCHMARK_CONDITIONS
    from ...simulation.recordings.far_neurons import generate_condition

    unknown = sorted(set(conditions) - set(BENCHMARK_CONDITIONS))
    if unknown:
        raise ValueError(f"Unknown conditions {unknown}; there are {sorted(BENCHMARK_CONDITIONS)}.")
    cases = []
    for condition in conditions:
        for seed in seeds:
            parameters = dataclasses.replace(BENCHMARK_CONDITIONS[condition], seed=seed)
            cases.append(
                BenchmarkCase(condition, seed, plain(parameters), lambda chosen=parameters: generate_condition(chosen))
            )
    return cases


def hybrid_case(recording: BaseRecording, seed: int) -> BenchmarkCase:
    """Return a recording with units of held-out cells added to it; its own neurons are not in the truth.

    Args:
        recording: SpikeInterface recording with a probe.
        seed: of the added units.
    """
    from ...simulation.recordings.hybrid import HybridParameters, hybrid_recording

    parameters = HybridParameters(seed=seed)
    # By what it holds and not by where it lies.
    digest = hashlib.sha256(recording.get_channel_locations().tobytes())
    for segment in range(recording.get_num_segments()):
        digest.update(recording.get_traces(segment_index=segment).tobytes())
    description = {"hybrid": plain(parameters), "background_sha256": digest.hexdigest()}
    name = f"hybrid{recording.get_num_channels()}"
    return BenchmarkCase(name, seed, description, lambda: hybrid_recording(recording, parameters), is_exhaustive=False)
