"""What deserves attention in a result, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from ..sorting.output.result import SortingResult
    from ..sorting.output.settings import LabelSettings
    from .unit_measures import UnitMeasures

LABEL_NAMES = {"good": "good", "mua": "multi-unit", "noise": "noise"}
# Templates so much alike, of one place, may be one neuron.
MIN_SIMILARITY = 0.95
MAX_MISSED = 0.1
MIN_PRESENCE = 0.5
MAX_NOISE_CHANGE = 0.2
MAX_NAMED = 12


def count_labels(units: pd.DataFrame) -> dict[str, int]:
    """Number of units of each label, "good" first; labels of no unit are left out."""
    counts = units["label"].value_counts()
    return {label: int(counts[label]) for label in LABEL_NAMES if counts.get(label, 0)}


def summarise(result: SortingResult, measures: Sequence[UnitMeasures]) -> list[str]:
    """Sentences about a result, the most general first.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        measures: one a unit.
    """
    units, counts = result.units, result.provenance["counts"]
    sentences = [result.provenance.get("no_units") or _units_sentence(units, counts)]
    # Results of earlier versions have none.
    if fit := result.provenance.get("fit"):
        sentences.append(fit["sentence"])
    excluded = result.provenance["preparation"]["excluded_channels"]
    sentences += [f"Left out: channels {_names(channels)} ({reason})." for reason, channels in excluded.items()]
    sentences += [f"{step[0].upper()}{step[1:]}." for step in result.provenance["preparation"]["steps"] if _tells(step)]
    sentences += _noise_sentence(result.noise)
    if len(units) == 0:
        return sentences
    most_foreign = result.label_settings.max_contamination_of_good
    for sentence, is_meant in (
        ("Amplitudes with two modes, which may be two neurons", [m.bimodal for m in measures]),
        (
            f"More than {MAX_MISSED:.0%} of the spikes missed below the threshold",
            [m.missed > MAX_MISSED for m in measures],
        ),
        ("Silent in more than half of the recording", units["presence"] < MIN_PRESENCE),
        (
            f"More than {most_foreign:.0%} foreign spikes, by the refractory period",
            units["contamination"] > most_foreign,
        ),
    ):
        named = units["unit"][np.asarray(is_meant, dtype=bool)]
        if len(named):
            sentences.append(f"{sentence}: {'unit' if len(named) == 1 else 'units'} {_names(list(named))}.")
    pairs = similar_pairs(measures)
    if pairs:
        named = _names([f"{first} and {second} ({value:.2f})" for first, second, value in pairs])
        sentences.append(f"Templates much alike (cosine), which may be one neuron: {named}.")
    return sentences


def similar_pairs(measures: Sequence[UnitMeasures]) -> list[tuple[int, int, float]]:
    """Pairs of units whose templates are much alike: `(unit, other, cosine)`, most similar first."""
    pairs = {}
    for unit, measured in enumerate(measures):
        for other, value in zip(measured.nearest, measured.similarity):
            if value >= MIN_SIMILARITY:
                pairs[min(unit, other), max(unit, other)] = value
    return sorted(((*pair, value) for pair, value in pairs.items()), key=lambda pair: -pair[2])


def why_label(unit: pd.Series, limits: LabelSettings) -> str:
    """Why a unit has its label, by the limits of [`~huidurep_hf.sorting.output.unit_table.label_unit`].

    Args:
        unit: row of the table of units.
        limits: those that the label was given by.
    """
    if unit["mean_probability"] < limits.max_probability_of_noise:
        return f"its spikes are more likely something else (mean probability {unit['mean_probability']:.2f})"
    reasons, probability = [], unit["mean_probability"]
    if unit["snr"] < limits.min_snr_of_good:
        reasons.append(f"its SNR {unit['snr']:.1f} is below {limits.min_snr_of_good:g}")
    if unit["contamination"] > limits.max_contamination_of_good:
        reasons.append(f"its contamination {unit['contamination']:.2f} is above {limits.max_contamination_of_good:g}")
    if probability < limits.min_probability_of_good:
        reasons.append(f"its mean probability {probability:.2f} is below {limits.min_probability_of_good:g}")
    return " and ".join(reasons) or "SNR, contamination and probability are within the limits of a good unit"


def _units_sentence(units: pd.DataFrame, counts: dict) -> str:
    num_events, num_sorted = counts["events"], counts.get("unit", 0)
    if num_events == 0:
        return "No spike was detected: nothing exceeds the detection threshold."
    events = f"{num_sorted:,} of {num_events:,} events belong to them"
    if len(units) == 0:
        return f"No unit was found: none of the {num_events:,} events repeats often enough to be a unit."
    labels = ", ".join(f"{count} {LABEL_NAMES[label]}" for label, count in count_labels(units).items())
    return f"{len(units)} {'unit' if len(units) == 1 else 'units'}: {labels}; {events}."


def _noise_sentence(noise: pd.DataFrame) -> list[str]:
    levels = noise.drop(columns=["segment", "time_s"]).median(axis=1).to_numpy()
    third = len(levels) // 3
    if third == 0:
        return []
    first, last = np.median(levels[:third]), np.median(levels[-third:])
    change = last / first - 1 if first > 0 else 0.0
    if abs(change) < MAX_NOISE_CHANGE:
        return []
    return [f"The noise {'rises' if change > 0 else 'falls'} by {abs(change):.0%} from the start to the end."]


def _tells(step: str) -> bool:
    """Whether a step of the preparation says what a user may want to change."""
    return any(word in step for word in ("motion", "blanked", "silent", "reference"))


def _names(values: Sequence) -> str:
    shown = [str(value) for value in values[:MAX_NAMED]]
    if len(values) > MAX_NAMED:
        return ", ".join(shown) + f" and {len(values) - MAX_NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
