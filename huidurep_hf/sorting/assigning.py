"""The second pass over a recording: every spike of the units that were learned, and the outcome of every peak."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np

from ..recording.preprocessing.preparation import PreparedRecording
from ..recording.preprocessing.whitening import WhitenedTraces
from ..recording.spikes.neighborhood import find_neighborhoods
from ..workers import Workers
from .learning import LearnedUnits, align, aligned_averages, mark_duplicates, order_along_probe
from .matching.bursts import without_isolated
from .matching.engine import Matcher, Span
from .matching.pairing import pair_with_peaks
from .parameters import SortingParameters
from .spikes import DUPLICATE, NOISE, SMALL_UNIT, UNIT, Spikes, in_order
from .templates.find_templates import find_templates

logger = logging.getLogger("huidurep_hf")

EVENT_COLUMNS = (
    *("segment_index", "sample_index", "channel_index", "rest_channel_index", "amplitude", "unit_index"),
    *("probability", "outcome", "is_detected", "peak"),
)


def assign_spikes(
    learned: LearnedUnits,
    peaks: Spikes,
    prepared: PreparedRecording,
    whitened: WhitenedTraces,
    parameters: SortingParameters,
    workers: Workers,
    progress: bool = False,
) -> tuple[Spikes, np.ndarray]:
    """Match the templates with the whole recording, and pair the spikes with the detected peaks.

    Args:
        learned: units and their templates.
        peaks: every detected peak, in order.
        prepared: traces in which peaks were detected.
        whitened: whitened traces; those not corrected for motion are matched.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.
        progress: show a progress bar.

    Returns:
        `(events, waveforms)`: peaks and spikes that matching found beside them, in order, with `unit_index` (-1 for
        none), `probability`, `outcome` (index in [`~huidurep_hf.sorting.spikes.OUTCOMES`]), `is_detected`, `peak`
        (`(num_events,)` index of the peak, -1 for none) and `rest_channel_index` (where it would be without drift); and
        `(num_units, num_samples, num_channels)` float32 average of each unit, SDs of the noise.
    """
    rate = prepared.recording.get_sampling_frequency()
    # Spikes of templates of no unit are each of something else.
    num_templates = len(learned.templates)
    units = learned.unit_of_template
    apart = np.where(units >= 0, units, learned.num_units + np.arange(num_templates))
    matcher = Matcher(
        whitened.as_recorded, learned.templates, parameters, unit_of_template=apart, bursting=learned.bursting
    )
    add = partial(_with_amplitudes, learned=learned, prepared=prepared)
    matched = matcher.match(workers=workers, name="assign", progress=progress, add=add)
    matched = without_isolated(matched, rate, parameters.bursts)
    in_place = learned.templates.channels_in_place.astype("int32")
    channels = in_place[learned.templates.states_of(matched), matched["unit_index"]]
    matched = matched.with_columns(rest_channel_index=matched["channel_index"], channel_index=channels)
    matched = align(matched, units, learned.shift_of_template, prepared)
    logger.info("assign: %d spikes of %d units", np.sum(matched["unit_index"] >= 0), learned.num_units)
    is_duplicate = mark_duplicates(matched, parameters.duplicate_ms, rate)
    unit, outcome = _without_duplicates(matched["unit_index"], is_duplicate)
    unit, outcome, waveforms = _without_small(unit, outcome, learned.waveforms, parameters)
    neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, parameters.templates.num_template_channels)
    max_gap = round(parameters.matching.same_event_ms * 1e-3 * rate)
    peak = pair_with_peaks(matched, peaks, peaks["sample_index"], neighborhoods, max_gap)
    matched = matched.with_columns(
        unit_index=unit, outcome=outcome, probability=np.where(unit >= 0, matched["probability"], 0), peak=peak
    )
    return _events(peaks, matched), waveforms


def keep_clusters(
    spikes: Spikes,
    prepared: PreparedRecording,
    whitened: WhitenedTraces,
    parameters: SortingParameters,
    workers: Workers,
) -> tuple[Spikes, np.ndarray]:
    """Take clusters as they are for units, without matching; gives what [`assign_spikes`] does.

    Args:
        spikes: in order, with `cluster` and `aligned_sample`.
        prepared, whitened: the traces, corrected for motion where there is any.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.
    """
    rate = prepared.recording.get_sampling_frequency()
    placed = spikes.with_columns(sample_index=spikes["aligned_sample"], unit_index=spikes["cluster"])
    is_duplicate = mark_duplicates(placed, parameters.duplicate_ms, rate)
    unit, outcome = _without_duplicates(spikes["cluster"], is_duplicate)
    num_units = unit.max(initial=-1) + 1
    # Of no samples yet: only how many units there are.
    unit, outcome, kept = _without_small(unit, outcome, np.zeros((num_units, 0, 0)), parameters)
    order = order_along_probe(unit, spikes["channel_index"], prepared)
    rank = np.full(len(kept) + 1, -1)
    rank[order] = np.arange(len(order))
    unit = rank[unit]
    samples = spikes["aligned_sample"]
    waveforms, shifts = aligned_averages(unit, samples, spikes, prepared, parameters, workers)
    samples = samples + np.append(shifts, 0)[unit]
    num_samples = np.array([prepared.recording.get_num_samples(i) for i in range(len(prepared.segment_indices))])
    samples = np.clip(samples, 0, num_samples[spikes["segment_index"]] - 1)
    probability = np.zeros(len(spikes), dtype="float32")
    own = np.flatnonzero(unit >= 0)
    if len(own):
        own = own[np.lexsort((samples[own], spikes["segment_index"][own]))]
        templates = find_templates(unit, samples, spikes, whitened, parameters, workers)
        known = spikes[own].with_columns(sample_index=samples[own], unit_index=unit[own])
        probability[own] = Matcher(whitened.as_recorded, templates, parameters).judge_known(known, workers)
    found = {
        "sample_index": samples,
        "unit_index": unit,
        "probability": probability,
        "outcome": outcome,
        "is_detected": np.ones(len(spikes), dtype=bool),
    }
    return in_order({**spikes.columns, **found}), waveforms


def _without_duplicates(unit: np.ndarray, is_duplicate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units without duplicate spikes, and what each spike is so far."""
    outcome = np.full(len(unit), NOISE, dtype="int8")
    outcome[unit >= 0] = UNIT
    outcome[is_duplicate] = DUPLICATE
    return np.where(is_duplicate, -1, unit), outcome


