"""Pairs of units that may be one, and units that may be two, ranked, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..sorting.clustering.settings import DensitySettings
from ..sorting.merging.valley import valley_depth
from .unit_measures import correlogram_bins_ms

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult
    from .unit_measures import UnitMeasures

SUGGESTIONS_FILE = "suggestions.csv"
# Cosine of templates from which two units may be one neuron.
MIN_SIMILARITY = 0.9
# Lags that tell how often the two would coincide by chance; fewer expected coincidences tell nothing.
CHANCE_LAGS_MS, MIN_EXPECTED = (20.0, 50.0), 5.0
# Amplitudes with two modes count as much as a contamination of 1.
WEIGHT_OF_MODES = 1.0
# Of fewer spikes, 32 dimensions always have one in which two units are apart; more make it no surer.
MIN_VALLEY_SPIKES, MAX_VALLEY_SPIKES = 100, 2000
MEASURES = ["similarity", "refractory_ratio", "overlap", "valley", "contamination"]
COLUMNS = ["kind", "unit", "other", "score", *MEASURES, "why"]


def suggest(result: SortingResult, measures: Sequence[UnitMeasures]) -> pd.DataFrame:
    """Suggest merges and splits.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        measures: one a unit.

    Returns:
        `pandas.DataFrame`, likeliest first, merges before splits: `kind` ("merge", "split"), `unit`, `other` (-1 for a
        split), `score` (0 to 1), `similarity` (cosine of the templates), `refractory_ratio` (coincidences within the
        refractory period over those at lags of 20 to 50 ms, which are chance; near 0 for one neuron; NaN where these
        are too few), `overlap` (of the firing rates over time: 1 where both fire at the same times, near 0 where one
        takes over from the other, as under drift), `valley` (between the embeddings of both, on the line that separates
        them best: near 0 where they are one cloud, 1 where nothing lies between; NaN where fewer than 100 spikes of
        either are embedded; it does not change the score), `contamination`, and `why` in words.
    """
    rows = sorted(_merges(result, measures), key=lambda row: -row["score"])
    rows += sorted(_splits(result, measures), key=lambda row: -row["score"])
    return pd.DataFrame(rows, columns=COLUMNS)


def _merges(result: SortingResult, measures: Sequence[UnitMeasures]) -> list[dict]:
    pairs = {}
    for unit, measured in enumerate(measures):
        for other, similarity, counts in zip(measured.nearest, measured.similarity, measured.crosscorrelograms):
            if similarity >= MIN_SIMILARITY:
                pairs[min(unit, other), max(unit, other)] = similarity, counts
    unit_of_embedding = result.events["unit"].to_numpy()[result.events["embedded"].to_numpy()]
    rows, refractory_ms = [], result.label_settings.isi_threshold_ms
    for (unit, other), (similarity, counts) in pairs.items():
        ratio = refractory_ratio(counts, refractory_ms)
        overlap = _overlap(measures[unit].rate_hz, measures[other].rate_hz)
        # Two that never fire at the same time say nothing by their coincidences; what is not known counts half.
        exclusive = 0.5 if np.isnan(ratio) else max(1 - ratio, 0.0)
        why = f"templates {similarity:.2f} alike"
        if not np.isnan(ratio):
            why += f", {ratio:.0%} of the coincidences within {refractory_ms:g} ms that chance would give"
        if overlap < 0.5:
            why += f", one takes over from the other (overlap in time {overlap:.0%})"
        valley = _valley(*(result.embeddings[unit_of_embedding == one] for one in (unit, other)))
        if not np.isnan(valley):
            why += f", valley between the embeddings {valley:.2f} deep"
        rows.append(
            {
                "kind": "merge",
                "unit": unit,
                "other": other,
                "score": round(float(similarity * exclusive), 3),
                "similarity": round(float(similarity), 3),
                "refractory_ratio": round(ratio, 3),
                "overlap": round(overlap, 3),
                "valley": round(valley, 3),
                "why": why,
            }
        )
    return rows


def _splits(result: SortingResult, measures: Sequence[UnitMeasures]) -> list[dict]:
    rows, most = [], result.label_settings.max_contamination_of_good
    for unit, (measured, contamination) in enumerate(zip(measures, result.units["contamination"])):
        is_contaminated = contamination > most
        if not (measured.bimodal or is_contaminated):
            continue
        reasons = ["amplitudes with two modes"] * measured.bimodal
        reasons += [f"contamination {contamination:.2f}"] * bool(is_contaminated)
        score = (WEIGHT_OF_MODES * measured.bimodal + min(contamination, 1.0)) / (WEIGHT_OF_MODES + 1)
        rows.append(
            {
                "kind": "split",
                "unit": unit,
                "other": -1,
                "score": round(float(score), 3),
                "contamination": round(float(contamination), 3),
                "why": ", ".join(reasons),
            }
        )
    return rows


def refractory_ratio(crosscorrelogram: np.ndarray, refractory_ms: float) -> float:
    """Coincidences within the refractory period over those that chance gives; NaN where these are too few.

    Args:
        crosscorrelogram: `(num_bins,)` counts by the lags of
            [`~huidurep_hf.report.unit_measures.correlogram_bins_ms`].
        refractory_ms: the refractory period, ms.
    """
    edges = correlogram_bins_ms()
    lags = np.abs((edges[:-1] + edges[1:]) / 2)
    is_near = lags < refractory_ms
    is_far = (lags >= CHANCE_LAGS_MS[0]) & (lags <= CHANCE_LAGS_MS[1])
    expected = crosscorrelogram[is_far].mean() * is_near.sum()
    return float(crosscorrelogram[is_near].sum() / expected) if expected >= MIN_EXPECTED else float("nan")


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    if first.sum() == 0 or second.sum() == 0:
        return 0.0
    return float(np.minimum(first / first.sum(), second / second.sum()).sum())


def _valley(first: np.ndarray, second: np.ndarray) -> float:
    if min(len(first), len(second)) < MIN_VALLEY_SPIKES:
        return float("nan")
    # Evenly over the recording.
    few = (one[:: -(-len(one) // MAX_VALLEY_SPIKES)] for one in (first, second))
    return valley_depth(*few, DensitySettings().discriminant_ridge)
