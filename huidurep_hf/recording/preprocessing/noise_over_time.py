"""Noise that rises for a time, as an animal chews or a contact is loose; spikes must then exceed it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..blocks import Block
from .noise_sample import SD_PER_MAD, column_medians

if TYPE_CHECKING:
    from ..settings import NoiseSettings


@dataclass(frozen=True)
class NoiseOverTime:
    """How much louder the noise is at a time than it usually is.

    Attributes:
        block_size: samples of a block.
        windows_per_block: in which the noise is measured.
        factors: for each segment `(num_windows, num_channels)` float32, at least 1: SD of the noise over the level of
            the whole recording.
    """

    block_size: int
    windows_per_block: int
    factors: list[np.ndarray]

    @classmethod
    def from_ratios(cls, block_size: int, ratios: list[list[np.ndarray]], settings: NoiseSettings) -> NoiseOverTime:
        """Make it from what [`measure_noise`] gives for the blocks of each segment, in order.

        A window beside a loud one counts as loud as that one: noise begins and ends within windows.
        """
        factors = []
        for of_blocks in ratios:
            own = raised(np.concatenate(of_blocks), settings)
            padded = np.pad(own, ((1, 1), (0, 0)), constant_values=1)
            factors.append(np.maximum(own, np.maximum(padded[:-2], padded[2:])))
        return cls(block_size, settings.noise_windows_per_block, factors)

    @cached_property
    def is_steady(self) -> bool:
        """Whether the noise never rises."""
        return all((factors == 1).all() for factors in self.factors)

    @property
    def share_raised(self) -> float:
        """Share of the windows in which the noise of any channel is raised."""
        is_raised = np.concatenate([(factors > 1).any(axis=1) for factors in self.factors])
        return float(is_raised.mean()) if len(is_raised) else 0.0

    def windows_of(self, samples: np.ndarray) -> np.ndarray:
        """Index of the window that each sample of a segment lies in."""
        block, within = np.divmod(samples, self.block_size)
        size = window_size(self.block_size, self.windows_per_block)
        return block * self.windows_per_block + np.minimum(within // size, self.windows_per_block - 1)

    def at(self, segment: int, samples: np.ndarray) -> np.ndarray:
        """Factors at some samples of a segment, `(num_samples, num_channels)`; those beyond its ends are as there."""
        own = self.factors[segment]
        return own[np.clip(self.windows_of(np.asarray(samples)), 0, len(own) - 1)]

    def of_events(self, segments: np.ndarray, samples: np.ndarray, channels: np.ndarray) -> np.ndarray:
        """Factor at the time and channel of each event, `(num_events,)` float32."""
        found = np.ones(len(samples), dtype="float32")
        for segment, factors in enumerate(self.factors):
            own = np.flatnonzero(segments == segment)
            if len(own):
                found[own] = factors[np.minimum(self.windows_of(samples[own]), len(factors) - 1), channels[own]]
        return found

    def is_quiet(self, block: Block) -> bool:
        """Whether the noise is as usual on all channels in the whole of a block."""
        first, last = self.windows_of(np.array([block.start, block.stop - 1]))
        return bool((self.factors[block.segment][first : last + 1] == 1).all())


def window_size(block_size: int, windows_per_block: int) -> int:
    """Samples of a window."""
    return -(-block_size // windows_per_block)


def measure_noise(traces: np.ndarray, noise_levels: np.ndarray, block_size: int, settings: NoiseSettings) -> np.ndarray:
    """Measure the noise in the windows of one block.

    Args:
        traces: `(num_samples, num_channels)` of the block.
        noise_levels: `(num_channels,)` SD of the noise of the whole recording.
        block_size: samples of a whole block; the last of a segment may be shorter.
        settings: windows, their parts, and which samples of them are looked at.

    Returns:
        `(num_windows, num_channels)` float32 SD of the noise (median absolute deviation) over that level; 1 where a
        window is too short to tell.
    """
    num_windows, num_parts = settings.noise_windows_per_block, settings.noise_parts_per_window
    size = window_size(block_size, num_windows)
    ratios = np.ones((min(-(-len(traces) // size), num_windows), traces.shape[1]), dtype="float32")
    for window, start in enumerate(range(0, len(traces), size)):
        own = np.abs(traces[start : start + size : settings.noise_sample_step])
        if len(own) >= num_parts * settings.min_samples_per_noise_part:
            of_parts = [column_medians(part) for part in np.array_split(own, num_parts)]
            levels = np.sort(of_parts, axis=0)[settings.noise_part_rank]
            ratios[window] = SD_PER_MAD * levels / np.maximum(noise_levels, 1e-12)
    return ratios


def raised(ratios: np.ndarray, settings: NoiseSettings) -> np.ndarray:
    """Ratios where the noise is raised, else 1.

    A burst of one neuron raises the median absolute deviation of a few channels a little, and is not noise.

    Args:
        ratios: `(num_windows, num_channels)`.
        settings: with the least ratios.
    """
    on_most = np.median(ratios, axis=1, keepdims=True) > settings.min_noise_ratio
    is_raised = (ratios > settings.min_noise_ratio_of_channel) | (on_most & (ratios > 1))
    return np.where(is_raised, ratios, 1).astype("float32")
