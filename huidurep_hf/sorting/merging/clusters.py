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
from ..clustering.assignment import drop_small
from ..matching.template_fit import fit_templates
from ..parameters import SortingParameters
from ..spikes import Spikes
from ..templates.spike_waveforms import SpikeWaveforms, TemplateCleaner, choose_spikes, without_time_shift
from .refractoriness import fire_independently
from .scatter import unexplained_share
from .template_distance import distances_of_pairs, merge_pairs
from .valley import valley_depth_on_line

logger = logging.getLogger("huidurep_hf")

# Templates that differ by more than this share of the larger's energy, and by more than this energy, are two units,
# whatever lies between them.
MAX_RELATIVE_DISTANCE = 0.6
MAX_DISTANCE = 5.0
# Of two clusters of which one is less than this share as large as the other, half of the valley is enough. In
# drift-corrected traces neurons that differ threefold in size had valleys of 0.22 and 0.28 where a cluster held spikes
# of both.
MIN_RELATIVE_SIZE = 0.5
MAX_MISALIGNMENT_MS = 0.3
MAX_SPIKES_PER_TEST = 200
# A difference of two averages is real where it is this many standard errors from 0.
NUM_STANDARD_ERRORS = 2.5
MAX_ROUNDS = 30
NUM_FINAL_FITS = 2


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
        SpikeWaveforms.cut(whitened, spikes, workers),
        whitened.recording.get_sampling_frequency(),
        min_valley=parameters.min_valley,
        min_cluster_size=max(3 * parameters.min_spikes_per_unit // 4, 2),
        is_corrected=whitened.motion is not None,
        seed=parameters.seed,
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
    *,
    min_valley: float,
    min_cluster_size: int,
    is_corrected: bool = False,
    seed: int = 0,
    workers: Workers | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Merge over-split clusters of one unit and bring their spikes to one alignment.

    Args:
        labels: `(num_spikes,)` clusters from 0 without gaps, -1 for none.
        times: `(num_spikes,)` int64 samples, ascending; segments far apart on one time line.
        waveforms: [`~huidurep_hf.sorting.templates.spike_waveforms.SpikeWaveforms`] of the same spikes.
        sampling_rate: Hz.
        min_valley: merge threshold, 0 to 1: depth of the valley that keeps two clusters apart, and share of the
            variance of faint ones that one neuron does not explain.
        min_cluster_size: clusters that fall below this size give their spikes to others.
        is_corrected: whether the traces were corrected for motion. One neuron's spikes then scatter more than noise
            explains: how much of them interpolation keeps depends on the displacement.
        seed: of the choice of spikes that temporal shapes are made from.
        workers: who share the work.

    Returns:
        `(labels, shifts)`: `(num_spikes,)` int64 units from 0 without gaps, -1 for none; `(num_spikes,)` int64 samples
        to add to the spikes' times.
    """
    labels, shifts = np.array(labels, dtype="int64"), np.zeros(len(labels), dtype="int64")
    if labels.max(initial=-1) < 0:
        return labels, shifts
    cleaner = TemplateCleaner(waveforms, seed)
    known_fits, known_depths = {}, {}
    shapes = None if is_corrected else cleaner.shapes

    def fit_again(labels, shifts):
        templates = cleaner(*waveforms.average(labels, shifts, workers))
        fit = fit_templates(waveforms, templates, shifts, sampling_rate, workers, known_fits)
        return drop_small(fit.labels, min_cluster_size), fit.shifts

    labels, shifts = fit_again(labels, shifts)
    for _ in range(MAX_ROUNDS):
        num_clusters = labels.max(initial=-1) + 1
        if num_clusters < 2:
            break
        pairs, pair_shifts, depths = _test_pairs(
            labels, shifts, waveforms, shapes, sampling_rate, workers, known_depths
        )
        chosen = _least_separated(pairs, depths, min_valley, labels, times, sampling_rate)
        if len(chosen) == 0:
            break
        new_labels, unit_shifts = merge_pairs(num_clusters, pairs[chosen], pair_shifts[chosen])
        shifts = np.clip(shifts + np.where(labels >= 0, unit_shifts[labels], 0), -waveforms.margin, waveforms.margin)
        labels = np.where(labels >= 0, new_labels[labels], -1)
        labels, shifts = fit_again(labels, shifts)
        logger.info("merge: %d clusters -> %d", num_clusters, labels.max(initial=-1) + 1)
    for _ in range(NUM_FINAL_FITS):
        labels, shifts = fit_again(labels, shifts)
    return labels, shifts


def _least_separated(
    pairs: np.ndarray,
    depths: np.ndarray,
    min_valley: float,
    labels: np.ndarray,
    times: np.ndarray,
    sampling_rate: float,
) -> np.ndarray:
    """Indices of pairs to merge in one round, the least separated first; no cluster twice, no independent trains."""
    taken, chosen = set(), []
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(labels.max(initial=-1) + 2))
    trains = [times[order[start:stop]] for start, stop in zip(starts[:-1], starts[1:])]
    for pair in np.argsort(depths, kind="stable"):
        if depths[pair] >= min_valley:
            break
        first, second = pairs[pair]
        if {first, second} & taken:
            continue
        if fire_independently(trains[first], trains[second], sampling_rate):
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
    workers: Workers | None,
    known: dict,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far apart similar clusters are: `(num_pairs, 2)` clusters, `(num_pairs,)` shifts and depths.

    By the valley between their spikes and, where temporal shapes are given, by how widely these scatter; twice that
    where they differ much in size.
    """
    templates, counts = waveforms.average(labels, shifts, workers)
    max_shift = min(round(MAX_MISALIGNMENT_MS * 1e-3 * sampling_rate), waveforms.num_samples // 4)
    energies = np.square(templates).sum(axis=(1, 2))
    is_cut = (counts > 0).astype("float32")
    pairs = np.argwhere(np.triu(is_cut @ is_cut.T > 0, k=1))
    # Templates that are on each other's channels; others have nothing in common but noise.
    peak_channels, neighbors = np.ptp(templates, axis=1).argmax(axis=1), waveforms.channels
    first, second = peak_channels[pairs].T
    is_near = (neighbors[first] == second[:, None]).any(axis=1) | (neighbors[second] == first[:, None]).any(axis=1)
    pairs = pairs[is_near]
    distances, pair_shifts = distances_of_pairs(templates, pairs, max_shift)
    is_similar = (distances < MAX_RELATIVE_DISTANCE) | (distances * energies[pairs].max(axis=1) < MAX_DISTANCE)
    pairs, pair_shifts = pairs[is_similar], pair_shifts[is_similar]
    chosen = choose_spikes(labels, MAX_SPIKES_PER_TEST)

    # Few clusters change from round to round.
    of_unit = [(own.tobytes(), shifts[own].tobytes()) for own in chosen]

    def depth_of(pair):
        key = (*(of_unit[unit] for unit in pairs[pair]), pair_shifts[pair])
        if key not in known:
            known[key] = _depth(waveforms, [chosen[unit] for unit in pairs[pair]], shifts, pair_shifts[pair], shapes)
        return known[key]

    depths = np.array(list((workers or Workers()).map(depth_of, range(len(pairs)))), dtype="float64")
    of_pairs = energies[pairs]
    differ = of_pairs.min(axis=1) < np.square(MIN_RELATIVE_SIZE) * of_pairs.max(axis=1)
    return pairs, pair_shifts, np.where(differ, 2 * depths, depths)


def _depth(
    waveforms: SpikeWaveforms, spikes: list[np.ndarray], shifts: np.ndarray, shift: int, shapes: np.ndarray | None
) -> float:
    """Depth of the valley between the spikes of two clusters, or the unexplained share of their variance, if larger."""
    # A channel on which only some of the spikes are cut would separate the clusters by that alone.
    common, first, second = waveforms.common(*spikes)
    if len(common) == 0:
        return 1.0
    second_shifts = np.clip(shifts[second] + shift, -waveforms.margin, waveforms.margin)
    first = waveforms.aligned_on(first, shifts[first], common)
    second = waveforms.aligned_on(second, second_shifts, common)
    valley = _valley(first, second)
    return valley if shapes is None else max(valley, unexplained_share(first, second, shapes))


def _valley(first: np.ndarray, second: np.ndarray) -> float:
    """Depth of the valley between two sets of aligned spikes along the difference of their averages."""
    averages = first.mean(axis=0), second.mean(axis=0)
    difference = averages[1] - averages[0]
    standard_error = np.sqrt(1 / len(first) + 1 / len(second))
    # Noise in the many samples without a real difference would favour the mean that a spike is part of.
    direction = np.where(np.abs(difference) > NUM_STANDARD_ERRORS * standard_error, difference, 0)
    if not direction.any():
        return 0.0
    direction = without_time_shift(direction, averages[0] + averages[1])
    lines = [np.tensordot(part, direction, axes=([1, 2], [0, 1])) for part in (first, second)]
    return valley_depth_on_line(*lines)
