"""Settings that a recording cannot satisfy, and why a sort has found nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ..recording.preprocessing.preparation import PreparedRecording
    from .parameters import SortingParameters


def check_sampling_rate(recording: BaseRecording) -> None:
    """Raise a `ValueError` for a sampling rate that is none."""
    rate = recording.get_sampling_frequency()
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"The recording has a sampling rate of {rate:g} Hz; give the true one.")


def check_number_of_units(num_peaks: int, parameters: SortingParameters) -> None:
    """Raise a `ValueError` where more units are asked for than there are spikes.

    Args:
        num_peaks: that were detected.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
    """
    if parameters.num_units is not None and 0 < num_peaks < parameters.num_units:
        raise ValueError(
            f"Got num_units={parameters.num_units}, and only {num_peaks} spikes were detected; ask for fewer units, or"
            f" lower detect_threshold ({parameters.detect_threshold:g})."
        )


def why_no_units(prepared: PreparedRecording, parameters: SortingParameters, counts: Mapping[str, int]) -> str:
    """Say why there is no unit.

    Args:
        prepared: the preprocessed recording.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        counts: `events`, and events by their outcome.
    """
    threshold, smallest, num_events = parameters.detect_threshold, parameters.min_spikes_per_unit, counts["events"]
    if len(prepared.noise_levels) == 0:
        return "No unit was found: the recording is silent, too short, or has no channel that can be used."
    unit = "µV" if prepared.unit == "uV" else "of the recording's own unit"
    noise = float(np.median(prepared.noise_levels))
    if num_events == 0:
        return (
            f"No unit was found: nothing exceeds the detection threshold of {threshold:g} noise SDs, which is"
            f" {threshold * noise:.3g} {unit}; lower detect_threshold, or see whether the spikes point upwards"
            " (peak_sign)."
        )
    if num_events < smallest:
        return (
            f"No unit was found: {num_events} spikes were detected, and the smallest unit has {smallest}"
            " (min_spikes_per_unit); lower that or detect_threshold, or record longer."
        )
    if counts.get("noise unit", 0):
        return (
            f"No unit was found: {counts['noise unit']} of {num_events} events belong to units whose label is noise;"
            " keep_noise (--keep-noise) keeps them."
        )
    return (
        f"No unit was found: {num_events} spikes of at least {threshold:g} noise SDs ({threshold * noise:.3g} {unit})"
        f" were detected, and none repeats often enough and clearly enough above the noise to be a unit of at least"
        f" {smallest} spikes (min_spikes_per_unit)."
    )
