"""The templates that spikes are looked for with: one for each unit, or one for each unit and state of the tissue."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...recording.motion.states import MotionStates

# A unit is looked for on at most so many channels around its peak.
NUM_MATCHING_CHANNELS = 24
# And on those where its template has at least this much, peak to peak, in SDs of the noise.
MIN_PEAK_TO_PEAK = 0.3


@dataclass(frozen=True)
class UnitTemplates:
    """Templates of units in traces as they were recorded.

    Attributes:
        waveforms: `(num_states, num_units, num_samples, num_channels)` float32, SDs of the noise; 0 on channels on
            which a unit is not looked for.
        num_before: samples before a spike's time.
        channels: `(num_units,)` int64 peak channel of each unit at rest.
        states: [`~huidurep_hf.recording.motion.states.MotionStates`]: which state holds when.
    """

    waveforms: np.ndarray
    num_before: int
    channels: np.ndarray
    states: MotionStates

    @classmethod
    def at_rest(cls, waveforms, num_before, recording):
        """Templates `(num_units, num_samples, num_channels)` that hold for the whole of a SpikeInterface recording."""
        channels = np.ptp(waveforms, axis=1).argmax(axis=1)
        return cls(waveforms[None], num_before, channels, MotionStates.at_rest(recording))

    def __len__(self):
        return len(self.channels)

    @cached_property
    def channels_in_place(self):
        """Peak channel of each unit in each state, `(num_states, num_units)`."""
        return np.ptp(self.waveforms, axis=2).argmax(axis=2)

    def chosen(self, units):
        """Templates of some units, by index or by `(num_units,)` bool."""
        return dataclasses.replace(self, waveforms=self.waveforms[:, units], channels=self.channels[units])

    def with_weakened(self, units, factor):
        """These templates, and after them those of some units times a factor."""
        waveforms = np.concatenate([self.waveforms, factor * self.waveforms[:, units]], axis=1)
        channels = np.concatenate([self.channels, self.channels[units]])
        return dataclasses.replace(self, waveforms=waveforms, channels=channels)

    def states_of(self, spikes):
        """State of the tissue at each spike of a structured array, `(num_spikes,)`."""
        return self.states.at(spikes["segment_index"], spikes["sample_index"].astype("int64"))

    def in_place(self, spikes, units):
        """Spikes with the channels at which they were largest in the traces as recorded, in place of those at rest.

        Args:
            spikes: structured array.
            units: `(num_spikes,)`.
        """
        placed = spikes.copy()
        placed["channel_index"] = self.channels_in_place[self.states_of(spikes), units]
        return placed
