"""The method, from a recording to its spikes: scan, embed, follow motion, learn, assign."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..recording.blocks import split_into_blocks
from ..recording.preprocessing.whitening import whiten
from ..workers import Workers
from .assigning import assign_spikes, keep_clusters
from .encoder import SpikeEncoder
from .event_embedding import embed_events
from .fit.check import check_fit, noise_windows
from .fit.reference import FitReference
from .learning import CLUSTER_COLUMNS, LearnedUnits, learn_clusters, learn_units, to_arrays
from .learning_blocks import choose_learning_blocks, in_blocks, what_is_learned_from
from .learning_data import gather_learning_data
from .parameters import SortingParameters
from .peak_embedding import EmbeddedPeaks, follow_motion_of_peaks
from .scanning import scan_recording
from .sorted_spikes import SortedSpikes
from .sorting_run import SortingRun

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


logger = logging.getLogger("huidurep_hf")


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
    run = SortingRun(encoder, parameters, workers, scratch_folder, progress)
    with run.timed("scan"):
        prepared, peaks = scan_recording(recording, run)
    if len(peaks) == 0:
        return SortedSpikes.without_peaks(peaks, prepared, encoder.embedding_size, run.seconds)

    with run.timed("embed"):
        all_blocks = split_into_blocks(prepared.recording)
        blocks = choose_learning_blocks(peaks, prepared, all_blocks, parameters)
        rows = np.flatnonzero(in_blocks(peaks, blocks))
        if len(blocks) < len(all_blocks):
            logger.info("embed: %s", what_is_learned_from(blocks, all_blocks, len(rows), prepared, parameters))
        sample = EmbeddedPeaks.of_rows(rows, peaks, prepared, run)
        windows = noise_windows(prepared, peaks, parameters.fit, parameters.seed)
        of_noise = run.embed("embed noise", prepared, windows, ("embedding",))["embedding"]
        fit = check_fit(fit_reference, sample.spikes["embedding"], of_noise, prepared, len(peaks), parameters.fit)
        logger.log(logging.WARNING if fit.is_familiar is False else logging.INFO, "%s", fit.sentence)
    with run.timed("motion"):
        corrected, embedded = follow_motion_of_peaks(peaks, sample, prepared, run)
    data = gather_learning_data(peaks, sample, blocks, prepared, corrected, run)

    with run.timed("learn clusters"):
        whitened = whiten(
            data.traces, parameters, seed=parameters.seed, workers=workers, noise_from=corrected.recording
        )
        clusters = workers.once(
            "learn clusters",
            lambda: learn_clusters(data.spikes, whitened, parameters, workers).chosen(CLUSTER_COLUMNS),
        )
        spikes = data.spikes.with_columns(**clusters)
        logger.info("learn: %d clusters", spikes["cluster"].max(initial=-1) + 1)
    with run.timed("learn units"):
        learned = workers.once(
            "learn units",
            lambda: to_arrays(learn_units(spikes, blocks, data.traces, whitened, parameters, workers)),
        )
        units = LearnedUnits.from_arrays(learned)

    with run.timed("assign"):
        if units is None:
            events, waveforms = keep_clusters(spikes, data.traces, whitened, parameters, workers)
        else:
            events, waveforms = assign_spikes(units, data.peaks, data.matched, whitened, parameters, workers, progress)
        logger.info("assign: %d units", len(waveforms))
    with run.timed("embed events"):
        events, embeddings = embed_events(events, embedded, data, corrected, run)
    return SortedSpikes(events, embeddings, waveforms, corrected, run.seconds, fit)
