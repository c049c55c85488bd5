"""Merge units that are one neuron, by the spikes that matching has found.

Where clusters were merged, half of a unit's spikes were missing and some were another's. Now that all are there, two
similar units are merged on any of four grounds: they keep each other's refractory period, as two neurons do not; one is
the later, smaller spikes of the other's bursts; under drift they replace each other; or there is no valley between them
in the traces as recorded.
"""

from __future__ import annotations

import logging

import numpy as np

from ...recording.chunks import on_one_time_line
from ...recording.preprocessing.preparation import PreparedRecording
from ..parameters import SortingParameters
from ..spikes import Spikes
from ..templates.spike_waveforms import choose_spikes
from ..templates.unit_templates import UnitTemplates
from .burst_parts import continue_bursts
from .drift_exclusivity import count_in_states, replace_each_other
from .refractoriness import fire_as_one, fire_independently
from .template_distance import distances_over_states, merge_pairs
from .valley_under_drift import valley_under_drift

logger = logging.getLogger("huidurep_hf")


def merge_units(
    matched: Spikes, templates: UnitTemplates, recorded: PreparedRecording, parameters: SortingParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Find which templates are of one neuron: similar ones that fire as one, or that only drift has split.

    Args:
        matched: spikes in order with `unit_index`, as [`~huidurep_hf.sorting.matching.engine.Matcher`] gives them.
        templates: with which they were found.
        recorded: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], as recorded.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `(unit_of_template, shift_of_template)`: `(num_templates,)` int64 units from 0 without gaps, and samples to add
        to the times of each template's spikes, so that those of one unit have one alignment.
    """
    num_templates = len(templates)
    if num_templates < 2:
        return np.arange(num_templates), np.zeros(num_templates, dtype="int64")
    settings, rate = parameters.unit_merging, recorded.recording.get_sampling_frequency()
    shares = templates.states.shares()
    weighted = ((share, templates.waveforms_of(state)) for state, share in enumerate(shares) if share > 0)
    distances, lags = distances_over_states(weighted, round(settings.max_unit_misalignment_ms * 1e-3 * rate))
    units = matched["unit_index"]
    has_spikes = np.bincount(units, minlength=num_templates) > 0
    is_near = (distances < settings.max_unit_distance) & has_spikes[:, None] & has_spikes[None, :]
    pairs = np.argwhere(np.triu(is_near, k=1))
    pairs = pairs[np.argsort(distances[pairs[:, 0], pairs[:, 1]], kind="stable")]
    spikes = choose_spikes(units, parameters.max_spikes_per_test, num_templates)
    times = on_one_time_line(matched["sample_index"], matched["segment_index"], recorded.recording)
    if templates.drift:
        counts = count_in_states(matched, units, num_templates, templates.states, parameters.drift_merging)
    trains = [np.sort(times[units == unit]) for unit in range(num_templates)]
    energies = shares @ np.square(templates.norms)
    largest = np.maximum(energies[:, None], energies[None, :])
    products = np.sqrt(np.maximum(energies[:, None] * energies[None, :], 1e-9))
    cosines = (energies[:, None] + energies[None, :] - distances * largest) / (2 * products)

    def are_one(first: int, second: int) -> bool:
        distance, lag = distances[first, second], lags[first, second]
        trains_of_pair = trains[first], trains[second] + lag
        if fire_independently(*trains_of_pair, rate, parameters.refractory):
            return False
        larger, smaller = sorted((0, 1), key=lambda i: -energies[(first, second)[i]])
        pair = trains_of_pair[larger], trains_of_pair[smaller]
        if continue_bursts(*pair, cosines[first, second], rate, parameters.bursts, settings):
            return True
        is_alike = distance < settings.max_unit_distance_by_times
        if is_alike and fire_as_one(*trains_of_pair, rate, parameters.refractory):
            return True
        if not templates.drift:
            return False
        if replace_each_other(counts[first], counts[second], distance, parameters.drift_merging):
            return True
        depth = valley_under_drift(first, second, lag, spikes, matched, templates, recorded, parameters)
        return depth < parameters.min_valley

    is_one = np.zeros(distances.shape, dtype=bool)
    for first, second in pairs:
        is_one[first, second] = is_one[second, first] = are_one(first, second)
    linked = link_pairs(pairs, is_one)
    logger.info("learn: %d of %d templates are merged with others", len(linked), num_templates)
    return merge_pairs(num_templates, linked, lags[linked[:, 0], linked[:, 1]])


def link_pairs(pairs: np.ndarray, is_one: np.ndarray) -> np.ndarray:
    """Choose pairs to merge, so that in a group of merged units each two are one.

    Args:
        pairs: `(num_pairs, 2)` units, the most alike first.
        is_one: `(num_units, num_units)` bool, symmetric.

    Returns:
        `(num_linked, 2)` int64 of the pairs.
    """
    group_of = [{unit} for unit in range(len(is_one))]
    linked = []
    for first, second in pairs:
        one, other = group_of[first], group_of[second]
        if one is not other and is_one[np.ix_(list(one), list(other))].all():
            linked.append((first, second))
            for unit in one | other:
                group_of[unit] = one
            one |= other
    return np.array(linked, dtype="int64").reshape(-1, 2)
