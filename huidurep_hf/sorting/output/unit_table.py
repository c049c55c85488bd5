"""One row of figures per unit, by which a sorting can be judged at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from .result import SortingResult


UNIT_COLUMNS = [
    *("unit", "channel", "group", "x_um", "y_um", "num_spikes", "rate_hz", "amplitude", "snr"),
    *("isi_violations_percent", "contamination", "presence", "mean_probability", "label"),
]
REFRACTORY_MS = 2.0
NUM_PRESENCE_BINS = 20
# A good unit: stands out of the noise, few spikes within the refractory period (contamination of at most a tenth, as
# in the Allen Institute's and IBL's practice), and spikes that are surely its own. Noise: three spikes in ten and more
# are something else, and it is small: two units that share the spikes of one large neuron are not sure of them either.
# Six units of 15 development recordings were so, none of them a neuron's (agreement of 0.5 and more), and so are most
# of the false units that a crowd of far neurons makes. All else is multi-unit activity.
MIN_SNR_OF_GOOD = 3.0
MAX_CONTAMINATION_OF_GOOD = 0.1
MIN_PROBABILITY_OF_GOOD, MIN_PROBABILITY, MAX_SNR_OF_NOISE = 0.85, 0.7, 5.0


def tabulate_units(result: SortingResult) -> pd.DataFrame:
    """Count, rate, amplitude, refractoriness and presence of each unit.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].

    Returns:
        `pandas.DataFrame`, one row per unit: `unit`, `channel` (of the template's peak), `group` (of that channel:
        shank or tetrode, as the recording names it), `x_um`, `y_um`, `num_spikes`, `rate_hz`, `amplitude` (template
        peak in the unit of the traces), `snr` (the same over the channel's noise SD), `isi_violations_percent`
        (intervals below 2 ms, of all), `contamination` (rate of foreign spikes over the unit's that these intervals
        imply, Hill et al. 2011, from SpikeInterface), `presence` (share of 20 equal parts of the recording with a
        spike), `mean_probability`, `label` ("good", "mua" for multi-unit activity, or "noise").
    """
    rows = []
    num_samples = np.asarray(result.provenance["recording"]["num_samples"])
    rate = result.provenance["recording"]["sampling_rate"]
    duration_s = num_samples.sum() / rate
    # Segments one after the other, as one time line.
    segment_starts = np.concatenate([[0], np.cumsum(num_samples)[:-1]])
    # A person's labels, by curation, come before our own.
    given = result.provenance.get("manual_labels", {})
    for unit, events in enumerate(events_by_unit(result)):
        intervals = unit_intervals_ms(events, rate)
        peak_channel, peak_snr = template_peak(result.templates[unit])
        channel = result.channels.iloc[peak_channel]
        times = events["sample"].to_numpy() + segment_starts[events["segment"].to_numpy()]
        contamination = _contamination(events, rate, duration_s)
        snr, mean_probability = abs(float(peak_snr)), float(events["probability"].mean())
        occupied = np.unique((times * NUM_PRESENCE_BINS) // max(num_samples.sum(), 1))
        rows.append(
            {
                "unit": unit,
                "channel": channel["channel"],
                # Results of earlier versions have numbers of shanks alone.
                "group": channel["group"] if "group" in channel else channel["shank"],
                "x_um": round(float(events["x_um"].median()), 1),
                "y_um": round(float(events["y_um"].median()), 1),
                "num_spikes": len(events),
                "rate_hz": round_significant(len(events) / duration_s),
                "amplitude": round_significant(float(peak_snr * channel["noise_level"])),
                "snr": round(snr, 1),
                "isi_violations_percent": _percent(intervals < REFRACTORY_MS),
                "contamination": round(contamination, 3),
                "presence": round(len(occupied) / NUM_PRESENCE_BINS, 2),
                "mean_probability": round(mean_probability, 3),
                "label": given.get(str(unit)) or label_unit(snr, contamination, mean_probability),
            }
        )
    return pd.DataFrame(rows, columns=UNIT_COLUMNS)


def events_by_unit(result: SortingResult) -> Iterator[pd.DataFrame]:
    """Rows of `result.events` of each unit, in order of segment and time."""
    units = result.events["unit"].to_numpy()
    # One sort: a search for each unit would go through millions of events as often as there are units.
    order = np.argsort(units, kind="stable")
    bounds = np.searchsorted(units[order], np.arange(len(result.templates) + 1))
    for first, last in zip(bounds[:-1], bounds[1:]):
        yield result.events.iloc[order[first:last]]


def label_unit(snr: float, contamination: float, mean_probability: float) -> str:
    """Label a unit "good", "mua" (multi-unit activity) or "noise".

    Args:
        snr: largest deflection of the template, SDs of the noise.
        contamination: rate of foreign spikes over the unit's, by violations of the refractory period.
        mean_probability: of its spikes.
    """
    if mean_probability < MIN_PROBABILITY and snr < MAX_SNR_OF_NOISE:
        return "noise"
    is_good = snr >= MIN_SNR_OF_GOOD and contamination <= MAX_CONTAMINATION_OF_GOOD
    return "good" if is_good and mean_probability >= MIN_PROBABILITY_OF_GOOD else "mua"


def _contamination(events: pd.DataFrame, sampling_rate: float, duration_s: float) -> float:
    from spikeinterface.metrics.quality.misc_metrics import isi_violations

    trains = [train.to_numpy() / sampling_rate for _, train in events.groupby("segment")["sample"]]
    ratio, _, _ = isi_violations(trains, duration_s, isi_threshold_s=REFRACTORY_MS / 1000)
    return float(ratio)


def unit_intervals_ms(events: pd.DataFrame, sampling_rate: float) -> np.ndarray:
    """Inter-spike intervals of one unit, none across segments.

    Args:
        events: rows of [`SortingResult.events`] of one unit, in order of segment and time.
        sampling_rate: Hz.

    Returns:
        `(num_intervals,)` ms.
    """
    samples, segments = events["sample"].to_numpy(), events["segment"].to_numpy()
    intervals = 1000 * np.diff(samples) / sampling_rate
    return intervals[np.diff(segments) == 0]


def template_peak(template: np.ndarray) -> tuple[int, float]:
    """Channel of a template's largest deflection, and its signed value.

    Args:
        template: `(num_samples, num_channels)`.
    """
    sample, channel = np.unravel_index(np.abs(template).argmax(), template.shape)
    return int(channel), float(template[sample, channel])


def round_significant(value: float) -> float:
    """Four significant digits, whatever the unit of the value."""
    return float(f"{value:.4g}")


def _percent(is_true: np.ndarray) -> float:
    return round(100 * float(np.mean(is_true)), 2) if len(is_true) else 0.0
