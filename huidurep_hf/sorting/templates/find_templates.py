"""From spikes to templates for template matching."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...recording.motion.states import MotionStates
from ...recording.preprocessing.whitening import WhitenedTraces
from ...recording.spikes.neighborhood import find_neighborhoods
from ...workers import Workers
from ..parameters import SortingParameters
from .averages import average_templates, template_window
from .drifting import drifting_templates
from .settings import TemplateSettings
from .shrinkage import without_noise
from .unit_templates import UnitTemplates

if TYPE_CHECKING:
    from ...recording.spikes.neighborhood import Neighborhoods
    from ..spikes import Spikes


def find_templates(
    labels: np.ndarray,
    samples: np.ndarray,
    spikes: Spikes,
    whitened: WhitenedTraces,
    parameters: SortingParameters,
    workers: Workers | None = None,
) -> UnitTemplates:
    """Average the spikes of each unit and take noise out; under drift, for each state of the tissue.

    Args:
        labels: `(num_spikes,)` units from 0 without gaps, -1 for none.
        samples: `(num_spikes,)` times in samples; one alignment in each unit.
        spikes: table of the same spikes.
        whitened: [`~huidurep_hf.recording.preprocessing.whitening.WhitenedTraces`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the blocks.

    Returns:
        [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`] for the traces as recorded.
    """
    settings, seed = parameters.templates, parameters.seed
    window = template_window(settings, whitened.recording.get_sampling_frequency())
    templates = average_templates(labels, samples, spikes, whitened, settings, seed, workers)
    counts = np.bincount(labels[labels >= 0], minlength=len(templates))
    num_averaged = np.minimum(counts, settings.max_spikes_per_template)
    templates = without_noise(templates, num_averaged, whitened.sample_sd, settings)
    neighborhoods = find_neighborhoods(whitened.positions, whitened.shanks, settings.num_template_channels)
    visible = visible_part(templates, counts, neighborhoods, settings)
    at_rest = UnitTemplates.at_rest(visible, window[0], whitened.recording)
    if not whitened.templates_drift:
        return at_rest
    states = MotionStates.of_motion(whitened.motion, whitened.recording, parameters.motion_states, seed)
    return drifting_templates(labels, samples, spikes, whitened, states, at_rest.channels, parameters, workers)


def visible_part(
    templates: np.ndarray, counts: np.ndarray, neighborhoods: Neighborhoods, settings: TemplateSettings
) -> np.ndarray:
    """Templates without the channels on which a unit does not exceed the noise.

    Args:
        templates: `(num_units, num_samples, num_channels)` averages, SDs of the noise.
        counts: `(num_units,)` spikes that each was averaged from.
        neighborhoods: [`~huidurep_hf.recording.spikes.neighborhood.Neighborhoods`]: how far from its peak channel a
            unit can be seen.
        settings: [`~huidurep_hf.sorting.templates.settings.TemplateSettings`].

    Returns:
        The same with 0 on other channels; the peak channel stays.
    """
    peak_to_peak = np.ptp(templates, axis=1)
    of_noise = settings.min_template_deviations / np.sqrt(np.maximum(counts, 1))
    limit = np.maximum(settings.min_template_peak_to_peak, of_noise)
    is_kept = np.zeros(peak_to_peak.shape, dtype=bool)
    for unit, channel in enumerate(peak_to_peak.argmax(axis=1)):
        near = neighborhoods.channel_indices[channel][neighborhoods.mask[channel]]
        is_kept[unit, near] = peak_to_peak[unit, near] > limit[unit]
        is_kept[unit, channel] = True
    return np.where(is_kept[:, None, :], templates, 0).astype("float32")
