"""Do the works that were asked for, and keep their rows in one file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ...model.modeling_huidurep import HuiduRepModel
from ..records.run_record import (
    EMBEDDING_SOURCES,
    SORTING_SOURCES,
    ResultFile,
    describe_environment,
    hash_sources,
    hash_weights,
)
from ..sorters.peers import is_installed
from ..sorters.sorting_process import OUR_SORTER
from .embedding_work import EMBEDDING_WORK, time_embedding
from .machine import describe_machine
from .row_groups import name_machines, of_compared_machines
from .sorting_speed import time_sorters
from .speed_cases import CONDITION_WORK, GENERATED_WORK, SpeedCase, condition_case, generated_case, smoke_case

logger = logging.getLogger("huidurep_hf")

WORKS = (CONDITION_WORK, GENERATED_WORK, EMBEDDING_WORK)
PEERS = ("spikesift", "mountainsort5", "spykingcircus2", "tridesclous2", "lupin")
PACKAGES = ("mountainsort5", "spikesift", "kilosort", "numba", "scipy", "psutil")


@dataclass(frozen=True)
class SpeedSettings:
    """What is measured.

    Attributes:
        works: some of `WORKS`.
        condition: of the benchmark, for the work "silicon32".
        seed: of the recordings.
        sorters: names; if left out, ours and all installed peers on the condition, ours alone on generated ones.
        sizes: named sizes of generated recordings.
        num_channels, num_units, minutes: in place of those of the named sizes.
        is_lazy: generate traces whenever they are read, even if the disk has room.
        repeats: counted runs of each.
        model: checkpoint of our sorter.
        published: checkpoint of the published architecture.
        folder: for recordings and scratch files.
        timeout_s: for each sort.
        is_smoke: tiny sizes, no warm-up: shows that all works, measures nothing.
    """

    works: tuple[str, ...] = WORKS
    condition: str = "silicon32"
    seed: int = 100
    sorters: tuple[str, ...] | None = None
    sizes: tuple[str, ...] = ("small", "dense")
    num_channels: int | None = None
    num_units: int | None = None
    minutes: float | None = None
    is_lazy: bool = False
    repeats: int = 3
    model: str = "huidurep/base"
    published: str = "huidurep/paper"
    folder: Path | None = None
    timeout_s: float = 7200.0
    is_smoke: bool = False


def measure_speed(settings: SpeedSettings, output: str | Path, *, progress: bool = True) -> dict:
    """Measure, and return the content of the file: `runs` (environments), `rows`, and which are `of_earlier_code`.

    Args:
        settings: what is measured.
        output: JSON file of the rows; an existing one is continued.
        progress: show progress bars.

    Raises:
        ValueError: an unknown work, condition, size or sorter.
    """
    unknown = sorted(set(settings.works) - set(WORKS))
    if unknown:
        raise ValueError(f"Unknown works {unknown}; use some of {list(WORKS)}.")
    cases = _list_cases(settings)
    if settings.folder is not None:
        settings.folder.mkdir(parents=True, exist_ok=True)
    results = ResultFile(output, {"figures": "speed"})
    results.add_run(describe_environment(PACKAGES))
    identity = _identify(settings.model)
    for case in cases:
        time_sorters(
            case,
            _choose_sorters(case, settings.sorters),
            results,
            identity,
            model=settings.model,
            repeats=settings.repeats,
            warm_up=not settings.is_smoke,
            folder=settings.folder,
            timeout_s=settings.timeout_s,
            progress=progress,
        )
    if EMBEDDING_WORK in settings.works:
        time_embedding(
            [settings.published, settings.model],
            results,
            {"machine": identity["machine"], "sources_sha256": hash_sources(EMBEDDING_SOURCES)},
            size="smoke" if settings.is_smoke else "standard",
            repeats=settings.repeats,
            progress=progress,
        )
    return {**results.content, "of_earlier_code": of_earlier_code(results.content)}


def of_earlier_code(content: dict) -> list[str]:
    """Size, machine and day of our rows that were made before the code changed; they stay until they are made again."""
    of_sorting, of_embedding = hash_sources(SORTING_SOURCES), hash_sources(EMBEDDING_SOURCES)
    found, letters = {}, name_machines(of_compared_machines(content["rows"]))
    for row in content["rows"]:
        own = of_embedding if row["work"] == EMBEDDING_WORK else of_sorting
        if row["sources_sha256"] not in (None, own):
            name = row["work"] if row["work"] == EMBEDDING_WORK else row["size"]
            if row["machine"] in letters:
                found[name, letters[row["machine"]]] = content["runs"][row["run"]]["created"][:10]
    return [f"{name} ({letter}, {day})" for (name, letter), day in found.items()]


def _list_cases(settings: SpeedSettings) -> list[SpeedCase]:
    cases = []
    if CONDITION_WORK in settings.works:
        cases.append(smoke_case() if settings.is_smoke else condition_case(settings.condition, settings.seed))
    if GENERATED_WORK in settings.works:
        changes = {"num_channels": settings.num_channels, "num_units": settings.num_units, "seed": settings.seed}
        changes["duration_s"] = None if settings.minutes is None else 60.0 * settings.minutes
        sizes = ("smoke",) if settings.is_smoke else settings.sizes
        cases += [generated_case(size, is_lazy=settings.is_lazy, **changes) for size in sizes]
    return cases


def _choose_sorters(case: SpeedCase, named: tuple[str, ...] | None) -> list[str]:
    default = (OUR_SORTER, *PEERS) if case.work == CONDITION_WORK else (OUR_SORTER,)
    sorters = [sorter for sorter in named or default if is_installed(sorter)]
    for sorter in named or ():
        if sorter not in sorters:
            logger.warning("%s is not installed and is left out", sorter)
    return sorters


def _identify(model: str) -> dict:
    """What rows are kept by: the machine; our model's weights and the code that sorts."""
    return {
        "machine": describe_machine(),
        "model_sha256": hash_weights(HuiduRepModel.from_pretrained(model)),
        "sources_sha256": hash_sources(SORTING_SOURCES),
    }
