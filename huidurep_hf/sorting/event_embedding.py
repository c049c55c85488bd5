"""Embeddings of events: those of detected peaks are known, those of the others are computed."""

from __future__ import annotations

import numpy as np

from ..recording.preprocessing.preparation import PreparedRecording
from .learning_blocks import in_blocks
from .learning_data import LearningData
from .peak_embedding import WITHOUT_SIZE, EmbeddedPeaks
from .sorting_run import SortingRun
from .spikes import Spikes


def embed_events(
    events: Spikes, embedded: EmbeddedPeaks, data: LearningData, corrected: PreparedRecording, run: SortingRun
) -> tuple[Spikes, np.ndarray]:
    """Events with `location_um` and `is_embedded`, and embeddings: of all, or of those that units are learned from.

    Args:
        events: all of them.
        embedded: peaks that are embedded already.
        data: what units were learned from.
        corrected: the recording, corrected for motion where there is any.
        run: what all stages share.

    Returns:
        `(events, embeddings)`: the table, and `(num_embedded, embedding_size)` float32 in the order of the events.
    """
    if "embedding" in events.names:
        return events.with_columns(is_embedded=np.ones(len(events), dtype=bool)), events["embedding"]
    row = _rows_of(events, embedded, corrected)
    rows, missing = np.flatnonzero(row >= 0), np.flatnonzero(row < 0)
    traces = data.traces if data.holds_all else corrected
    location = traces.positions[events["channel_index"]].astype("float32")
    if len(missing) > run.parameters.learning.max_embedded_events:
        # Without motion the peaks that units are learned from are embedded. With motion they were embedded in
        # corrected traces, which have other peaks: the events there are embedded now.
        traces = data.traces
        missing = np.flatnonzero(in_blocks(events, data.blocks)) if corrected.is_corrected else missing[:0]
    own = events[missing]
    # In corrected traces a spike is at the channel where it would be without drift.
    at_rest = own.with_columns(channel_index=own["rest_channel_index"])
    found = run.embed("embed events", traces, at_rest, WITHOUT_SIZE)
    location[rows], location[missing] = embedded.spikes["location_um"][row[rows]], found["location_um"]
    is_embedded = np.zeros(len(events), dtype=bool)
    is_embedded[rows] = is_embedded[missing] = True
    embeddings = np.concatenate([embedded.spikes["embedding"][row[rows]], found["embedding"]])
    order = np.argsort(np.concatenate([rows, missing]))
    return events.with_columns(location_um=location, is_embedded=is_embedded), embeddings[order]


def _rows_of(events: Spikes, embedded: EmbeddedPeaks, corrected: PreparedRecording) -> np.ndarray:
    """Row of each event among the embedded peaks `(num_events,)`; -1 where it is none, or has moved since."""
    row_of_peak = np.full(max(events["peak"].max(initial=-1), embedded.rows.max(initial=-1)) + 2, -1)
    if not corrected.is_corrected:
        row_of_peak[embedded.rows] = np.arange(len(embedded.rows))
    return row_of_peak[events["peak"]]
