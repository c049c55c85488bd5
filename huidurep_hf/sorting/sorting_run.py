"""What all stages of a run share, and how long each takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ..memory import give_back_memory, peak_memory_gb
from ..recording.preprocessing.preparation import PreparedRecording
from ..resumable import ResumableWorkers
from ..workers import Workers
from .encoder import COLUMNS, SpikeEncoder
from .parameters import SortingParameters
from .spikes import Spikes

logger = logging.getLogger("huidurep_hf")

# Stages whose passes have no bars of their own.
WITHOUT_BARS = ("learn clusters", "learn units")


@dataclass(frozen=True)
class SortingRun:
    """Encoder, parameters, workers and scratch folder of a run.

    Attributes:
        encoder: what embeds the spikes.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.
        scratch_folder: for what grows with the recording; it stays in memory if there is none.
        progress: show progress bars.
        seconds: stage -> wall time so far, s.
    """

    encoder: SpikeEncoder
    parameters: SortingParameters
    workers: Workers
    scratch_folder: Path | None = None
    progress: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage, log how long it took and how much memory the run has used, and give freed memory back."""
        start = time.perf_counter()
        shows_own = isinstance(self.workers, ResumableWorkers) and stage in WITHOUT_BARS
        with self.workers.showing(stage) if shows_own else nullcontext():
            yield
        give_back_memory()
        # A stage that is gone through twice has one sum.
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - start, 3)
        logger.info("%s: %.1f s, %.1f GB of memory", stage, self.seconds[stage], peak_memory_gb())

    def on_disk(self, spikes: Spikes, name: str) -> Spikes:
        """The same table with its columns in a folder `name` of the scratch folder, where there is one."""
        return spikes if self.scratch_folder is None else spikes.on_disk(self.scratch_folder / name)

    def embed(
        self, name: str, prepared: PreparedRecording, spikes: Spikes, columns: tuple[str, ...] = COLUMNS
    ) -> Spikes:
        """Embed spikes in a pass of a name; see [`~huidurep_hf.sorting.encoder.SpikeEncoder`]."""
        return self.encoder(
            prepared,
            spikes,
            batch_size=self.parameters.learning.batch_size,
            columns=columns,
            workers=self.workers,
            name=name,
            progress=self.progress,
        )
