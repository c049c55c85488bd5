"""Dissolve clusters that are no neurons, before there are templates to match."""

from __future__ import annotations

import logging

import numpy as np

from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.spikes.neighborhood import find_neighborhoods
from ...workers import Workers
from ..clustering.gaussian_labels import drop_small
from ..parameters import SortingParameters
from ..spikes import Spikes
from ..templates.averages import average_templates
from ..templates.find_templates import visible_part
from .collisions import find_collisions
from .secondary_peaks import find_secondary_peaks

logger = logging.getLogger("huidurep_hf")


def reject_clusters(
    spikes: Spikes, whitened: PreparedRecording, parameters: SortingParameters, workers: Workers | None = None
) -> Spikes:
    """Dissolve clusters of secondary peaks, and of collisions of those that stay.

    Args:
        spikes: in order, with `cluster` and `aligned_sample`.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        The table, `cluster` -1 where it was no neuron, and numbered anew.
    """
    settings, clusters, samples = parameters.templates, spikes["cluster"], spikes["aligned_sample"]
    neighborhoods = find_neighborhoods(whitened.positions, whitened.shanks, settings.num_template_channels)
    templates = average_templates(clusters, samples, spikes, whitened, settings, parameters.seed, workers)
    counts = np.bincount(clusters[clusters >= 0], minlength=len(templates))
    visible = visible_part(templates, counts, neighborhoods, settings)
    is_secondary = find_secondary_peaks(spikes, visible, whitened, parameters)
    logger.info("learn: %d of %d clusters are secondary peaks of others", is_secondary.sum(), len(visible))
    spikes, visible = _without(spikes, is_secondary), visible[~is_secondary]
    is_collision = find_collisions(spikes, visible, neighborhoods, whitened, parameters, workers)
    logger.info("learn: %d of %d clusters are collisions of others", is_collision.sum(), len(visible))
    return _without(spikes, is_collision)


def _without(spikes: Spikes, is_false: np.ndarray) -> Spikes:
    clusters = np.where(np.append(is_false, True)[spikes["cluster"]], -1, spikes["cluster"])
    return spikes.with_columns(cluster=drop_small(clusters, 1))
