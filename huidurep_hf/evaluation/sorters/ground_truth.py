"""How well a sorting agrees with the true spike trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from spikeinterface.comparison import compare_sorter_to_ground_truth

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

DELTA_TIME_MS = 0.4
WELL_DETECTED_ACCURACY = 0.8
SNR_THRESHOLD = 3.0

SCORES = ("accuracy", "precision", "recall")


def score_sorting(
    sorting: BaseSorting,
    ground_truth: BaseSorting,
    unit_snr: Mapping[Any, float] | Sequence[float] | np.ndarray | None = None,
    snr_threshold: float = SNR_THRESHOLD,
    *,
    exhaustive: bool = True,
    far_neurons: BaseSorting | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Compare a sorting with the truth by SpikeInterface's ground-truth comparison.

    Spikes within 0.4 ms coincide; sorted and true units are paired one to one by the Hungarian method, and a pair
    that agrees on less than half of its spikes is no pair (SpikeInterface's default): its true unit scores 0. A true
    unit without spikes cannot be found and is left out.

    Args:
        sorting: SpikeInterface sorting to be judged; it may have no units or no spikes.
        ground_truth: SpikeInterface sorting of the true spikes, with as many segments and the same sampling rate.
        unit_snr: dict from true unit id to its SNR, or an array in the order of `ground_truth.unit_ids`. Left out,
            every SNR is unknown (NaN) and the figures over units of high SNR are left out too.
        snr_threshold: units of at least this SNR are also summarised apart.
        exhaustive: every neuron is in the truth, so a sorted unit that is no true unit is false. Otherwise it may be
            a neuron that is not known, and false units are not counted (None).
        far_neurons: SpikeInterface sorting of further neurons that need not be found; a unit of theirs is not false.

    Returns:
        `(units, summary)`. `units` is a DataFrame with one row per true unit (index `unit_id`): `snr`, `num_spikes`,
        `matched_unit_id` (None without a match), `accuracy` TP/(TP+FP+FN), `precision`, `recall`. `summary` is a
        dict of plain numbers: means of the scores over all units and, with the suffix `_snr3` for a threshold of 3,
        over units of high SNR; and counts of units that are well detected (accuracy >= 0.8), false positive (match
        nothing), redundant (repeat a true unit that has a better match) or overmerged (hold several true units).

    Raises:
        ValueError: if segments or sampling rates differ, or a true unit has no SNR in `unit_snr`.

    Example:

    ```python
    >>> from spikeinterface.core import generate_ground_truth_recording
    >>> from huidurep_hf.evaluation.sorters.ground_truth import score_sorting

    >>> _, truth = generate_ground_truth_recording(durations=[5.0], num_channels=4, num_units=3, seed=0)
    >>> units, summary = score_sorting(truth, truth)
    >>> summary["accuracy"]
    1.0

    ```
    """
    _check_comparable(sorting, ground_truth)
    snr = _snr_per_unit(unit_snr, ground_truth.unit_ids)
    num_spikes = ground_truth.count_num_spikes_per_unit(outputs="dict")
    found_spikes = sorting.count_num_spikes_per_unit(outputs="dict")
    truth = ground_truth.select_units([unit for unit in ground_truth.unit_ids if num_spikes[unit] > 0])
    # A unit that never fires claims nothing; SpikeInterface would count it as a false positive unit.
    found = sorting.select_units([unit for unit in sorting.unit_ids if found_spikes[unit] > 0])

    units = pd.DataFrame(index=pd.Index(list(truth.unit_ids), name="unit_id"))
    units["snr"] = [snr[unit] for unit in truth.unit_ids]
    units["num_spikes"] = [int(num_spikes[unit]) for unit in truth.unit_ids]
    counts = _compare(found, truth, units)
    summary = {"num_true_units": len(truth.unit_ids), "num_sorted_units": len(found.unit_ids)}
    summary.update(_summarise(units, ""))
    if unit_snr is not None:
        high = units[units["snr"] >= snr_threshold]
        suffix = f"_snr{snr_threshold:g}"
        summary[f"num_true_units{suffix}"] = len(high)
        summary.update(_summarise(high, suffix))
    summary.update(counts)
    if not exhaustive:
        summary["num_false_positive_units"] = None
    elif far_neurons is not None:
        summary["num_false_positive_units"] = _count_false(found, truth, far_neurons)
    return units, summary


