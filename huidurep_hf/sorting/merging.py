"""Join clusters that are one unit: their spikes leave no valley between them."""

import logging

import numpy as np

from ..clustering.merging import directions_between, join_pairs, template_distances
from ..clustering.separation import valley_depth_on_line
from ..recording.neighborhood import Neighborhoods
from ..recording.waveforms import iterate_waveforms
from .templates import MAX_SPIKES_PER_TEMPLATE, average_templates, template_window

logger = logging.getLogger("huidurep_hf")

# Templates that differ by more of their energy than this are two units, whatever lies between them.
MAX_TEMPLATE_DISTANCE = 0.5
MAX_MISALIGNMENT_MS = 0.3
MAX_SPIKES_PER_TEST = 300
MAX_ROUNDS = 3
BATCH_BYTES = 2**25


def merge_clusters(labels, peaks, prepared, parameters):
    """Join clusters of one unit, seen from two channels or split too far, and bring their spikes to one alignment.

    Spikes are looked at where two templates differ; clusters are joined if that shows one hump. A neuron between two
    contacts is one hump cut in two by the choice of the peak channel; two neurons are two.

    Args:
        labels: `(num_spikes,)` from 0 without gaps, -1 for outliers.
        peaks: structured array of the same spikes.
        prepared: [`~huidurep_hf.recording.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `(labels, samples)`: `(num_spikes,)` int64 labels without gaps; `(num_spikes,)` int64 times in samples.
    """
    samples = peaks["sample_index"].astype("int64")
    for _ in range(MAX_ROUNDS):
        num_units = labels.max(initial=-1) + 1
        if num_units < 2:
            break
        pairs, shifts, depths = _test_pairs(labels, samples, peaks, prepared, parameters.seed)
        surest = np.argsort(depths, kind="stable")
        surest = surest[depths[surest] < parameters.min_valley]
        if len(surest) == 0:
            break
        new_units, unit_shifts = join_pairs(num_units, pairs[surest], shifts[surest])
        samples = samples + np.where(labels >= 0, unit_shifts[labels], 0)
        labels = np.where(labels >= 0, new_units[labels], -1)
        logger.info("merge: %d clusters -> %d", num_units, new_units.max() + 1)
    if len(labels) == 0:
        return labels, samples
    num_samples = np.array([prepared.recording.get_num_samples(i) for i in range(len(prepared.segment_indices))])
    return labels, np.clip(samples, 0, num_samples[peaks["segment_index"]] - 1)


def _test_pairs(labels, samples, peaks, prepared, seed):
    """Valley depth of each pair of similar units: `(num_pairs, 2)` units, `(num_pairs,)` shifts and depths."""
    templates = average_templates(labels, samples, peaks, prepared, seed)
    max_shift = int(MAX_MISALIGNMENT_MS * prepared.recording.get_sampling_frequency() / 1000)
    distances, shifts = template_distances(templates, max_shift)
    pairs = np.argwhere(np.triu(distances < MAX_TEMPLATE_DISTANCE, k=1))
    shifts = shifts[pairs[:, 0], pairs[:, 1]]
    num_spikes = np.minimum(np.bincount(labels[labels >= 0]), MAX_SPIKES_PER_TEMPLATE)
    directions = directions_between(templates, num_spikes, pairs, shifts)
    lines = {pair: ([], []) for pair in range(len(pairs))}
    sides_of_unit = {}
    for pair, units in enumerate(pairs):
        for side, unit in enumerate(units):
            sides_of_unit.setdefault(int(unit), []).append((pair, side))
    for unit, waveforms in _waveforms_of_units(sorted(sides_of_unit), labels, samples, peaks, prepared, seed):
        for pair, side in sides_of_unit[unit]:
            lines[pair][side].append(np.einsum("nsc,sc->n", waveforms, directions[pair, side], optimize=True))
    depths = np.array([valley_depth_on_line(*map(np.concatenate, lines[pair])) for pair in lines])
    return pairs, shifts, depths


def _waveforms_of_units(units, labels, samples, peaks, prepared, seed):
    """Yield `(unit, waveforms)` on all channels, noise units, for at most `MAX_SPIKES_PER_TEST` spikes of each unit."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(labels == unit))[:MAX_SPIKES_PER_TEST] for unit in units]
    if not chosen:
        return
    chosen = np.concatenate(chosen)
    chosen = chosen[np.lexsort((samples[chosen], peaks["segment_index"][chosen]))]
    spikes = peaks[chosen].copy()
    spikes["sample_index"] = samples[chosen]
    num_before, num_after = template_window(prepared.recording.get_sampling_frequency())
    num_channels = len(prepared.noise_levels)
    everywhere = Neighborhoods(
        channel_indices=np.tile(np.arange(num_channels), (num_channels, 1)),
        positions=np.zeros((num_channels, num_channels, 2), dtype="float32"),
        mask=np.ones((num_channels, num_channels), dtype=bool),
    )
    batches = iterate_waveforms(
        prepared.recording,
        spikes,
        everywhere,
        prepared.noise_levels,
        num_before=num_before,
        num_after=num_after,
        batch_size=max(BATCH_BYTES // (4 * num_channels * (num_before + num_after)), 1),
    )
    for batch in batches:
        units_of_batch = labels[chosen[batch.first : batch.first + len(batch.waveforms)]]
        waveforms = batch.waveforms / prepared.noise_levels
        for unit in np.unique(units_of_batch):
            yield int(unit), waveforms[units_of_batch == unit]
