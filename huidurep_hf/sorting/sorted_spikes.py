"""What a sort gives: events, their embeddings, and the average of each unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..recording.preprocessing.preparation import PreparedRecording
from .fit.check import Fit
from .spikes import Spikes


@dataclass(frozen=True)
class SortedSpikes:
    """What a sort gives.

    Attributes:
        events: table of every event, see [`~huidurep_hf.sorting.assigning.assign_spikes`], with `location_um` and
            `is_embedded`.
        embeddings: `(num_embedded, embedding_size)` float32 of the events that are embedded, in their order.
        waveforms: `(num_units, num_samples, num_channels)` float32 average of each unit, SDs of the noise.
        prepared: the preprocessed recording, corrected for motion where there is any.
        seconds: stage -> wall time, s.
        fit: how far the recording is from those that the model was developed on; None without peaks.
    """

    events: Spikes
    embeddings: np.ndarray
    waveforms: np.ndarray
    prepared: PreparedRecording
    seconds: dict[str, float]
    fit: Fit | None = None

    @classmethod
    def without_peaks(
        cls, peaks: Spikes, prepared: PreparedRecording, embedding_size: int, seconds: dict[str, float]
    ) -> SortedSpikes:
        """The result of a recording in which no peak was detected.

        Args:
            peaks: the empty table of peaks.
            prepared: the preprocessed recording.
            embedding_size: numbers in an embedding.
            seconds: stage -> wall time, s.
        """
        events = peaks.with_columns(
            unit_index=np.zeros(0, dtype="int64"),
            probability=np.zeros(0, dtype="float32"),
            outcome=np.zeros(0, dtype="int8"),
            is_detected=np.zeros(0, dtype=bool),
            peak=np.zeros(0, dtype="int64"),
            location_um=np.zeros((0, 2), dtype="float32"),
            is_embedded=np.zeros(0, dtype=bool),
        )
        embeddings = np.zeros((0, embedding_size), dtype="float32")
        return cls(events, embeddings, np.zeros((0, 0, len(prepared.noise_levels)), "float32"), prepared, seconds)
