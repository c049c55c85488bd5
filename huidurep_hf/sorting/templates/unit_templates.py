"""The templates that spikes are looked for with: one for each unit, or one for each unit and state of the drift."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...recording.motion.states import MotionStates

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ..spikes import Spikes


@dataclass(frozen=True)
class UnitTemplates:
    """Templates of units in traces as they were recorded, stored on the channels on which each is seen.

    Attributes:
        local_waveforms: `(num_states, num_units, num_samples, num_local)` float32, SDs of the noise; 0 where padded.
        local_channels: `(num_states, num_units, num_local)` int64, -1 for padding.
        num_channels: of the recording.
        num_before: samples before a spike's time.
        channels: `(num_units,)` int64 peak channel of each unit at rest.
        states: [`~huidurep_hf.recording.motion.states.MotionStates`]: which state holds when.
    """

    local_waveforms: np.ndarray
    local_channels: np.ndarray
    num_channels: int
    num_before: int
    channels: np.ndarray
    states: MotionStates

    @classmethod
    def at_rest(cls, waveforms: np.ndarray, num_before: int, recording: BaseRecording) -> UnitTemplates:
        """Templates `(num_units, num_samples, num_channels)` that hold for the whole of a SpikeInterface recording."""
        channels = np.ptp(waveforms, axis=1).argmax(axis=1) if waveforms.size else np.zeros(len(waveforms), "int64")
        return cls.from_dense(waveforms[None], num_before, channels, MotionStates.at_rest(recording))

    @classmethod
    def from_dense(
        cls, waveforms: np.ndarray, num_before: int, channels: np.ndarray, states: MotionStates
    ) -> UnitTemplates:
        """Templates `(num_states, num_units, num_samples, num_channels)`, 0 where a unit is not seen."""
        is_seen = waveforms.any(axis=2)
        num_local = max(int(is_seen.sum(axis=2).max(initial=0)), 1)
        # Channels on which a unit is seen come first, in their order.
        order = np.argsort(~is_seen, axis=2, kind="stable")[:, :, :num_local]
        is_there = np.take_along_axis(is_seen, order, axis=2)
        local = np.take_along_axis(waveforms, order[:, :, None, :], axis=3).astype("float32")
        return cls(local, np.where(is_there, order, -1), waveforms.shape[3], num_before, channels, states)

    @property
    def drift(self) -> bool:
        """Whether they change with the displacement of the tissue."""
        return len(self.states) > 1

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name, from which [`from_arrays`] makes the same again."""
        own = ("local_waveforms", "local_channels", "num_channels", "num_before", "channels")
        return {**{name: np.asarray(getattr(self, name)) for name in own}, **self.states.to_arrays()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> UnitTemplates:
        """Make templates from [`to_arrays`]."""
        return cls(
            arrays["local_waveforms"],
            arrays["local_channels"],
            int(arrays["num_channels"]),
            int(arrays["num_before"]),
            arrays["channels"],
            MotionStates.from_arrays(arrays),
        )

    def __len__(self) -> int:
        return len(self.channels)

    @property
    def num_samples(self) -> int:
        """Samples of a template."""
        return self.local_waveforms.shape[2]

    def waveforms_of(self, state: int) -> np.ndarray:
        """Templates of one state on all channels, `(num_units, num_samples, num_channels)`."""
        return _on_all_channels(self.local_waveforms[state], self.local_channels[state], self.num_channels)

    def of_unit(self, unit: int) -> np.ndarray:
        """Templates of one unit on all channels, `(num_states, num_samples, num_channels)`."""
        return _on_all_channels(self.local_waveforms[:, unit], self.local_channels[:, unit], self.num_channels)

    @cached_property
    def norms(self) -> np.ndarray:
        """Root of the energy of each template, `(num_states, num_units)`."""
        return np.sqrt(np.square(self.local_waveforms).sum(axis=(2, 3)))

    @cached_property
    def channels_in_place(self) -> np.ndarray:
        """Peak channel of each unit in each state, `(num_states, num_units)`."""
        largest = np.ptp(self.local_waveforms, axis=2).argmax(axis=2)[:, :, None]
        return np.maximum(np.take_along_axis(self.local_channels, largest, axis=2)[:, :, 0], 0)

    def chosen(self, units: np.ndarray) -> UnitTemplates:
        """Templates of some units, by index or by `(num_units,)` bool."""
        return dataclasses.replace(
            self,
            local_waveforms=self.local_waveforms[:, units],
            local_channels=self.local_channels[:, units],
            channels=self.channels[units],
        )

    def states_of(self, spikes: Spikes) -> np.ndarray:
        """State of the tissue at each spike of a table, `(num_spikes,)`."""
        return self.states.at(spikes["segment_index"], spikes["sample_index"].astype("int64"))


def _on_all_channels(local_waveforms: np.ndarray, local_channels: np.ndarray, num_channels: int) -> np.ndarray:
    num_templates, num_samples, _ = local_waveforms.shape
    waveforms = np.zeros((num_templates, num_samples, num_channels), dtype="float32")
    for waveform, local, channels in zip(waveforms, local_waveforms, local_channels):
        waveform[:, channels[channels >= 0]] = local[:, channels >= 0]
    return waveforms
