"""Mean waveforms of the units of a session, as the peers are given them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from spikeinterface.core import NumpySorting
from spikeinterface.core.sorting_tools import random_spikes_selection
from spikeinterface.core.waveform_tools import estimate_templates
from spikeinterface.preprocessing import bandpass_filter

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from .method_interface import Session

BAND_HZ = (300.0, 6000.0)
MAX_SPIKES_PER_HALF = 500
"""As many as UnitMatch's own example with SpikeInterface takes."""


def filtered(recording: BaseRecording) -> BaseRecording:
    """A band-pass of 300-6000 Hz, which needs no setting; our noise has no part that all channels share."""
    return bandpass_filter(recording, *BAND_HZ)


def half_waveforms(session: Session, samples_before: int, samples_after: int) -> np.ndarray:
    """Mean waveforms in the first and in the second half of a session, in one pass over the traces.

    Args:
        session: recording and sorting.
        samples_before, samples_after: around the time of a spike.

    Returns:
        `(num_units, num_samples, num_channels, 2)`, µV. A unit that is silent in a half has there what it has in the
        other one.
    """
    num_samples, num_units = session.recording.get_num_samples(), len(session.sorting.unit_ids)
    spikes = session.sorting.to_spike_vector()
    inside = (spikes["sample_index"] >= samples_before) & (spikes["sample_index"] < num_samples - samples_after)
    spikes = spikes[inside]
    # Each unit is two: one for each half.
    halves = NumpySorting.from_samples_and_labels(
        [spikes["sample_index"]],
        [2 * spikes["unit_index"] + (spikes["sample_index"] >= num_samples // 2)],
        session.recording.sampling_frequency,
        unit_ids=np.arange(2 * num_units),
    )
    chosen = random_spikes_selection(halves, [num_samples], max_spikes_per_unit=MAX_SPIKES_PER_HALF, seed=0)
    waveforms = estimate_templates(
        filtered(session.recording), halves.to_spike_vector()[chosen], halves.unit_ids, samples_before, samples_after
    )
    waveforms[halves.count_num_spikes_per_unit(outputs="array") == 0] = np.nan
    waveforms = np.moveaxis(waveforms.reshape(num_units, 2, *waveforms.shape[1:]), 1, -1).astype(float)
    return np.where(np.isnan(waveforms), waveforms[..., ::-1], waveforms)
