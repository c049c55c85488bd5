"""Merge clusters that are one unit: no valley between them, one neuron's scatter, no coincidences of two neurons.

The clusters come from the embedding and are smaller than units on purpose. Here the whitened waveforms decide: each
spike goes to the template that explains most of it, the least separated pairs of clusters are merged, and this repeats
until every remaining pair has a valley between it, or scatters more widely than the spikes of one faint neuron.
"""

from __future__ import annotations

import logging

import numpy as np

from ...recording.chunks import on_one_time_line
from ...recording.preprocessing.preparation import PreparedRecording
from ...workers import Workers
from ..clustering.gaussian_labels import drop_small
from ..matching.template_fit import fit_templates
from ..parameters import SortingParameters
from ..spikes import Spikes, rows_of_units
from ..templates.spike_waveforms import SpikeWaveforms, TemplateCleaner, choose_spikes, without_time_shift
from .refractoriness import fire_independently
from .scatter import unexplained_share
from .template_distance import distances_of_pairs, merge_pairs
from .valley import valley_depth_on_line

logger = logging.getLogger("huidurep_hf")


def merge_clusters(
    spikes: Spikes, whitened: PreparedRecording, parameters: SortingParameters, workers: Workers | None = None
) -> Spikes:
    """Merge clusters that are one unit and bring their spikes to one alignment.

    Args:
        spikes: in order, with `cluster`.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the work.

    Returns:
        The table, `cluster` merged, with `aligned_sample` `(num_spikes,)` int64. Clusters below the smallest unit are
        dissolved.
    """
    samples = spikes["sample_index"]
    if spikes["cluster"].max(initial=-1) < 0:
        return spikes.with_columns(aligned_sample=samples)
    found, shifts = merge_over_split(
        spikes["cluster"],
        on_one_time_line(samples, spikes["segment_index"], whitened.recording),
        SpikeWaveforms.cut(whitened, spikes, parameters.waveforms, workers),
        whitened.recording.get_sampling_frequency(),
        parameters,
        is_corrected=whitened.is_corrected,
        workers=workers,
    )
    clusters = drop_small(found, parameters.min_spikes_per_unit)
    num_samples = np.array([whitened.recording.get_num_samples(i) for i in range(len(whitened.segment_indices))])
    aligned = np.clip(samples + np.where(clusters >= 0, shifts, 0), 0, num_samples[spikes["segment_index"]] - 1)
    return spikes.with_columns(cluster=clusters, aligned_sample=aligned)


