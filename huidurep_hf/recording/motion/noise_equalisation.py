"""Noise equalisation of traces corrected for motion by interpolation.

Between contacts the interpolated trace is an average of several, which takes noise away; at a contact it is that
contact's. So the noise of corrected traces follows the motion (on a Neuropixels 1.0 probe its SD falls to 0.86 of
itself at a displacement of one row), and one threshold for all times finds noise at some and misses spikes at others.
Here traces are scaled so that the noise is at all times what it was before the correction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

from ..preprocessing.noise_sample import SD_PER_MAD

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment
    from spikeinterface.core.motion import Motion

    from ..settings import NoiseEqualisationSettings


class NoiseEqualisedRecording(BasePreprocessor):
    """Drift-corrected traces, scaled so that the noise does not depend on the displacement.

    Args:
        recording: [`~huidurep_hf.recording.motion.interpolation.InterpolatedShanksRecording`].
        motion: SpikeInterface `Motion` that it is corrected for.
        noise_levels: `(num_channels,)` SD of the noise before the correction, in the unit of the traces.
        settings: [`~huidurep_hf.recording.settings.NoiseEqualisationSettings`].
        seed: of the choice of stretches on which the noise is measured.
    """

    def __init__(
        self,
        recording: BaseRecording,
        motion: Motion,
        noise_levels: np.ndarray,
        settings: NoiseEqualisationSettings,
        seed: int = 0,
    ):
        super().__init__(recording)
        depths = recording.get_channel_locations()[:, 1]
        displacements = [_of_bins(motion, segment, depths) for segment in range(motion.num_segments)]
        noise_share = noise_after_interpolation(recording, motion, displacements, noise_levels, settings, seed)
        for segment, parent in enumerate(recording.segments):
            # Interpolation takes the displacement of the nearest bin, and so does this.
            centers = np.asarray(motion.temporal_bins_s[segment])
            edges = 0.5 * (centers[1:] + centers[:-1])
            gains = (1 / noise_share(displacements[segment])).astype("float32")
            self.add_recording_segment(NoiseEqualisedSegment(parent, edges, gains))
        # A motion cannot be written as JSON.
        self._serializability["json"] = False
        self._kwargs = {
            "recording": recording,
            "motion": motion,
            "noise_levels": noise_levels,
            "settings": settings,
            "seed": seed,
        }


class NoiseEqualisedSegment(BasePreprocessorSegment):
    """A segment of [`NoiseEqualisedRecording`].

    Args:
        parent_recording_segment: segment of the corrected recording.
        edges: `(num_bins - 1,)` s, where the next bin of the motion begins.
        gains: `(num_bins, num_channels)` by which traces are scaled in each.
    """

    def __init__(self, parent_recording_segment: BaseRecordingSegment, edges: np.ndarray, gains: np.ndarray):
        super().__init__(parent_recording_segment)
        self.edges, self.gains = edges, gains

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return scaled traces, `(num_samples, num_channels)`."""
        traces = self.parent_recording_segment.get_traces(start_frame, end_frame, channel_indices)
        channels = slice(None) if channel_indices is None else channel_indices
        times = self.parent_recording_segment.sample_index_to_time(np.arange(start_frame, start_frame + len(traces)))
        bins = np.searchsorted(self.edges, times)
        return traces * self.gains[:, channels][bins]


def noise_after_interpolation(
    recording: BaseRecording,
    motion: Motion,
    displacements: list[np.ndarray],
    noise_levels: np.ndarray,
    settings: NoiseEqualisationSettings,
    seed: int,
) -> Callable[[np.ndarray], np.ndarray]:
    """Measure the share of the SD of the noise that interpolation leaves, as a function of the displacement.

    Args:
        recording: corrected recording.
        motion: SpikeInterface `Motion`.
        displacements: of each segment, `(num_bins, num_channels)` µm.
        noise_levels: `(num_channels,)` SD of the noise before the correction, in the unit of the traces.
        settings: bins of the displacement, and the stretches.
        seed: of the choice of stretches.

    Returns:
        Function from displacements (µm, any shape) to shares of the SD, of the same shape.
    """
    rate = recording.get_sampling_frequency()
    num_samples = max(round(settings.equalisation_stretch_ms * 1e-3 * rate), 1)
    stretches = [(segment, bin_) for segment, some in enumerate(displacements) for bin_ in range(len(some))]
    order = np.random.default_rng(seed).permutation(len(stretches))[: settings.max_equalisation_stretches]
    places, shares = [], []
    for segment, bin_ in (stretches[index] for index in np.sort(order)):
        middle = recording.time_to_sample_index(motion.temporal_bins_s[segment][bin_], segment_index=segment)
        last = recording.get_num_samples(segment) - num_samples
        start = int(np.clip(middle - num_samples // 2, 0, max(last, 0)))
        traces = recording.get_traces(segment_index=segment, start_frame=start, end_frame=start + num_samples)
        deviations = SD_PER_MAD * np.median(np.abs(traces), axis=0)
        places.append(displacements[segment][bin_])
        shares.append(deviations / np.maximum(noise_levels, 1e-12))
    bin_um = settings.equalisation_bin_um
    bins = np.round(np.concatenate(places) / bin_um).astype("int64")
    shares = np.concatenate(shares)
    known = np.unique(bins)
    # Most of the time most channels have no spike; the median over many leaves what all of them share.
    medians = np.array([np.median(shares[bins == one]) for one in known])
    medians = np.where(medians > 0, medians, 1.0)
    return lambda values: np.interp(values, known * bin_um, medians)


def _of_bins(motion: Motion, segment: int, depths: np.ndarray) -> np.ndarray:
    """Displacement of every channel in every bin of the motion, `(num_bins, num_channels)` µm."""
    times = np.asarray(motion.temporal_bins_s[segment])
    return np.stack(
        [motion.get_displacement_at_time_and_depth(times, np.full(len(times), depth), segment) for depth in depths],
        axis=1,
    )
