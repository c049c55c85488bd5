"""Templates of units in drifting tissue, for each of its states, in traces as they were recorded.

Traces corrected for drift by interpolation between contacts lose a part of every spike that lies between contacts, and
most of the spikes of the closest neurons. So the traces as recorded are matched, by templates that drift. What a
unit shows on a contact depends on where the contact is as seen from the unit: on contacts of a drifting probe the unit
is sampled far more densely than by the contacts at rest. All of its spikes are samples of this one field, which a
Gaussian process estimates, together with the error of each template (Rasmussen & Williams 2006, sections 2.2 and 5.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ...recording.motion.states import MotionStates, displacements_of
from ...recording.spikes.neighborhood import find_neighborhoods
from ...recording.spikes.waveforms import iterate_waveforms
from ...workers import Workers
from ..parameters import SortingParameters
from .averages import template_window
from .settings import DriftingTemplateSettings
from .spike_waveforms import choose_spikes
from .unit_templates import UnitTemplates

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording
    from ...recording.spikes.neighborhood import Neighborhoods
    from ...recording.spikes.waveforms import WaveformBatch
    from ..spikes import Spikes


# Grid of length scales of the covariance; the one of the largest marginal likelihood is taken for each unit.
SCALES_UM = (8.0, 12.0, 18.0, 27.0, 40.0)
# Keeps the covariance of a unit that shows nothing positive.
MIN_VARIANCE = 1e-3


def drifting_templates(
    labels: np.ndarray,
    samples: np.ndarray,
    events: Spikes,
    whitened: PreparedRecording,
    states: MotionStates,
    channels_at_rest: np.ndarray,
    parameters: SortingParameters,
    workers: Workers | None = None,
) -> UnitTemplates:
    """Find what each unit looks like in each state of the tissue.

    Args:
        labels: `(num_spikes,)` units from 0 without gaps, -1 for none.
        samples: `(num_spikes,)` times in samples; one alignment in each unit.
        events: table of the same spikes, with `segment_index` and `channel_index` (the channel at rest).
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`] with its motion and
            the uncorrected recording.
        states: [`~huidurep_hf.recording.motion.states.MotionStates`].
        channels_at_rest: `(num_units,)` peak channel of each unit in corrected traces.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the units.

    Returns:
        [`~huidurep_hf.sorting.templates.unit_templates.UnitTemplates`].
    """
    settings, num_units = parameters.templates_under_drift, labels.max(initial=-1) + 1
    window = template_window(parameters.templates, whitened.recording.get_sampling_frequency())
    spikes = np.sort(np.concatenate([[], *choose_spikes(labels, settings.max_spikes_per_field)])).astype("int64")
    spikes = spikes[np.lexsort((samples[spikes], events["segment_index"][spikes]))]
    displacements, depths = _displacements(labels, samples, events, spikes, whitened)
    channels = _nearest_channels(whitened, events["channel_index"][spikes], displacements)
    placed = events[spikes].with_columns(sample_index=samples[spikes], channel_index=channels)
    neighborhoods = find_neighborhoods(whitened.positions, whitened.shanks, parameters.templates.num_template_channels)
    shapes = _temporal_shapes(placed, whitened.uncorrected, window, settings, parameters.seed)
    bin_um = settings.displacement_bin_um
    if len(displacements):
        bin_um = max(bin_um, np.ptp(displacements) / settings.max_displacement_bins)
    bins = np.round(displacements / bin_um).astype("int64")
    first_bin = bins.min(initial=0)
    averages, counts = _average_scores(
        placed, labels[spikes], bins - first_bin, num_units, shapes, whitened.uncorrected, neighborhoods, window
    )
    num_local = neighborhoods.channel_indices.shape[1]
    waveforms = np.zeros((len(states), num_units, sum(window), num_local), dtype="float32")
    min_peak_to_peak = parameters.templates.min_template_peak_to_peak
    local_channels = np.full((len(states), num_units, num_local), -1)

    def find_unit(unit: int) -> None:
        at, channel = np.nonzero(counts[unit])
        if len(at) == 0:
            return
        seen_from = whitened.positions[channel] - _along((at + first_bin) * bin_um)
        field = Field(seen_from, averages[unit, at, channel], 1 / counts[unit, at, channel])
        # Most spikes of a unit are detected on its peak channel at rest.
        rest = np.bincount(events["channel_index"][spikes[labels[spikes] == unit]]).argmax()
        displacements = states.displacements_at(depths[unit])
        here = _nearest_channels(whitened, np.full(len(states), rest), displacements)
        for state, displacement in enumerate(displacements):
            near = neighborhoods.channel_indices[here[state]][neighborhoods.mask[here[state]]]
            scores, variances = field.at(whitened.positions[near] - _along([displacement]))
            visible = _visible(scores, variances, shapes, settings.num_field_deviations, min_peak_to_peak)
            is_seen = visible.any(axis=0)
            waveforms[state, unit][:, : is_seen.sum()] = visible[:, is_seen]
            local_channels[state, unit, : is_seen.sum()] = near[is_seen]

    for _ in (workers or Workers()).map(find_unit, range(num_units)):
        pass
    return UnitTemplates(waveforms, local_channels, len(whitened.positions), window[0], channels_at_rest, states)


class Field:
    """A unit's scores as a smooth function of the place from which it is seen: a Gaussian process.

    Args:
        places: `(num_points, 2)` µm.
        scores: `(num_points, num_shapes)` averages measured there.
        variances: `(num_points,)` of their noise.
    """

    def __init__(self, places: np.ndarray, scores: np.ndarray, variances: np.ndarray):
        from scipy.linalg import cho_factor, cho_solve

        self.places = places
        self.prior = max(float(np.maximum(np.square(scores).mean(axis=1) - variances, 0).mean()), MIN_VARIANCE)
        best = -np.inf
        for scale in SCALES_UM:
            factor = cho_factor(self._covariance(places, places, scale) + np.diag(variances), lower=True)
            weights = cho_solve(factor, scores)
            log_determinant = 2 * np.log(np.diag(factor[0])).sum()
            log_likelihood = -0.5 * ((scores * weights).sum() + scores.shape[1] * log_determinant)
            if log_likelihood > best:
                best, self.scale, self.factor, self.weights = log_likelihood, scale, factor, weights

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return scores `(num_places, num_shapes)` and their variances `(num_places,)` at some places."""
        from scipy.linalg import cho_solve

        covariance = self._covariance(places, self.places, self.scale)
        explained = (covariance * cho_solve(self.factor, covariance.T).T).sum(axis=1)
        return covariance @ self.weights, np.maximum(self.prior - explained, 0)

    def _covariance(self, first: np.ndarray, second: np.ndarray, scale: float) -> np.ndarray:
        distances = np.square(first[:, None] - second[None]).sum(axis=2)
        return self.prior * np.exp(-0.5 * distances / scale**2)


def _displacements(
    labels: np.ndarray, samples: np.ndarray, events: Spikes, spikes: np.ndarray, whitened: PreparedRecording
) -> tuple[np.ndarray, np.ndarray]:
    """Displacement at each of some spikes `(num_spikes,)`, and the depth at rest of each unit `(num_units,)`, µm."""
    depths_of_spikes = whitened.positions[events["channel_index"][spikes], 1].astype("float64")
    counts = np.maximum(np.bincount(labels[spikes]), 1)
    depths = np.bincount(labels[spikes], weights=depths_of_spikes) / counts
    segments, own_depths = events["segment_index"][spikes], depths[labels[spikes]]
    return displacements_of(whitened.motion, whitened.recording, segments, samples[spikes], own_depths), depths


def _along(displacements: np.ndarray) -> np.ndarray:
    """Vectors along the probe, `(num_displacements, 2)`."""
    return np.stack([np.zeros(len(displacements)), np.asarray(displacements, dtype="float64")], axis=1)


def _nearest_channels(whitened: PreparedRecording, channels: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """The channel of the same shank nearest to each displaced channel, `(num_spikes,)` int64."""
    from scipy.spatial import cKDTree

    displaced = whitened.positions[channels] + _along(displacements)
    nearest = np.zeros(len(channels), dtype="int64")
    for shank in np.unique(whitened.shanks[channels]):
        own, on_shank = whitened.shanks[channels] == shank, np.flatnonzero(whitened.shanks == shank)
        nearest[own] = on_shank[cKDTree(whitened.positions[on_shank]).query(displaced[own])[1]]
    return nearest


def _temporal_shapes(
    spikes: Spikes,
    uncorrected: PreparedRecording,
    window: tuple[int, int],
    settings: DriftingTemplateSettings,
    seed: int,
) -> np.ndarray:
    """Singular vectors of waveforms on their peak channels, `(num_shapes, num_samples)`."""
    own_channel = find_neighborhoods(uncorrected.positions, uncorrected.shanks, 1)
    some = np.sort(np.random.default_rng(seed).permutation(len(spikes))[: settings.num_spikes_for_field_shapes])
    waveforms = np.concatenate(
        [batch.waveforms[:, :, 0] for batch in _cut(spikes[some], uncorrected, own_channel, window)]
    )
    return np.linalg.svd(waveforms, full_matrices=False)[2][: settings.num_field_shapes]


def _average_scores(
    spikes: Spikes,
    units: np.ndarray,
    bins: np.ndarray,
    num_units: int,
    shapes: np.ndarray,
    uncorrected: PreparedRecording,
    neighborhoods: Neighborhoods,
    window: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Scores averaged over spikes of a unit and bin, on each channel, and how many spikes there are.

    `(num_units, num_bins, num_channels, num_shapes)` and `(num_units, num_bins, num_channels)`.
    """
    counts = np.zeros((num_units, bins.max(initial=0) + 1, len(uncorrected.positions)), dtype="int64")
    sums = np.zeros((*counts.shape, len(shapes)), dtype="float32")
    for batch in _cut(spikes, uncorrected, neighborhoods, window):
        own = slice(batch.first, batch.first + len(batch.waveforms))
        scores = np.einsum("nsc,rs->ncr", batch.waveforms, shapes, optimize=True)
        row, place = np.nonzero(batch.mask)
        channels = neighborhoods.channel_indices[spikes["channel_index"][own]][row, place]
        target = (units[own][row], bins[own][row], channels)
        np.add.at(sums, target, scores[row, place])
        np.add.at(counts, target, 1)
    return sums / np.maximum(counts, 1)[..., None], counts


def _cut(
    spikes: Spikes, uncorrected: PreparedRecording, neighborhoods: Neighborhoods, window: tuple[int, int]
) -> Iterator[WaveformBatch]:
    num_before, num_after = window
    return iterate_waveforms(
        uncorrected.recording,
        spikes,
        neighborhoods,
        uncorrected.noise_levels,
        num_before=num_before,
        num_after=num_after,
    )


def _visible(
    scores: np.ndarray, variances: np.ndarray, shapes: np.ndarray, num_deviations: float, min_peak_to_peak: float
) -> np.ndarray:
    """Waveforms `(num_samples, num_channels)` of scores, 0 on channels where they do not exceed their error."""
    num_shapes = len(shapes)
    energies = np.square(scores).sum(axis=1)
    waveforms = scores @ shapes
    is_kept = energies > (num_shapes + num_deviations * np.sqrt(2 * num_shapes)) * variances
    is_kept &= np.ptp(waveforms, axis=1) > min_peak_to_peak
    is_kept[energies.argmax()] = True
    return (waveforms * is_kept[:, None]).T