def _without_small(
    unit: np.ndarray, outcome: np.ndarray, waveforms: np.ndarray, parameters: SortingParameters
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units of too few spikes are none; the others are numbered anew."""
    if parameters.num_units is not None:
        return unit, outcome, waveforms
    counts = np.bincount(unit[unit >= 0], minlength=len(waveforms))
    is_kept = counts >= parameters.min_spikes_per_unit
    rank = np.full(len(counts) + 1, -1, dtype="int32")
    rank[np.flatnonzero(is_kept)] = np.arange(is_kept.sum())
    kept = rank[unit]
    outcome[(unit >= 0) & (kept < 0)] = SMALL_UNIT
    return kept, outcome, waveforms[is_kept]


def _events(peaks: Spikes, matched: Spikes) -> Spikes:
    """Detected peaks with what was matched with them, and the spikes that were found beside them."""
    is_paired = matched["peak"] >= 0
    of_peak, alone = matched["peak"][is_paired], np.flatnonzero(~is_paired)
    num_peaks = len(peaks)
    # Of a peak that is matched these are the matched spike's.
    found = {
        "sample_index": peaks["sample_index"].copy(),
        "rest_channel_index": peaks["channel_index"].copy(),
        "unit_index": np.full(num_peaks, -1, dtype="int32"),
        "probability": np.zeros(num_peaks, dtype="float32"),
        "outcome": np.full(num_peaks, NOISE, dtype="int8"),
    }
    for name, column in found.items():
        column[of_peak] = matched[name][is_paired]
    own = {name: peaks[name] for name in ("segment_index", "channel_index", "amplitude")}
    own["is_detected"], own["peak"] = np.ones(num_peaks, dtype=bool), np.arange(num_peaks)
    added = {"is_detected": np.zeros(len(alone), dtype=bool), "peak": np.full(len(alone), -1)}
    columns = {}
    for name in EVENT_COLUMNS:
        of_peaks = found.pop(name) if name in found else own.pop(name)
        of_added = added[name] if name in added else matched[name][alone]
        columns[name] = np.concatenate([of_peaks, of_added.astype(of_peaks.dtype, copy=False)])
    return in_order(columns)


def _with_amplitudes(spikes: Spikes, span: Span, *, learned: LearnedUnits, prepared: PreparedRecording) -> Spikes:
    """Matched spikes of a span with `amplitude`: the trace at the time of the aligned spike, on its channel."""
    templates, template = learned.templates, spikes["unit_index"]
    if len(spikes) == 0:
        return spikes.with_columns(amplitude=np.zeros(0, dtype="float32"))
    segment = span.block.segment
    last = prepared.recording.get_num_samples(segment) - 1
    samples = np.clip(spikes["sample_index"] + learned.shift_of_template[template], 0, last)
    channels = templates.channels_in_place[templates.states_of(spikes), template]
    first = int(samples.min())
    traces = prepared.recording.get_traces(segment, first, int(samples.max()) + 1)
    return spikes.with_columns(amplitude=traces[samples - first, channels].astype("float32"))