def merge_over_split(
    labels: np.ndarray,
    times: np.ndarray,
    waveforms: SpikeWaveforms,
    sampling_rate: float,
    parameters: SortingParameters,
    *,
    is_corrected: bool = False,
    workers: Workers | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Merge over-split clusters of one unit and bring their spikes to one alignment.

    Args:
        labels: `(num_spikes,)` clusters from 0 without gaps, -1 for none.
        times: `(num_spikes,)` int64 samples, ascending; segments far apart on one time line.
        waveforms: [`~huidurep_hf.sorting.templates.spike_waveforms.SpikeWaveforms`] of the same spikes.
        sampling_rate: Hz.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        is_corrected: whether the traces were corrected for motion. One neuron's spikes then scatter more than noise
            explains: how much of them interpolation keeps depends on the displacement.
        workers: who share the work.

    Returns:
        `(labels, shifts)`: `(num_spikes,)` int64 units from 0 without gaps, -1 for none; `(num_spikes,)` int64 samples
        to add to the spikes' times.
    """
    labels, shifts = np.array(labels, dtype="int64"), np.zeros(len(labels), dtype="int64")
    if labels.max(initial=-1) < 0:
        return labels, shifts
    settings = parameters.cluster_merging
    min_cluster_size = max(int(settings.min_size_while_merging * parameters.min_spikes_per_unit), 2)
    cleaner = TemplateCleaner(waveforms, parameters.waveforms, parameters.seed)
    known_fits, known_separations = {}, {}
    shapes = None if is_corrected else cleaner.shapes

    def fit_again(labels: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        templates = cleaner(*waveforms.average(labels, shifts, parameters.waveforms, workers))
        fit = fit_templates(waveforms, templates, shifts, sampling_rate, parameters.template_fit, workers, known_fits)
        return drop_small(fit.labels, min_cluster_size), fit.shifts

    labels, shifts = fit_again(labels, shifts)
    for _ in range(settings.max_merging_rounds):
        num_clusters = labels.max(initial=-1) + 1
        if num_clusters < 2:
            break
        pairs, pair_shifts, separations = _test_pairs(
            labels, shifts, waveforms, shapes, sampling_rate, parameters, workers, known_separations
        )
        chosen = _least_separated(pairs, separations, labels, times, sampling_rate, parameters)
        if len(chosen) == 0:
            break
        new_labels, unit_shifts = merge_pairs(num_clusters, pairs[chosen], pair_shifts[chosen])
        shifts = np.clip(shifts + np.where(labels >= 0, unit_shifts[labels], 0), -waveforms.margin, waveforms.margin)
        labels = np.where(labels >= 0, new_labels[labels], -1)
        labels, shifts = fit_again(labels, shifts)
        logger.info("merge: %d clusters -> %d", num_clusters, labels.max(initial=-1) + 1)
    for _ in range(settings.num_final_fits):
        labels, shifts = fit_again(labels, shifts)
    return labels, shifts


def _least_separated(
    pairs: np.ndarray,
    separations: np.ndarray,
    labels: np.ndarray,
    times: np.ndarray,
    sampling_rate: float,
    parameters: SortingParameters,
) -> np.ndarray:
    """Indices of pairs to merge in one round, the least separated first; no cluster twice, no independent trains."""
    limits = parameters.min_valley, parameters.max_unexplained_share
    candidates = np.flatnonzero((separations < limits).all(axis=1))
    taken, chosen = set(), []
    trains = [times[rows] for rows in rows_of_units(labels, labels.max(initial=-1) + 1)]
    for pair in candidates[np.argsort(separations[candidates].max(axis=1), kind="stable")]:
        first, second = pairs[pair]
        if {first, second} & taken:
            continue
        if fire_independently(trains[first], trains[second], sampling_rate, parameters.refractory):
            continue
        taken |= {first, second}
        chosen.append(pair)
    return np.array(chosen, dtype="int64")


def _test_pairs(
    labels: np.ndarray,
    shifts: np.ndarray,
    waveforms: SpikeWaveforms,
    shapes: np.ndarray | None,
    sampling_rate: float,
    parameters: SortingParameters,
    workers: Workers | None,
    known: dict,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare similar clusters: `(num_pairs, 2)` clusters, `(num_pairs,)` shifts and `(num_pairs, 2)` separations.

    Separations are the depth of the valley between their spikes and, where temporal shapes are given, the share of
    their variance that one neuron does not explain; both count more where the clusters differ much in size.
    """
    settings = parameters.cluster_merging
    templates, counts = waveforms.average(labels, shifts, parameters.waveforms, workers)
    max_shift = min(round(settings.max_cluster_misalignment_ms * 1e-3 * sampling_rate), waveforms.num_samples // 4)
    energies = np.square(templates).sum(axis=(1, 2))
    is_cut = (counts > 0).astype("float32")
    pairs = np.argwhere(np.triu(is_cut @ is_cut.T > 0, k=1))
    # Templates that are on each other's channels; others have nothing in common but noise.
    peak_channels, neighbors = np.ptp(templates, axis=1).argmax(axis=1), waveforms.channels
    first, second = peak_channels[pairs].T
    is_near = (neighbors[first] == second[:, None]).any(axis=1) | (neighbors[second] == first[:, None]).any(axis=1)
    pairs = pairs[is_near]
    distances, pair_shifts = distances_of_pairs(templates, pairs, max_shift)
    is_similar = distances < settings.max_cluster_distance
    is_similar |= distances * energies[pairs].max(axis=1) < settings.max_cluster_distance_energy
    pairs, pair_shifts = pairs[is_similar], pair_shifts[is_similar]
    chosen = choose_spikes(labels, parameters.max_spikes_per_test)

    # Few clusters change from round to round.
    of_unit = [(own.tobytes(), shifts[own].tobytes()) for own in chosen]

    def separation_of(pair: int) -> tuple[float, float]:
        key = (*(of_unit[unit] for unit in pairs[pair]), pair_shifts[pair])
        if key not in known:
            spikes = [chosen[unit] for unit in pairs[pair]]
            known[key] = _separation(waveforms, spikes, shifts, pair_shifts[pair], shapes, parameters)
        return known[key]

    separations = list((workers or Workers()).map(separation_of, range(len(pairs))))
    separations = np.array(separations, dtype="float64").reshape(-1, 2)
    of_pairs = energies[pairs]
    differ = of_pairs.min(axis=1) < np.square(settings.min_relative_size) * of_pairs.max(axis=1)
    factor = np.where(differ, settings.different_size_factor, 1.0)
    return pairs, pair_shifts, factor[:, None] * separations


def _separation(
    waveforms: SpikeWaveforms,
    spikes: list[np.ndarray],
    shifts: np.ndarray,
    shift: int,
    shapes: np.ndarray | None,
    parameters: SortingParameters,
) -> tuple[float, float]:
    """Depth of the valley between the spikes of two clusters, and the unexplained share of their variance."""
    # A channel on which only some of the spikes are cut would separate the clusters by that alone.
    common, first, second = waveforms.common(*spikes)
    if len(common) == 0:
        return 1.0, 1.0
    second_shifts = np.clip(shifts[second] + shift, -waveforms.margin, waveforms.margin)
    first = waveforms.aligned_on(first, shifts[first], common)
    second = waveforms.aligned_on(second, second_shifts, common)
    share = 0.0 if shapes is None else unexplained_share(first, second, shapes, parameters.scatter)
    return _valley(first, second, parameters.cluster_merging.min_standard_errors), share


def _valley(first: np.ndarray, second: np.ndarray, min_standard_errors: float) -> float:
    """Depth of the valley between two sets of aligned spikes along the difference of their averages."""
    averages = first.mean(axis=0), second.mean(axis=0)
    difference = averages[1] - averages[0]
    standard_error = np.sqrt(1 / len(first) + 1 / len(second))
    # Noise in the many samples without a real difference would favour the mean that a spike is part of.
    direction = np.where(np.abs(difference) > min_standard_errors * standard_error, difference, 0)
    if not direction.any():
        return 0.0
    direction = without_time_shift(direction, averages[0] + averages[1])
    lines = [np.tensordot(part, direction, axes=([1, 2], [0, 1])) for part in (first, second)]
    return valley_depth_on_line(*lines)
