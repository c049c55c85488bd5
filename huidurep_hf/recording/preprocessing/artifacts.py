"""Blank what is far too large, on far too many channels, to be a neuron: stimulation, movement, electrical knocks.

A few of them spoil a sort: they are detected, ring in the filter, and make units of their own and templates that
match others' spikes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ..settings import PreprocessingSettings

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


logger = logging.getLogger("huidurep_hf")

# The loudest neurons of simulated tetrodes in little noise reach 75 on all four contacts. Fewer contacts than four
# cannot distinguish the two.
MIN_CHANNELS = 4
# The band-pass rings for about so long.
MARGIN_MS = 10.0
# Where more would have to go, something else is the matter, and the recording is left as it is.
MAX_SHARE = 0.1


def find_artifact_samples(traces: np.ndarray, noise_levels: np.ndarray, threshold: float) -> np.ndarray:
    """Find samples that are too large, of whatever sign, on a quarter of the channels, four at least.

    Args:
        traces: `(num_samples, num_channels)` of one block, filtered.
        noise_levels: `(num_channels,)` SD of the noise, in the unit of the traces.
        threshold: in SDs of the noise; 0 for no artifacts.

    Returns:
        `(num_found,)` int64 rows.
    """
    needed = max(MIN_CHANNELS, -(-len(noise_levels) // 4))
    if threshold == 0 or len(noise_levels) < MIN_CHANNELS:
        return np.zeros(0, dtype="int64")
    is_large = np.abs(traces) > threshold * noise_levels
    return np.flatnonzero(is_large.sum(axis=1) >= needed)


def periods_to_blank(
    recording: BaseRecording, samples: list[list[np.ndarray]], settings: PreprocessingSettings
) -> tuple[np.ndarray, str | None]:
    """Combine the samples of artifacts into periods, with 10 ms around each.

    Args:
        recording: SpikeInterface recording in which they were found.
        samples: for each segment arrays of samples, in order.
        settings: with the threshold.

    Returns:
        `(periods, step)`: structured array of SpikeInterface's periods (`segment_index`, `start_sample_index`,
        `end_sample_index`), in order and apart, and what is done in words; `None` where there is nothing to blank.
        Where artifacts would take more than a tenth of the recording, nothing is, with a warning.
    """
    of_segments = [
        _periods(recording, segment, np.concatenate([np.zeros(0, dtype="int64"), *own]))
        for segment, own in enumerate(samples)
    ]
    periods = np.concatenate(of_segments)
    if len(periods) == 0:
        return periods, None
    threshold = settings.artifact_threshold
    share = (periods["end_sample_index"] - periods["start_sample_index"]).sum() / recording.get_total_samples()
    if share > MAX_SHARE:
        logger.warning(
            "%d artifacts (above %g SDs of the noise on a quarter of the channels) would take %.0f %% of the time, so "
            "none is blanked. Remove them first, by spikeinterface.preprocessing.remove_artifacts for example.",
            len(periods),
            threshold,
            100 * share,
        )
        return periods[:0], None
    step = (
        f"blanked {len(periods)} artifacts (above {threshold:g} SDs on a quarter of the channels, {MARGIN_MS:g} ms"
        f" around each): {100 * share:.2g} % of the recording"
    )
    logger.warning("%s", step[0].upper() + step[1:])
    return periods, step


def _periods(recording: BaseRecording, segment: int, samples: np.ndarray) -> np.ndarray:
    """Combine samples, in order, of which the surroundings touch."""
    from spikeinterface.core.base import base_period_dtype

    margin = round(MARGIN_MS * 1e-3 * recording.get_sampling_frequency())
    is_first = np.diff(samples, prepend=-np.inf) > 2 * margin
    is_last = np.diff(samples, append=np.inf) > 2 * margin
    periods = np.zeros(is_first.sum(), dtype=base_period_dtype)
    periods["segment_index"] = segment
    periods["start_sample_index"] = np.maximum(samples[is_first] - margin, 0)
    periods["end_sample_index"] = np.minimum(samples[is_last] + margin + 1, recording.get_num_samples(segment))
    return periods
