"""From embedded spikes to units and their templates, learned from a bounded amount of data."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..recording.blocks import Block
from ..recording.preprocessing.preparation import PreparedRecording
from ..recording.preprocessing.whitening import WhitenedTraces
from ..recording.spikes.neighborhood import find_neighborhoods
from ..workers import Workers
from .clustering.splitting import split_by_embedding
from .learning_blocks import choose_trial_blocks, in_blocks
from .matching.bursts import find_bursting_units, without_isolated
from .matching.engine import Matcher
from .matching.pairing import pair_with_peaks
from .merging.drift_fragments import merge_drift_fragments
from .merging.merge_clusters import merge_clusters
from .merging.merge_units import merge_units
from .merging.template_distance import find_duplicates
from .parameters import SortingParameters
from .rejection.noise_units import is_noise_unit
from .rejection.oscillations import is_oscillation
from .rejection.reject_clusters import reject_clusters
from .rejection.residual_units import is_residual_unit
from .rejection.side_lobes import is_side_lobe_unit
from .spikes import Spikes, in_order
from .templates.averages import average_templates, signed, template_window
from .templates.find_templates import find_templates
from .templates.unit_templates import UnitTemplates

logger = logging.getLogger("huidurep_hf")

# Columns that learning adds to the table of spikes.
CLUSTER_COLUMNS = ("cluster", "aligned_sample")
_OWN_ARRAYS = ("unit_of_template", "shift_of_template", "bursting", "waveforms")


@dataclass(frozen=True)
class LearnedUnits:
    """Units and the templates by which their spikes are found.

    Attributes:
        templates: a unit may have several.
        unit_of_template: `(num_templates,)` int64, -1 where the spikes found are of no unit.
        shift_of_template: `(num_templates,)` int64 samples to add to the times of its spikes.
        bursting: templates of which weakened spikes are looked for as well.
        waveforms: `(num_units, num_samples, num_channels)` float32 averages of preprocessed traces, SDs of the noise.
    """

    templates: UnitTemplates
    unit_of_template: np.ndarray
    shift_of_template: np.ndarray
    bursting: np.ndarray
    waveforms: np.ndarray

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> LearnedUnits | None:
        """Make units from [`to_arrays`]."""
        if not arrays:
            return None
        return cls(UnitTemplates.from_arrays(arrays), **{name: arrays[name] for name in _OWN_ARRAYS})

    @property
    def num_units(self) -> int:
        """How many units there are."""
        return len(self.waveforms)


def to_arrays(learned: LearnedUnits | None) -> dict[str, np.ndarray]:
    """Arrays by name, from which `LearnedUnits.from_arrays` makes the same again; none for None."""
    if learned is None:
        return {}
    return {**{name: getattr(learned, name) for name in _OWN_ARRAYS}, **learned.templates.to_arrays()}


def learn_clusters(spikes: Spikes, whitened: WhitenedTraces, parameters: SortingParameters, workers: Workers) -> Spikes:
    """Cluster spikes by their embedding, and merge clusters of one neuron by their whitened waveforms.

    Args:
        spikes: in order, with `embedding`, `location_um` and `size`.
        whitened: whitened traces, corrected for motion where there is any.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the work.

    Returns:
        The table with `cluster` and `aligned_sample`.
    """
    spikes = split_by_embedding(spikes, whitened.shanks, parameters, workers)
    if parameters.num_units is not None:
        return spikes.with_columns(aligned_sample=spikes["sample_index"])
    spikes = merge_clusters(spikes, whitened, parameters, workers)
    if whitened.is_corrected:
        spikes = merge_drift_fragments(spikes, whitened, parameters, workers)
    return spikes


def learn_units(
    spikes: Spikes,
    blocks: list[Block],
    prepared: PreparedRecording,
    whitened: WhitenedTraces,
    parameters: SortingParameters,
    workers: Workers,
) -> LearnedUnits | None:
    """Turn clusters into templates, match them with some blocks, and reject false units.

    Args:
        spikes: in order, with `cluster` and `aligned_sample`.
        blocks: that hold the spikes; templates are tried in some of them.
        prepared, whitened: the traces, corrected for motion where there is any.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        [`LearnedUnits`]; None where clusters are to be taken as they are: matching is switched off, there is none, or a
        number of units was asked for of which not every one is found by its template.
    """
    if parameters.template_matching == "off" or spikes["cluster"].max(initial=-1) < 0:
        return None
    automatic = parameters.num_units is None
    if automatic:
        spikes = reject_clusters(spikes, whitened, parameters, workers)
    labels, samples = spikes["cluster"], spikes["aligned_sample"]
    learning = parameters.learning
    blocks = choose_trial_blocks(spikes, blocks, learning.max_trial_blocks, learning.min_trial_spikes)
    templates = find_templates(labels, samples, spikes, whitened, parameters, workers)
    recorded, rate = whitened.as_recorded, whitened.recording.get_sampling_frequency()
    matched = Matcher(recorded, templates, parameters).match(blocks, workers, "try templates")
    is_detected = _PeakPairing(spikes[in_blocks(spikes, blocks)], prepared, parameters)
    if automatic:
        templates, matched = _reject(templates, matched, is_detected, blocks, prepared, recorded, parameters, workers)
        num_samples = sum(block.stop - block.start for block in blocks)
        bursting = find_bursting_units(matched, len(templates), num_samples, rate, parameters.bursts)
        if len(bursting):
            matched = Matcher(recorded, templates, parameters, bursting=bursting).match(blocks, workers, "try bursts")
            matched = without_isolated(matched, rate, parameters.bursts)
            logger.info("learn: %d weakened spikes of %d bursting units", matched["is_weakened"].sum(), len(bursting))
        merged, shifts = merge_units(matched, templates, recorded, parameters)
    elif len(np.unique(matched["unit_index"])) < len(templates):
        logger.info("learn: not every unit asked for is found by its template; clusters are left as they are")
        return None
    else:
        bursting = np.zeros(0, dtype="int64")
        merged, shifts = np.arange(len(templates)), np.zeros(len(templates), dtype="int64")
    matched = matched.with_columns(is_detected=is_detected(matched))
    return _final_units(templates, merged, shifts, bursting, matched, prepared, parameters, workers)


class _PeakPairing:
    """Which matched spikes are detected peaks."""

    def __init__(self, peaks: Spikes, prepared: PreparedRecording, parameters: SortingParameters):
        self.peaks = peaks
        num_channels = parameters.templates.num_template_channels
        self.neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, num_channels)
        same_event_ms = parameters.matching.same_event_ms
        self.max_gap = round(same_event_ms * 1e-3 * prepared.recording.get_sampling_frequency())

    def __call__(self, matched: Spikes) -> np.ndarray:
        return pair_with_peaks(matched, self.peaks, self.peaks["aligned_sample"], self.neighborhoods, self.max_gap) >= 0


def _reject(
    templates: UnitTemplates,
    matched: Spikes,
    is_detected: Callable[[Spikes], np.ndarray],
    blocks: list[Block],
    prepared: PreparedRecording,
    recorded: PreparedRecording,
    parameters: SortingParameters,
    workers: Workers,
) -> tuple[UnitTemplates, Spikes]:
    """Templates and spikes without those of noise and residual units; matched again, as these took spikes of others."""
    for attempt in range(parameters.rejection.max_matchings):
        is_noise = is_noise_unit(matched, templates, parameters)
        units, samples = matched["unit_index"], matched["sample_index"]
        averages = average_templates(units, samples, matched, prepared, parameters.templates, parameters.seed, workers)
        averages = np.pad(averages, ((0, len(templates) - len(averages)), (0, 0), (0, 0)))
        # No match at all leaves averages of no samples.
        depths = signed(averages, parameters.peak_sign).max(axis=(1, 2), initial=0)
        is_residual = is_residual_unit(
            units, is_detected(matched), depths, parameters.detect_threshold, parameters.rejection
        )
        is_lobe = is_side_lobe_unit(matched, averages, prepared, parameters, workers)
        is_kept = ~(is_noise | is_residual | is_lobe)
        if is_kept.all():
            break
        logger.info("learn: %d of %d templates are noise", is_noise.sum(), len(templates))
        logger.info("learn: %d of %d templates are residuals of others", is_residual.sum(), len(templates))
        logger.info("learn: %d of %d templates are side lobes of large spikes", is_lobe.sum(), len(templates))
        templates = templates.chosen(is_kept)
        matched = Matcher(recorded, templates, parameters).match(blocks, workers, f"try again {attempt + 1}")
    return templates, matched


def _final_units(
    templates: UnitTemplates,
    merged: np.ndarray,
    shifts: np.ndarray,
    bursting: np.ndarray,
    matched: Spikes,
    prepared: PreparedRecording,
    parameters: SortingParameters,
    workers: Workers,
) -> LearnedUnits:
    """Units without duplicates, small and faint ones, numbered along the probe and aligned to their extremum."""
    rate, automatic = prepared.recording.get_sampling_frequency(), parameters.num_units is None
    spikes = align(matched, merged, shifts, prepared)
    is_duplicate = mark_duplicates(spikes, parameters.duplicate_ms, rate)
    units = np.where(is_duplicate, -1, spikes["unit_index"])
    counts = np.bincount(units[units >= 0], minlength=merged.max(initial=-1) + 1)
    kept = counts > 0
    new_number = np.full(len(counts) + 1, -1)
    new_number[np.flatnonzero(kept)] = np.arange(kept.sum())
    units = new_number[units]
    samples = spikes["sample_index"]
    waveforms, moves = aligned_averages(units, samples, spikes, prepared, parameters, workers)
    if automatic and len(waveforms):
        is_faint = np.abs(waveforms).max(axis=(1, 2)) < parameters.rejection.min_snr
        depths, own = signed(waveforms, parameters.peak_sign).max(axis=(1, 2)), units >= 0
        # Matching was judged before, when units were not merged and spikes found twice were there.
        is_residual = is_residual_unit(
            units[own], spikes["is_detected"][own], depths, parameters.detect_threshold, parameters.rejection
        )
        logger.info(
            "learn: %d of %d units are faint, %d residuals of others", is_faint.sum(), len(counts), is_residual.sum()
        )
        is_slow = is_oscillation(waveforms, rate, parameters.rejection)
        if is_slow.any():
            logger.warning(
                "%d templates are cycles of an oscillation (less than %g %% of their energy is above %g Hz):"
                " what they explain is no spike of a unit",
                is_slow.sum(),
                100 * parameters.rejection.min_fast_share,
                parameters.rejection.min_fast_hz,
            )
        is_false = is_faint | is_residual | is_slow
    else:
        is_false = np.zeros(len(waveforms), dtype=bool)
    order = order_along_probe(units, spikes["channel_index"], prepared)
    order = order[~is_false[order]]
    rank = np.full(len(waveforms) + 1, -1)
    rank[order] = np.arange(len(order))
    unit_of_template = rank[new_number[merged]]
    shift_of_template = shifts + np.append(moves, 0)[new_number[merged]]
    return LearnedUnits(templates, unit_of_template, shift_of_template, bursting, waveforms[order])


def align(spikes: Spikes, units: np.ndarray, shifts: np.ndarray, prepared: PreparedRecording) -> Spikes:
    """Give matched spikes the unit of their template, and that unit's alignment; spikes stay within their segment.

    Args:
        spikes: with `unit_index`, the template.
        units, shifts: `(num_templates,)` of each template.
        prepared: the recording.
    """
    num_samples = np.array([prepared.recording.get_num_samples(i) for i in range(len(prepared.segment_indices))])
    template = spikes["unit_index"]
    shifted = np.clip(spikes["sample_index"] + shifts[template], 0, num_samples[spikes["segment_index"]] - 1)
    aligned = {"unit_index": units.astype("int32")[template], "sample_index": shifted}
    return in_order({**spikes.columns, **aligned})


def mark_duplicates(spikes: Spikes, duplicate_ms: float, sampling_rate: float) -> np.ndarray:
    """Mark spikes that were found twice in one unit, segment by segment.

    Args:
        spikes: by segment, with `unit_index`, -1 for events of no unit; the likelier, or larger, of two stays.
        duplicate_ms: spikes of one unit at most this far apart are one spike.
        sampling_rate: Hz.

    Returns:
        `(num_spikes,)` bool.
    """
    is_duplicate = np.zeros(len(spikes), dtype=bool)
    max_gap = int(duplicate_ms * sampling_rate / 1000)
    weights = spikes["gain"] if "gain" in spikes.names else spikes["amplitude"]
    bounds = np.flatnonzero(np.diff(spikes["segment_index"], prepend=-1))
    for first, last in zip(bounds, [*bounds[1:], len(spikes)]):
        own = slice(first, last)
        is_duplicate[own] = find_duplicates(
            spikes["sample_index"][own], spikes["unit_index"][own], weights[own], max_gap
        )
    return is_duplicate


def order_along_probe(units: np.ndarray, channels: np.ndarray, prepared: PreparedRecording) -> np.ndarray:
    """Order units by shank, then from the bottom of the probe to its top, `(num_units,)` int64.

    Args:
        units: `(num_spikes,)` from 0 without gaps, -1 for none.
        channels: `(num_spikes,)` channel of each spike.
        prepared: the recording.
    """
    num_units = units.max(initial=-1) + 1
    keys = np.zeros((num_units, 3))
    for unit in range(num_units):
        own = channels[units == unit]
        keys[unit] = [prepared.shanks[own].min(), *prepared.positions[own].mean(axis=0)[::-1]]
    return np.lexsort(keys.T[::-1])


def aligned_averages(
    units: np.ndarray,
    samples: np.ndarray,
    spikes: Spikes,
    prepared: PreparedRecording,
    parameters: SortingParameters,
    workers: Workers,
) -> tuple[np.ndarray, np.ndarray]:
    """Average the spikes of each unit, its extremum at the time of the spike.

    Merged clusters share the alignment of the first of them, which may be a later deflection or another channel's.

    Args:
        units: `(num_spikes,)` from 0 without gaps, -1 for none.
        samples: `(num_spikes,)` times in samples.
        spikes: table of the same spikes.
        prepared: the recording.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        `(averages, shifts)`: `(num_units, num_samples, num_channels)` as of
        [`~huidurep_hf.sorting.templates.averages.average_templates`], and `(num_units,)` int64 samples to add to the
        times of each unit's spikes.
    """
    settings, rate = parameters.templates, prepared.recording.get_sampling_frequency()
    num_before, num_after = template_window(settings, rate)
    reach = min(max(round(settings.max_realignment_ms * 1e-3 * rate), 1), num_before)
    wide = average_templates(units, samples, spikes, prepared, settings, parameters.seed, workers, margin=reach)
    if len(wide) == 0:
        return wide, np.zeros(0, dtype="int64")
    near = wide[:, num_before : num_before + 2 * reach + 1]
    shifts = signed(near, parameters.peak_sign).max(axis=2).argmax(axis=1) - reach
    averages = [one[reach + shift : reach + shift + num_before + num_after] for one, shift in zip(wide, shifts)]
    return np.stack(averages), shifts
