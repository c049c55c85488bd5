"""States of the tissue: stretches of a recording during which its displacement stays within a few µm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording
    from spikeinterface.core.motion import Motion

    from ..settings import MotionStateSettings


@dataclass(frozen=True)
class MotionStates:
    """States of the tissue, and the times of each.

    Attributes:
        displacements_um: `(num_states, num_depths)` from rest, µm along the probe.
        depths_um: `(num_depths,)` where on the probe, ascending.
        starts: for each segment `(num_spans,)` int64 first sample of each span, ascending, the first 0.
        state_of_span: for each segment `(num_spans,)` int64.
        num_samples: of each segment.
    """

    displacements_um: np.ndarray
    depths_um: np.ndarray
    starts: list
    state_of_span: list
    num_samples: list

    @classmethod
    def at_rest(cls, recording: BaseRecording) -> MotionStates:
        """One state: a SpikeInterface recording of tissue that does not move."""
        num_segments = recording.get_num_segments()
        zero = [np.zeros(1, dtype="int64") for _ in range(num_segments)]
        num_samples = [recording.get_num_samples(segment) for segment in range(num_segments)]
        return cls(np.zeros((1, 1)), np.zeros(1), zero, zero, num_samples)

    @classmethod
    def of_motion(
        cls, motion: Motion, recording: BaseRecording, settings: MotionStateSettings, seed: int = 0
    ) -> MotionStates:
        """Group the bins of a motion by like displacements.

        Args:
            motion: SpikeInterface `Motion`.
            recording: the recording of which the motion is.
            settings: [`~huidurep_hf.recording.settings.MotionStateSettings`].
            seed: of k-means, by which they are grouped.
        """
        bins = np.concatenate([np.asarray(one) for one in motion.displacement])
        displacements, states = _group(bins, settings, seed)
        starts, state_of_span, num_samples, first = [], [], [], 0
        for segment, centers in enumerate(motion.temporal_bins_s):
            own = states[first : first + len(centers)]
            first += len(centers)
            # Up to half-way to the next bin, as interpolation has it.
            begins = np.flatnonzero(np.diff(own)) + 1
            times = 0.5 * (np.asarray(centers)[begins - 1] + np.asarray(centers)[begins])
            samples = recording.time_to_sample_index(times, segment_index=segment) if len(times) else []
            starts.append(np.concatenate([[0], samples]).astype("int64"))
            state_of_span.append(own[np.concatenate([[0], begins]).astype("int64")])
            num_samples.append(recording.get_num_samples(segment))
        depths = np.asarray(motion.spatial_bins_um, dtype="float64")
        return cls(displacements, depths, starts, state_of_span, num_samples)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name, from which [`from_arrays`] makes the same again."""
        spans = [len(starts) for starts in self.starts]
        return {
            "displacements_um": self.displacements_um,
            "depths_um": self.depths_um,
            "spans_of_segment": np.array(spans, dtype="int64"),
            "starts": np.concatenate(self.starts),
            "state_of_span": np.concatenate(self.state_of_span),
            "num_samples": np.array(self.num_samples, dtype="int64"),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> MotionStates:
        """Make states from [`to_arrays`]."""
        ends = np.cumsum(arrays["spans_of_segment"])[:-1]
        return cls(
            arrays["displacements_um"],
            arrays["depths_um"],
            np.split(arrays["starts"], ends),
            np.split(arrays["state_of_span"], ends),
            arrays["num_samples"].tolist(),
        )

    def __len__(self) -> int:
        return len(self.displacements_um)

    def at(self, segments: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """State at each of some samples.

        Args:
            segments, samples: `(num_spikes,)`.

        Returns:
            `(num_spikes,)` int64.
        """
        states = np.zeros(len(samples), dtype="int64")
        for segment in np.unique(segments):
            inside = np.flatnonzero(segments == segment)
            spans = np.searchsorted(self.starts[segment], samples[inside], side="right") - 1
            states[inside] = self.state_of_span[segment][np.maximum(spans, 0)]
        return states

    def elapsed_at(self, segments: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """State at each of some samples, and how much of the time spent in it has passed by then.

        Args:
            segments, samples: `(num_spikes,)`.

        Returns:
            `(states, elapsed)`: `(num_spikes,)` int64, and float64 from 0 to 1; segments count one after the other.
        """
        states, elapsed, passed = self.at(segments, samples), np.zeros(len(samples)), np.zeros(len(self))
        for segment, (starts, state_of_span) in enumerate(zip(self.starts, self.state_of_span)):
            lengths = np.diff(np.append(starts, self.num_samples[segment]))
            before = np.empty(len(lengths))
            for span, (state, length) in enumerate(zip(state_of_span, lengths)):
                before[span] = passed[state]
                passed[state] += length
            inside = np.flatnonzero(segments == segment)
            spans = np.maximum(np.searchsorted(starts, samples[inside], side="right") - 1, 0)
            elapsed[inside] = before[spans] + np.clip(samples[inside] - starts[spans], 0, lengths[spans])
        return states, elapsed / np.maximum(passed[states], 1)

    def spans(self, state: int) -> list[tuple[int, int, int]]:
        """When the tissue was in a state: list of `(segment, start, stop)`, samples."""
        found = []
        for segment, (starts, states) in enumerate(zip(self.starts, self.state_of_span)):
            stops = np.append(starts[1:], self.num_samples[segment])
            found += [(segment, int(starts[i]), int(stops[i])) for i in np.flatnonzero(states == state)]
        return [span for span in found if span[2] > span[1]]

    def shares(self) -> np.ndarray:
        """Share of the time that was spent in each state, `(num_states,)`."""
        lengths = [sum(stop - start for _, start, stop in self.spans(state)) for state in range(len(self))]
        return np.array(lengths) / max(sum(lengths), 1)

    def displacements_at(self, depth_um: float) -> np.ndarray:
        """Displacement of each state at a depth, `(num_states,)` µm."""
        return np.array([np.interp(depth_um, self.depths_um, one) for one in self.displacements_um])


def displacements_of(
    motion: Motion, recording: BaseRecording, segments: np.ndarray, samples: np.ndarray, depths_um: np.ndarray
) -> np.ndarray:
    """Displacement of the tissue at the time and depth of each of some spikes.

    Args:
        motion: SpikeInterface `Motion`.
        recording: the recording of which the motion is.
        segments, samples, depths_um: `(num_spikes,)`.

    Returns:
        `(num_spikes,)` float64, µm.
    """
    displacements = np.zeros(len(samples))
    for segment in np.unique(segments):
        inside = np.flatnonzero(segments == segment)
        times = recording.sample_index_to_time(samples[inside], segment_index=int(segment))
        displacements[inside] = motion.get_displacement_at_time_and_depth(times, depths_um[inside], int(segment))
    return displacements


def _group(bins: np.ndarray, settings: MotionStateSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fewest clusters of `(num_bins, num_depths)` displacements that are tight enough: their means, bins' labels."""
    from sklearn.cluster import KMeans

    most = min(settings.max_motion_states, len(np.unique(bins, axis=0)))
    num_states = 1
    while True:
        num_states = min(num_states, most)
        found = KMeans(num_states, n_init=settings.num_state_starts, random_state=seed).fit(bins)
        deviation = np.sqrt(np.square(bins - found.cluster_centers_[found.labels_]).mean(axis=0).max())
        if deviation <= settings.max_state_deviation_um or num_states == most:
            return found.cluster_centers_, found.labels_.astype("int64")
        num_states = max(num_states + 1, round(settings.state_growth * num_states))
