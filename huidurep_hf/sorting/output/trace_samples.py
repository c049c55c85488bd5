"""What only the traces tell, read from a few seconds of them: the spread of single spikes, and the noise over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ...recording.blocks import read_with_margin, rows_in_block, split_into_blocks
from ...recording.preprocessing.noise_sample import SD_PER_MAD, column_medians

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording
    from ..spikes import Spikes

MAX_BLOCKS = 60
MIN_SPIKES, MAX_SPIKES = 5, 200
# Every so many samples are enough for a median absolute deviation.
NOISE_STEP = 4
BEFORE_MS = 1.0


class TraceSamples(NamedTuple):
    """What was measured.

    Attributes:
        spread: `(num_units, num_samples, num_channels)` float32, SD of single spikes, SDs of the noise; NaN for a unit
            with fewer than 5 spikes in what was read.
        noise: `pandas.DataFrame`, one row a second that was read: `segment`, `time_s` and one column a channel (by its
            index in the prepared recording, as text): SD of the noise, in the unit of the traces.
    """

    spread: np.ndarray
    noise: pd.DataFrame


def sample_traces(prepared: PreparedRecording, events: Spikes, templates: np.ndarray) -> TraceSamples:
    """Measure spread and noise in at most 60 seconds, evenly over the recording.

    Args:
        prepared: the preprocessed recording.
        events: table of spikes in it, in order, with `unit_index`.
        templates: `(num_units, num_samples, num_channels)`, 1 ms before the peak and the rest after it.
    """
    num_channels = len(prepared.noise_levels)
    names = [str(channel) for channel in range(num_channels)]
    spread = np.full(templates.shape, np.nan, dtype="float32")
    if prepared.recording is None:
        return TraceSamples(spread, pd.DataFrame(columns=["segment", "time_s", *names], dtype="float32"))
    blocks = split_into_blocks(prepared.recording)
    chosen = np.unique(np.linspace(0, len(blocks) - 1, min(MAX_BLOCKS, len(blocks))).round().astype(int))
    rate = prepared.recording.get_sampling_frequency()
    num_samples = templates.shape[1]
    window = np.arange(num_samples) - round(BEFORE_MS * rate / 1000)
    count = np.zeros(len(templates), dtype="int64")
    total, squares = np.zeros(templates.shape, dtype="float32"), np.zeros(templates.shape, dtype="float32")
    rows = []
    for block in (blocks[index] for index in chosen):
        traces, start = read_with_margin(prepared.recording, block, num_samples)
        segment = int(prepared.segment_indices[block.segment])
        noise = SD_PER_MAD * column_medians(np.abs(traces[::NOISE_STEP]))
        rows.append([segment, (block.start + block.stop) / 2 / rate, *noise])
        inside = rows_in_block(events["segment_index"], events["sample_index"], block)
        for sample, unit in zip(events["sample_index"][inside], events["unit_index"][inside]):
            first = sample - start + window[0] if num_samples else 0
            if unit < 0 or count[unit] >= MAX_SPIKES or first < 0 or first + num_samples > len(traces):
                continue
            waveform = traces[first : first + num_samples] / prepared.noise_levels
            # About the template, so that squares lose no digits.
            deviation = waveform - templates[unit]
            total[unit] += deviation
            squares[unit] += deviation**2
            count[unit] += 1
    for unit in np.flatnonzero(count >= MIN_SPIKES):
        mean = total[unit] / count[unit]
        spread[unit] = np.sqrt(np.maximum(squares[unit] / count[unit] - mean**2, 0))
    return TraceSamples(spread, pd.DataFrame(rows, columns=["segment", "time_s", *names]))