def _compare(found: BaseSorting, truth: BaseSorting, units: pd.DataFrame) -> dict:
    """Write matches and scores into `units`; return the counts of sorted units that are wrong."""
    units["matched_unit_id"] = pd.Series([None] * len(units), index=units.index, dtype=object)
    for score in SCORES:
        units[score] = 0.0
    if not len(truth.unit_ids) or not len(found.unit_ids):
        # SpikeInterface cannot compare with nothing.
        return {
            "num_false_positive_units": len(found.unit_ids),
            "num_redundant_units": 0,
            "num_overmerged_units": 0,
        }
    comparison = compare_sorter_to_ground_truth(
        truth, found, delta_time=DELTA_TIME_MS, well_detected_score=WELL_DETECTED_ACCURACY, exhaustive_gt=True
    )
    found_ids = set(found.unit_ids)
    matches = [comparison.hungarian_match_12[unit] for unit in truth.unit_ids]
    matches = [match if match in found_ids else None for match in matches]
    units["matched_unit_id"] = pd.Series(matches, index=units.index, dtype=object)
    performance = comparison.get_performance(method="by_unit").loc[list(truth.unit_ids)]
    for score in SCORES:
        # An unmatched unit has no sorted spikes, so SpikeInterface's precision may be 0/0; it found nothing: 0.
        units[score] = np.nan_to_num(performance[score].to_numpy(dtype=float))
    return {
        "num_false_positive_units": int(comparison.count_false_positive_units()),
        "num_redundant_units": int(comparison.count_redundant_units()),
        "num_overmerged_units": int(comparison.count_overmerged_units()),
    }


def _count_false(found: BaseSorting, truth: BaseSorting, far_neurons: BaseSorting) -> int:
    """Sorted units that match neither a true unit nor a far neuron."""
    from spikeinterface.core import aggregate_units

    if not len(found.unit_ids):
        return 0
    everything = aggregate_units(
        [truth, far_neurons], renamed_unit_ids=range(len(truth.unit_ids) + len(far_neurons.unit_ids))
    )
    comparison = compare_sorter_to_ground_truth(everything, found, delta_time=DELTA_TIME_MS, exhaustive_gt=True)
    return int(comparison.count_false_positive_units())


def _summarise(units: pd.DataFrame, suffix: str) -> dict:
    """Mean scores and well detected units; a mean over no units is None, which JSON can hold."""
    means = {f"{score}{suffix}": float(units[score].mean()) if len(units) else None for score in SCORES}
    well_detected = int((units["accuracy"] >= WELL_DETECTED_ACCURACY).sum())
    return {**means, f"num_well_detected_units{suffix}": well_detected}


def _check_comparable(sorting: BaseSorting, ground_truth: BaseSorting) -> None:
    if sorting.get_num_segments() != ground_truth.get_num_segments():
        raise ValueError(
            f"The sorting has {sorting.get_num_segments()} segments and the ground truth "
            f"{ground_truth.get_num_segments()}; compare sortings of one and the same recording."
        )
    if not np.isclose(sorting.sampling_frequency, ground_truth.sampling_frequency):
        raise ValueError(
            f"The sorting counts samples at {sorting.sampling_frequency} Hz and the ground truth at "
            f"{ground_truth.sampling_frequency} Hz; compare sortings of one and the same recording."
        )


def _snr_per_unit(unit_snr: Mapping[Any, float] | Sequence[float] | np.ndarray | None, unit_ids: np.ndarray) -> dict:
    if unit_snr is None:
        return dict.fromkeys(unit_ids, np.nan)
    if hasattr(unit_snr, "keys"):
        snr = dict(unit_snr)
    else:
        values = np.asarray(unit_snr, dtype=float)
        if values.shape != (len(unit_ids),):
            raise ValueError(f"Got unit_snr of shape {values.shape}; expected ({len(unit_ids)},), one per true unit.")
        snr = dict(zip(unit_ids, values))
    missing = [unit for unit in unit_ids if unit not in snr]
    if missing:
        raise ValueError(f"unit_snr has no value for the true units {missing}; give one SNR for every unit.")
    return {unit: float(snr[unit]) for unit in unit_ids}


def nearest_units(samples: np.ndarray, sorting: BaseSorting) -> np.ndarray:
    """Name events by the unit of the nearest spike of a sorting, within 0.4 ms.

    Args:
        samples: `(num_events,)` times in samples.
        sorting: SpikeInterface sorting of the same recording, of one segment.

    Returns:
        `(num_events,)` int64, index of the unit, -1 for none.
    """
    found = sorting.to_spike_vector()
    if len(found) == 0:
        return np.full(len(samples), -1)
    times, samples = found["sample_index"].astype("int64"), np.asarray(samples).astype("int64")
    after = np.clip(np.searchsorted(times, samples), 0, len(times) - 1)
    before = np.clip(after - 1, 0, len(times) - 1)
    nearest = np.where(np.abs(times[after] - samples) < np.abs(times[before] - samples), after, before)
    is_near = np.abs(times[nearest] - samples) <= DELTA_TIME_MS * 1e-3 * sorting.sampling_frequency
    return np.where(is_near, found["unit_index"][nearest], -1).astype("int64")
