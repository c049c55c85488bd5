"""One row of figures per unit, by which a sorting can be judged at a glance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..spikes import rows_of_units
from .settings import LabelSettings

UNIT_COLUMNS = [
    *("unit", "channel", "group", "x_um", "y_um", "num_spikes", "rate_hz", "amplitude", "snr"),
    *("isi_violations_percent", "contamination", "presence", "mean_probability", "label"),
]


def tabulate_units(
    events: pd.DataFrame, templates: np.ndarray, channels: pd.DataFrame, provenance: dict, limits: LabelSettings
) -> pd.DataFrame:
    """Count, rate, amplitude, refractoriness and presence of each unit.

    Args:
        events, templates, channels, provenance: of a [`~huidurep_hf.sorting.output.result.SortingResult`].
        limits: [`~huidurep_hf.sorting.output.settings.LabelSettings`].

    Returns:
        `pandas.DataFrame`, one row per unit: `unit`, `channel` (of the template's peak), `group` (of that channel:
        shank or tetrode, as the recording names it), `x_um`, `y_um`, `num_spikes`, `rate_hz`, `amplitude` (template
        peak in the unit of the traces), `snr` (the same over the channel's noise SD), `isi_violations_percent`
        (intervals below `isi_threshold_ms`, of all), `contamination` (rate of foreign spikes over the unit's that these
        intervals imply, Hill et al. 2011, from SpikeInterface), `presence` (share of equal parts of the recording with
        a spike), `mean_probability`, `label` ("good", "mua" for multi-unit activity, or "noise").
    """
    rows = []
    num_samples = np.asarray(provenance["recording"]["num_samples"])
    rate = provenance["recording"]["sampling_rate"]
    duration_s = num_samples.sum() / rate
    # Segments one after the other, as one time line.
    segment_starts = np.concatenate([[0], np.cumsum(num_samples)[:-1]])
    # A person's labels, by curation, come before our own.
    given = provenance.get("manual_labels", {})
    for unit, own in enumerate(events_by_unit(events, len(templates))):
        intervals = unit_intervals_ms(own, rate)
        peak_channel, peak_snr = template_peak(templates[unit])
        channel = channels.iloc[peak_channel]
        times = own["sample"].to_numpy() + segment_starts[own["segment"].to_numpy()]
        contamination = _contamination(own, rate, duration_s, limits.isi_threshold_ms)
        snr, mean_probability = abs(float(peak_snr)), float(own["probability"].mean())
        occupied = np.unique((times * limits.num_presence_bins) // max(num_samples.sum(), 1))
        rows.append(
            {
                "unit": unit,
                "channel": channel["channel"],
                # Results of earlier versions have numbers of shanks alone.
                "group": channel["group"] if "group" in channel else channel["shank"],
                "x_um": round(float(own["x_um"].median()), 1),
                "y_um": round(float(own["y_um"].median()), 1),
                "num_spikes": len(own),
                "rate_hz": round_significant(len(own) / duration_s),
                "amplitude": round_significant(float(peak_snr * channel["noise_level"])),
                "snr": round(snr, 1),
                "isi_violations_percent": _percent(intervals < limits.isi_threshold_ms),
                "contamination": round(contamination, 3),
                "presence": round(len(occupied) / limits.num_presence_bins, 2),
                "mean_probability": round(mean_probability, 3),
                "label": given.get(str(unit)) or label_unit(snr, contamination, mean_probability, limits),
            }
        )
    return pd.DataFrame(rows, columns=UNIT_COLUMNS)


def events_by_unit(events: pd.DataFrame, num_units: int) -> Iterator[pd.DataFrame]:
    """Rows of the table of events of each unit, in order of segment and time."""
    for rows in rows_of_units(events["unit"].to_numpy(), num_units):
        yield events.iloc[rows]


def label_unit(snr: float, contamination: float, mean_probability: float, limits: LabelSettings) -> str:
    """Label a unit "good", "mua" (multi-unit activity) or "noise".

    Args:
        snr: largest deflection of the template, SDs of the noise.
        contamination: rate of foreign spikes over the unit's, by violations of the refractory period.
        mean_probability: of its spikes.
        limits: [`~huidurep_hf.sorting.output.settings.LabelSettings`].
    """
    if mean_probability < limits.max_probability_of_noise and snr < limits.max_snr_of_noise:
        return "noise"
    is_good = snr >= limits.min_snr_of_good and contamination <= limits.max_contamination_of_good
    return "good" if is_good and mean_probability >= limits.min_probability_of_good else "mua"


def _contamination(events: pd.DataFrame, sampling_rate: float, duration_s: float, isi_threshold_ms: float) -> float:
    from spikeinterface.metrics.quality.misc_metrics import isi_violations

    trains = [train.to_numpy() / sampling_rate for _, train in events.groupby("segment")["sample"]]
    ratio, _, _ = isi_violations(trains, duration_s, isi_threshold_s=isi_threshold_ms / 1000)
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
