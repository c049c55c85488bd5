"""Distinguish units from noise that passes the threshold of a template.

A template that is an average of a few threshold crossings of noise finds more of them when it is matched with the
whole recording, thousands at times. They lie just above the threshold, as the tail of noise does, and the spikes of a
neuron do not.
"""

import numpy as np

from ..parameters import SortingParameters
from ..spikes import Spikes
from ..templates.unit_templates import UnitTemplates


def is_noise_unit(matched: Spikes, templates: UnitTemplates, parameters: SortingParameters) -> np.ndarray:
    """Find the units whose matched spikes do not exceed those that noise gives.

    The gain of an unscaled template is 2 * norm * projection - norm^2, so a spike's projection exceeds the least that
    is accepted by (gain - min_gain) / (2 * norm).

    Args:
        matched: spikes with `unit_index` and `gain`, as [`~huidurep_hf.sorting.matching.engine.Matcher`] gives them.
        templates: with which they were found.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        `(num_units,)` bool; True for a unit without spikes.
    """
    rejection = parameters.rejection
    limit = rejection.min_excess_under_drift if templates.drift else rejection.min_excess
    units = matched["unit_index"]
    norms = templates.norms[templates.states_of(matched), units]
    excess = (matched["gain"] - parameters.matching.min_gain) / (2 * np.maximum(norms, 1e-9))
    order = np.argsort(units, kind="stable")
    starts = np.searchsorted(units[order], np.arange(len(templates) + 1))
    medians = [np.median(excess[order[a:b]]) if b > a else -np.inf for a, b in zip(starts[:-1], starts[1:])]
    return np.array(medians, dtype="float64") <= limit
