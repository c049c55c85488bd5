"""Where the samples of a template lie on the page: at its contacts, time to the right, voltage upwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Width and height of what is drawn at a contact, as shares of the distance to the next contact.
WIDTH_SHARE, HEIGHT_SHARE = 0.85, 1.7
SINGLE_PITCH_UM = 25.0
SCALE_MS = 1.0


@dataclass(frozen=True)
class TemplateLayout:
    """Scales that turn samples into places on the probe.

    Attributes:
        positions: `(num_channels, 2)` µm.
        um_per_ms, um_per_value: how far a millisecond and a unit of amplitude reach.
        times_ms: `(num_samples,)` from the peak on.
    """

    positions: np.ndarray
    um_per_ms: float
    um_per_value: float
    times_ms: np.ndarray

    def xs(self) -> list[np.ndarray]:
        """`(num_samples,)` µm for each channel."""
        middle = (self.times_ms[0] + self.times_ms[-1]) / 2
        return [(x + (self.times_ms - middle) * self.um_per_ms).astype("float32") for x, _ in self.positions]

    def ys(self, waveform: np.ndarray) -> list[np.ndarray]:
        """`(num_samples,)` µm for each channel of a waveform `(num_samples, num_channels)`."""
        placed = self.positions[:, 1] + waveform * self.um_per_value
        return list(np.ascontiguousarray(placed.T, dtype="float32"))

    def scale_bars(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Corner of both bars below the lowest contact: xs, ys of an L, and the amplitude its upright stands for."""
        value = _round_number(0.5 * _pitch(self.positions[:, 1]) / self.um_per_value)
        left = float(np.min(self.xs()))
        bottom = float(self.positions[:, 1].min() - 1.6 * _pitch(self.positions[:, 1]))
        xs = np.array([left, left, left + SCALE_MS * self.um_per_ms])
        return xs, np.array([bottom + value * self.um_per_value, bottom, bottom]), value


def lay_out(waveform: np.ndarray, positions: np.ndarray, times_ms: np.ndarray) -> TemplateLayout:
    """Choose the scales for a template.

    Args:
        waveform: `(num_samples, num_channels)`.
        positions: `(num_channels, 2)` µm.
        times_ms: `(num_samples,)`.
    """
    duration = float(times_ms[-1] - times_ms[0]) or 1.0
    size = float(np.ptp(waveform, axis=0).max(initial=0)) or 1.0
    width, height = _pitch(positions[:, 0]), _pitch(positions[:, 1])
    return TemplateLayout(positions, WIDTH_SHARE * width / duration, HEIGHT_SHARE * height / size, times_ms)


def _pitch(values: np.ndarray) -> float:
    """Least distance between different coordinates, µm."""
    steps = np.diff(np.unique(np.round(values, 1)))
    steps = steps[steps > 2]
    return float(steps.min()) if len(steps) else SINGLE_PITCH_UM


def _round_number(value: float) -> float:
    """Largest 1, 2 or 5 times a power of ten that is at most the value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1, 2, 5) if step * power <= value * 1.0001) * power)
