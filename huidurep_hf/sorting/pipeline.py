"""The method, from a recording to its spikes: scan, learn, assign."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..memory import give_back_memory, peak_memory_gb
from ..recording.blocks import Block, split_into_blocks
from ..recording.motion.following import can_follow_motion, check_motion, follow_motion
from ..recording.preprocessing.preparation import PreparedRecording
from ..recording.preprocessing.whitening import whiten
from ..recording.scan import scan
from ..recording.sources.plausibility import warn_of_absurd_noise, warn_of_misread_samples
from ..recording.spikes.detection import check_sign, detect
from ..recording.trace_copy import copy_blocks
from ..resumable import ResumableWorkers
from ..workers import Workers
from .assignment import assign_spikes, keep_clusters
from .encoder import COLUMNS, SpikeEncoder
from .feasibility import check_number_of_units
from .fit.check import Fit, check_fit, noise_windows
from .fit.reference import FitReference
from .learning import CLUSTER_COLUMNS, LearnedUnits, learn_clusters, learn_units, to_arrays
from .learning_blocks import choose_learning_blocks, draw_over_time, in_blocks, what_is_learned_from
from .parameters import SortingParameters
from .spikes import PEAK_DTYPES, Spikes

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


logger = logging.getLogger("huidurep_hf")

# What the encoder adds to an event: spikes of known units need no size.
WITHOUT_SIZE = ("embedding", "location_um")
# Stages whose passes have no bars of their own.
WITHOUT_BARS = ("learn clusters", "learn units")


@dataclass(frozen=True)
class SortedSpikes:
    """What a sort gives.

    Attributes:
        events: table of every event, see [`~huidurep_hf.sorting.assignment.assign_spikes`], with `location_um` and
            `is_embedded`.
        embeddings: `(num_embedded, embedding_size)` float32 of the events that are embedded, in their order.
        waveforms: `(num_units, num_samples, num_channels)` float32 average of each unit, SDs of the noise.
        prepared: the preprocessed recording.
        seconds: stage -> wall time, s.
        fit: how far the recording is from those that the model was developed on; None without peaks.
    """

    events: Spikes
    embeddings: np.ndarray
    waveforms: np.ndarray
    prepared: PreparedRecording
    seconds: dict[str, float]
    fit: Fit | None = None


def sort_recording(
    recording: BaseRecording,
    encoder: SpikeEncoder,
    parameters: SortingParameters,
    *,
    workers: Workers,
    scratch_folder: Path | None = None,
    progress: bool = False,
    fit_reference: FitReference | None = None,
) -> SortedSpikes:
    """Sort a recording.

    Args:
        recording: SpikeInterface recording.
        encoder: what embeds the spikes.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.
        scratch_folder: for what grows with the recording: preprocessed traces that are too many for memory, and the
            detected peaks; these stay in memory if left out.
        progress: show progress bars.
        fit_reference: what the model was developed on.

    Raises:
        TypeError, ValueError: a recording that cannot be sorted; the message says what to do.
    """
    run = _Run(encoder, parameters, workers, scratch_folder, progress, {})

    with run.timed("scan"):
        warn_of_misread_samples(recording)
        prepared, peaks = scan(
            recording,
            parameters,
            seed=parameters.seed,
            workers=workers,
            scratch_folder=scratch_folder,
            progress=progress,
        )
        peaks = run.on_disk(Spikes.from_peaks(peaks), "peaks")
        logger.info("scan: %d peaks", len(peaks))
        warn_of_absurd_noise(prepared.noise_levels, prepared.unit)
        check_number_of_units(len(peaks), parameters)
        check_motion(prepared, parameters.motion_correction)
        check_sign(prepared, parameters.detection, workers)
    if len(peaks) == 0:
        return run.nothing_found(prepared, peaks)

    with run.timed("embed"):
        all_blocks = split_into_blocks(prepared.recording)
        blocks = choose_learning_blocks(peaks, prepared, all_blocks, parameters)
        learned_from = np.flatnonzero(in_blocks(peaks, blocks))
        if len(blocks) < len(all_blocks):
            logger.info("embed: %s", what_is_learned_from(blocks, all_blocks, len(learned_from), prepared, parameters))
        spikes = run.embed("embed", prepared, peaks[learned_from])
        windows = noise_windows(prepared, peaks, parameters.fit, parameters.seed)
        of_noise = run.embed("embed noise", prepared, windows, ("embedding",))["embedding"]
        fit = check_fit(fit_reference, spikes["embedding"], of_noise, prepared, len(peaks), parameters.fit)
        logger.log(logging.WARNING if fit.is_familiar is False else logging.INFO, "%s", fit.sentence)
    with run.timed("motion"):
        corrected, embedded, rows_of_embedded = run.follow_motion(prepared, peaks, spikes, learned_from)
    # The corrected traces of some blocks.
    learned, copied = corrected, all_blocks
    if corrected.motion is not None:
        is_matched = corrected.uncorrected is None
        copied = all_blocks if is_matched else blocks
        with run.timed("motion"):
            learned = copy_blocks(corrected, copied, scratch_folder, workers)
        with run.timed("embed"):
            found = Spikes.from_peaks(detect(learned, parameters.detection, blocks=copied, workers=workers))
            spikes = run.embed("embed corrected", learned, found[in_blocks(found, blocks)])
        if is_matched:
            # Templates at rest are matched with the corrected traces, and these have other peaks.
            prepared, peaks = learned, run.on_disk(found, "corrected peaks")

    with run.timed("learn clusters"):
        whitened = whiten(learned, parameters, seed=parameters.seed, workers=workers, noise_from=corrected.recording)
        clusters = workers.once(
            "learn clusters", lambda: learn_clusters(spikes, whitened, parameters, workers).chosen(CLUSTER_COLUMNS)
        )
        spikes = spikes.with_columns(**clusters)
        logger.info("learn: %d clusters", spikes["cluster"].max(initial=-1) + 1)
    with run.timed("learn units"):
        units = LearnedUnits.from_arrays(
            workers.once(
                "learn units",
                lambda: to_arrays(learn_units(spikes, blocks, learned, whitened, parameters, workers)),
            )
        )

    with run.timed("assign"):
        if units is None:
            events, waveforms = keep_clusters(spikes, learned, whitened, parameters, workers)
        else:
            events, waveforms = assign_spikes(units, peaks, prepared, whitened, parameters, workers, progress)
        logger.info("assign: %d units", len(waveforms))
    with run.timed("embed events"):
        in_whole = learned if len(copied) == len(all_blocks) else corrected
        known = KnownSpikes(embedded, rows_of_embedded, learned, blocks)
        events, embeddings = run.embed_events(events, known, in_whole)
    return SortedSpikes(events, embeddings, waveforms, corrected, run.seconds, fit)


@dataclass(frozen=True)
class KnownSpikes:
    """Spikes that are embedded before events are known.

    Attributes:
        spikes: detected peaks with `embedding` and `location_um`.
        rows: `(num_spikes,)` of each in the table of all peaks.
        learned: the traces that units are learned from, corrected for motion where there is any.
        blocks: in which these traces are.
    """

    spikes: Spikes
    rows: np.ndarray
    learned: PreparedRecording
    blocks: list[Block]

    def rows_of(self, events: Spikes, corrected: PreparedRecording) -> np.ndarray:
        """Row of each event in these spikes `(num_events,)`; -1 where it is none of them, or they have moved since."""
        row_of_peak = np.full(max(events["peak"].max(initial=-1), self.rows.max(initial=-1)) + 2, -1)
        if corrected.motion is None:
            row_of_peak[self.rows] = np.arange(len(self.rows))
        return row_of_peak[events["peak"]]


@dataclass(frozen=True)
class _Run:
    """Encoder, parameters and workers that all stages of a run share."""

    encoder: SpikeEncoder
    parameters: SortingParameters
    workers: Workers
    scratch_folder: Path | None
    progress: bool
    seconds: dict[str, float]

    def on_disk(self, spikes: Spikes, name: str) -> Spikes:
        return spikes if self.scratch_folder is None else spikes.on_disk(self.scratch_folder / name)

    def embed(
        self, name: str, prepared: PreparedRecording, spikes: Spikes, columns: tuple[str, ...] = COLUMNS
    ) -> Spikes:
        return self.encoder(
            prepared,
            spikes,
            batch_size=self.parameters.learning.batch_size,
            columns=columns,
            workers=self.workers,
            name=name,
            progress=self.progress,
        )

    def follow_motion(
        self, prepared: PreparedRecording, peaks: Spikes, spikes: Spikes, rows: np.ndarray
    ) -> tuple[PreparedRecording, Spikes, np.ndarray]:
        """Follow the motion by peaks of the whole recording, where probe and duration allow an estimate.

        Args:
            prepared: the recording.
            peaks: all of them.
            spikes: those that are embedded already, the rows `rows` of `peaks`.

        Returns:
            `(corrected, embedded, rows)`: the recording as
            [`~huidurep_hf.recording.motion.following.follow_motion`] gives it, the peaks that are embedded now, and
            their rows of `peaks`.
        """
        placed, embedded, rows_of_embedded = spikes, spikes, rows
        if len(spikes) < len(peaks) and can_follow_motion(prepared, self.parameters.motion_correction):
            drawn = draw_over_time(peaks, prepared, self.parameters)
            others = np.setdiff1d(drawn, rows)
            # Their embeddings are of use where all events get one.
            is_used = len(peaks) - len(spikes) <= self.parameters.learning.max_embedded_events
            columns = WITHOUT_SIZE if is_used else ("location_um",)
            more = self.embed("embed for motion", prepared, peaks[others], columns)
            rows_of_both = np.concatenate([others, rows])
            order = np.argsort(rows_of_both)
            order = order[np.isin(rows_of_both[order], drawn)]
            placed = _joined([more, spikes], (*PEAK_DTYPES, "location_um"))[order]
            if is_used:
                embedded, rows_of_embedded = _joined([more, spikes], more.names), rows_of_both
        corrected = follow_motion(
            prepared, placed.to_peaks(), placed["location_um"], self.parameters, seed=self.parameters.seed
        )
        return corrected, embedded, rows_of_embedded

    def embed_events(
        self, events: Spikes, known: KnownSpikes, corrected: PreparedRecording
    ) -> tuple[Spikes, np.ndarray]:
        """Events with `location_um` and `is_embedded`, and embeddings: of all, or of those that units are learned from.

        Args:
            events: all of them.
            known: what is embedded already.
            corrected: the recording, corrected for motion where there is any.
        """
        if "embedding" in events.names:
            return events.with_columns(is_embedded=np.ones(len(events), dtype=bool)), events["embedding"]
        row = known.rows_of(events, corrected)
        rows, missing = np.flatnonzero(row >= 0), np.flatnonzero(row < 0)
        traces = corrected
        if len(missing) > self.parameters.learning.max_embedded_events:
            # Without motion the peaks that units are learned from are embedded. With motion they were embedded in
            # corrected traces, which have other peaks: the events there are embedded now.
            missing, traces = missing[:0], known.learned
            if corrected.motion is not None:
                missing = np.flatnonzero(in_blocks(events, known.blocks))
        own = events[missing]
        # In corrected traces a spike is at the channel where it would be without drift.
        at_rest = own.with_columns(channel_index=own["rest_channel_index"])
        found = self.embed("embed events", traces, at_rest, WITHOUT_SIZE)
        location = corrected.positions[events["channel_index"]].astype("float32")
        location[rows], location[missing] = known.spikes["location_um"][row[rows]], found["location_um"]
        is_embedded = np.zeros(len(events), dtype=bool)
        is_embedded[rows] = is_embedded[missing] = True
        embeddings = np.concatenate([known.spikes["embedding"][row[rows]], found["embedding"]])
        order = np.argsort(np.concatenate([rows, missing]))
        return events.with_columns(location_um=location, is_embedded=is_embedded), embeddings[order]

    def nothing_found(self, prepared: PreparedRecording, peaks: Spikes) -> SortedSpikes:
        nothing = peaks.with_columns(
            unit_index=np.zeros(0, dtype="int64"),
            probability=np.zeros(0, dtype="float32"),
            outcome=np.zeros(0, dtype="int8"),
            is_detected=np.zeros(0, dtype=bool),
            peak=np.zeros(0, dtype="int64"),
            location_um=np.zeros((0, 2), dtype="float32"),
            is_embedded=np.zeros(0, dtype=bool),
        )
        embeddings = np.zeros((0, self.encoder.embedding_size), dtype="float32")
        waveforms = np.zeros((0, 0, len(prepared.noise_levels)), dtype="float32")
        return SortedSpikes(nothing, embeddings, waveforms, prepared, self.seconds)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        shows_own = isinstance(self.workers, ResumableWorkers) and stage in WITHOUT_BARS
        with self.workers.showing(stage) if shows_own else nullcontext():
            yield
        give_back_memory()
        # A stage that is gone through twice has one sum.
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - start, 3)
        logger.info("%s: %.1f s, %.1f GB of memory", stage, self.seconds[stage], peak_memory_gb())


def _joined(tables: list[Spikes], names: Iterable[str]) -> Spikes:
    """Tables one after the other, of some of their columns."""
    return Spikes.concatenate([Spikes(**table.chosen(names)) for table in tables])
