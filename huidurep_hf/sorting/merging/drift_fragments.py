"""Merge drift fragments: units that replace each other as the tissue moves.

Interpolation between contacts brings a drifting neuron back to its place, but not quite to its shape, so that it may
be split into fragments, each for a range of displacements. Two neurons fire at all displacements, side by side;
fragments of one do not.
"""

from __future__ import annotations

import logging

import numpy as np
from scipy.special import entr

from ...recording.motion.states import displacements_of
from ...recording.preprocessing.preparation import PreparedRecording
from ...workers import Workers
from ..parameters import SortingParameters
from ..spikes import Spikes
from ..templates.averages import average_templates
from .settings import DriftFragmentSettings
from .template_distance import merge_pairs, template_distances

logger = logging.getLogger("huidurep_hf")


def merge_drift_fragments(
    spikes: Spikes, whitened: PreparedRecording, parameters: SortingParameters, workers: Workers | None = None
) -> Spikes:
    """Merge clusters that replace each other as the tissue moves.

    Args:
        spikes: with `cluster` and `aligned_sample`.
        whitened: whitened recording with its motion.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        The table, fragments merged and brought to one alignment.
    """
    recording, clusters, samples = whitened.recording, spikes["cluster"], spikes["aligned_sample"]
    depths = whitened.positions[spikes["channel_index"], 1]
    displacements = displacements_of(whitened.motion, recording, spikes["segment_index"], samples, depths)
    templates = average_templates(clusters, samples, spikes, whitened, parameters.templates, parameters.seed, workers)
    rate, settings = recording.get_sampling_frequency(), parameters.drift_fragments
    merged, shifts = merge_fragments(clusters, displacements, templates, rate, settings)
    logger.info("learn: %d clusters, %d after drift fragments are merged", len(templates), merged.max(initial=-1) + 1)
    return spikes.with_columns(cluster=merged, aligned_sample=samples + shifts)


def merge_fragments(
    labels: np.ndarray,
    displacements: np.ndarray,
    templates: np.ndarray,
    sampling_rate: float,
    settings: DriftFragmentSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Merge units that occur at different displacements: of the clear pairs the most similar first, then the others.

    A fragment of one neuron and one of its neighbour replace each other as fully as two fragments of one neuron do.

    Args:
        labels: `(num_spikes,)` units from 0 without gaps, -1 for none.
        displacements: `(num_spikes,)` of the tissue at the time of each spike, µm.
        templates: `(num_units, num_samples, num_channels)` after correction of the motion, SDs of the noise.
        sampling_rate: Hz.
        settings: [`~huidurep_hf.sorting.merging.settings.DriftFragmentSettings`].

    Returns:
        `(labels, shifts)`: `(num_spikes,)` int64 from 0 without gaps, and `(num_spikes,)` int64 samples to add to the
        spikes' times for one alignment in each unit.
    """
    num_units = len(templates)
    is_of_unit = labels >= 0
    if num_units < 2 or not is_of_unit.any():
        return labels, np.zeros(len(labels), dtype="int64")
    distances, lags = template_distances(templates, round(settings.max_fragment_misalignment_ms * 1e-3 * sampling_rate))
    pairs = np.argwhere(np.triu(distances < settings.max_fragment_distance, k=1))
    num_bins = settings.num_displacement_bins
    edges = np.quantile(displacements[is_of_unit], np.linspace(0, 1, num_bins + 1)[1:-1])
    histograms = np.zeros((num_units, num_bins))
    np.add.at(histograms, (labels[is_of_unit], np.searchsorted(edges, displacements[is_of_unit])), 1)
    merged, linked = np.arange(num_units), []
    while True:
        pairs = pairs[merged[pairs[:, 0]] != merged[pairs[:, 1]]]
        if len(pairs) == 0:
            break
        shares = np.array(
            [explained_share(histograms[merged[first]], histograms[merged[second]]) for first, second in pairs]
        )
        sure = pairs[shares >= settings.sure_fragment_share]
        if len(sure):
            first, second = sure[distances[sure[:, 0], sure[:, 1]].argmin()]
        elif shares.max() >= settings.min_fragment_share:
            first, second = pairs[shares.argmax()]
        else:
            break
        linked.append((first, second))
        histograms[merged[first]] += histograms[merged[second]]
        merged[merged == merged[second]] = merged[first]
    linked = np.array(linked, dtype="int64").reshape(-1, 2)
    new_units, unit_shifts = merge_pairs(num_units, linked, lags[linked[:, 0], linked[:, 1]])
    return np.where(is_of_unit, new_units[labels], -1), np.where(is_of_unit, unit_shifts[labels], 0)


def explained_share(first: np.ndarray, second: np.ndarray) -> float:
    """Share of the entropy of the unit, of two, that the bin of a spike explains: 0 nothing, 1 all.

    Mutual information over the entropy of the unit, less the bias of few spikes (Miller 1955).

    Args:
        first, second: `(num_bins,)` spikes of each unit in each bin, neither empty.
    """
    both = np.stack([first, second])
    total, in_bin = both.sum(), both.sum(axis=0)
    entropy = entr(both.sum(axis=1) / total).sum()
    conditional_entropy = (in_bin * entr(both / np.maximum(in_bin, 1)).sum(axis=0)).sum() / total
    conditional_entropy += (np.count_nonzero(in_bin) - 1) / (2 * total)
    return max(float(entropy - conditional_entropy), 0.0) / entropy
