"""Figures of each unit, by SpikeInterface where it computes them: correlograms, similarity, histograms, densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..progress import ProgressBar
from ..sorting.output.unit_table import events_by_unit, template_peak, unit_intervals_ms
from .timeline import segment_starts_s

if TYPE_CHECKING:
    import pandas as pd

    from ..sorting.output.result import SortingResult

CORRELOGRAM_WINDOW_MS = 100.0
CORRELOGRAM_BIN_MS = 1.0
INTERVAL_EDGES_MS = np.arange(0.0, 101.0)
PROBABILITY_EDGES = np.linspace(0, 1, 21)
NUM_RATE_BINS = 100
NUM_DENSITY_BINS = (100, 40)
MAX_TEMPLATE_CHANNELS = 12
NUM_NEAREST = 3
# Units whose contacts of most amplitude are farther apart have nothing to do with each other.
MAX_NEIGHBOR_UM = 200.0
MAX_TESTED_SPIKES = 2000
# Below, the amplitudes of so few spikes show no shape.
MIN_TESTED_SPIKES = 50


@dataclass(frozen=True)
class Density:
    """Counts of spikes over time and a value.

    Attributes:
        counts: `(num_value_bins, num_time_bins)` uint8: the square root of the count, scaled to 255.
        low, high: range of the value.
    """

    counts: np.ndarray
    low: float
    high: float


@dataclass(frozen=True)
class UnitMeasures:
    """Figures of one unit.

    Attributes:
        channels: `(num_shown,)` rows of `result.channels`, nearest to the peak channel first.
        nearest: other units, most similar first.
        similarity: cosine of the templates with each of them.
        autocorrelogram: `(num_bins,)` counts.
        crosscorrelograms: one a unit of `nearest`.
        intervals: counts of inter-spike intervals by `INTERVAL_EDGES_MS`.
        rate_hz: `(NUM_RATE_BINS,)` over equal parts of the recording.
        probabilities: counts by `PROBABILITY_EDGES`.
        amplitudes, depths: [`Density`] over time.
        missed: share of spikes that lie below the detection threshold, by SpikeInterface's amplitude cutoff; NaN where
            the amplitudes do not tell.
        bimodal: whether the amplitudes have two modes (Hartigan's dip test, p < 0.01).
    """

    channels: np.ndarray
    nearest: list[int]
    similarity: list[float]
    autocorrelogram: np.ndarray
    crosscorrelograms: list[np.ndarray]
    intervals: np.ndarray
    rate_hz: np.ndarray
    probabilities: np.ndarray
    amplitudes: Density
    depths: Density
    missed: float
    bimodal: bool


def correlogram_bins_ms() -> np.ndarray:
    """Edges of the bins of correlograms, ms."""
    half = CORRELOGRAM_WINDOW_MS / 2
    return np.arange(-half, half + CORRELOGRAM_BIN_MS / 2, CORRELOGRAM_BIN_MS)


def correlate(trains: Sequence[pd.DataFrame], sampling_rate: float) -> np.ndarray:
    """Correlograms of some units by SpikeInterface.

    Args:
        trains: events of each unit, in order of segment and time.
        sampling_rate: Hz.

    Returns:
        `(num_units, num_units, num_bins)` counts by the lags of [`correlogram_bins_ms`].
    """
    from spikeinterface.core import NumpySorting
    from spikeinterface.postprocessing import compute_correlograms

    segments = range(max(int(train["segment"].max()) for train in trains) + 1)
    samples = [(train["segment"].to_numpy(), train["sample"].to_numpy()) for train in trains]
    spikes = [{unit: at[of == segment] for unit, (of, at) in enumerate(samples)} for segment in segments]
    sorting = NumpySorting.from_unit_dict(spikes, sampling_rate)
    return compute_correlograms(sorting, window_ms=CORRELOGRAM_WINDOW_MS, bin_ms=CORRELOGRAM_BIN_MS)[0]


def template_similarity(result: SortingResult) -> np.ndarray:
    """Cosine of each pair of templates over all channels, `(num_units, num_units)`."""
    # The same as SpikeInterface's, whose compiled loop takes ten seconds to compile for what is one product here.
    from sklearn.metrics.pairwise import cosine_similarity

    return cosine_similarity(result.templates.reshape(len(result.templates), -1))


def shown_channels(result: SortingResult, unit: int) -> np.ndarray:
    """Rows of `result.channels` nearest to a unit's peak channel on its shank, at most 12, nearest first."""
    peak, _ = template_peak(result.templates[unit])
    positions, shanks = result.channels[["x_um", "y_um"]].to_numpy(), result.channels["shank"].to_numpy()
    distances = np.linalg.norm(positions - positions[peak], axis=1)
    order = np.argsort(distances, kind="stable")
    return order[shanks[order] == shanks[peak]][:MAX_TEMPLATE_CHANNELS]


def measure_units(result: SortingResult, *, progress: bool = False) -> list[UnitMeasures]:
    """Measure all units.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        progress: show a progress bar.
    """
    if len(result.templates) == 0:
        return []
    similarity = template_similarity(result)
    starts = segment_starts_s(result)
    rate, end = result.provenance["recording"]["sampling_rate"], starts[-1]
    peaks = [template_peak(template) for template in result.templates]
    positions = result.channels[["x_um", "y_um"]].to_numpy()[[channel for channel, _ in peaks]]
    trains = list(events_by_unit(result.events, len(result.templates)))
    measured = []
    for unit, events in enumerate(ProgressBar(trains, desc="page", unit="unit", disable=not progress)):
        distances = np.linalg.norm(positions - positions[unit], axis=1)
        order = [int(other) for other in np.argsort(-similarity[unit], kind="stable") if other != unit]
        nearest = [other for other in order if distances[other] <= MAX_NEIGHBOR_UM][:NUM_NEAREST]
        times = events["sample"].to_numpy() / rate + starts[events["segment"].to_numpy()]
        amplitudes, sign = events["amplitude"].to_numpy(), np.sign(peaks[unit][1])
        counts = np.histogram(times, NUM_RATE_BINS, (0, end))[0]
        # Of these few alone: all pairs of hundreds of units take minutes.
        correlograms = correlate([events, *(trains[other] for other in nearest)], rate)
        measured.append(
            UnitMeasures(
                channels=shown_channels(result, unit),
                nearest=nearest,
                similarity=[float(similarity[unit, other]) for other in nearest],
                autocorrelogram=correlograms[0, 0],
                crosscorrelograms=list(correlograms[0, 1:]),
                intervals=np.histogram(unit_intervals_ms(events, rate), INTERVAL_EDGES_MS)[0],
                rate_hz=counts * NUM_RATE_BINS / end,
                probabilities=np.histogram(events["probability"], PROBABILITY_EDGES)[0],
                amplitudes=density(times, amplitudes, end),
                depths=density(times, events["y_um"].to_numpy(), end),
                missed=_missed(amplitudes * sign),
                bimodal=_is_bimodal(amplitudes),
            )
        )
    return measured


def density(times: np.ndarray, values: np.ndarray, end_s: float, bins: tuple[int, int] = NUM_DENSITY_BINS) -> Density:
    """Counts over time and value; the value's range is that of all but the outermost 0.1 % on either side, and a bit.

    Args:
        times: `(num_spikes,)` s.
        values: `(num_spikes,)`.
        end_s: end of the time line.
        bins: number of bins of time and of value.
    """
    low, high = np.percentile(values, [0.1, 99.9]) if len(values) else (0.0, 1.0)
    margin = 0.1 * (high - low) or 1.0
    low, high = float(low - margin), float(high + margin)
    values = np.clip(values, low, high)
    counts = np.histogram2d(values, times, bins=bins[::-1], range=((low, high), (0, end_s)))[0]
    shade = np.sqrt(counts / max(counts.max(), 1))
    # The rarest cell is to be seen, too.
    return Density(np.where(counts > 0, 90 + 165 * shade, 0).astype("uint8"), low, high)


def _missed(amplitudes: np.ndarray) -> float:
    from spikeinterface.metrics.quality.misc_metrics import amplitude_cutoff

    return float(amplitude_cutoff(amplitudes)) if len(amplitudes) >= MIN_TESTED_SPIKES else float("nan")


def _is_bimodal(amplitudes: np.ndarray) -> bool:
    from diptest import diptest

    if len(amplitudes) < MIN_TESTED_SPIKES:
        return False
    chosen = np.linspace(0, len(amplitudes) - 1, min(len(amplitudes), MAX_TESTED_SPIKES)).astype(int)
    return bool(diptest(amplitudes[chosen].astype("float64"))[1] < 0.01)
