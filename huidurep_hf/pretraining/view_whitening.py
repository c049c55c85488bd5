"""Views of spikes in a recording that has been whitened in space and time, as the sorter whitens it.

See `recording/preprocessing/whitening.py` for what is done to a recording. Here the noise is drawn, so that its
covariance is known and nothing needs to be estimated. A batch is one recording: with another filter for each spike, the
filter would tell one unit from another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..recording.settings import WhiteningSettings
from .view_draws import uniform
from .view_noise import noise_power

if TYPE_CHECKING:
    from .view_parameters import ViewParameters

SPECTRUM_LENGTH = 512
MIN_EIGENVALUE = 1e-3


@dataclass
class Whitening:
    """How one recording is whitened.

    Attributes:
        taps: `(order + 1,)` filter in time, scaled such that the noise has unit density in the spikes' band.
        noise_gain: `(SPECTRUM_LENGTH // 2 + 1,)` spectrum of the noise that is left, an amplitude.
        correlation: share of the noise that neighbouring channels have in common.
        length_um: distance over which that share decays by 1/e.
    """

    taps: torch.Tensor
    noise_gain: torch.Tensor
    correlation: torch.Tensor
    length_um: torch.Tensor

    def apply(self, waveforms: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        """Return waveforms as the whitened recording shows them.

        Args:
            waveforms: `(n, num_samples, num_channels)`, SDs of the noise.
            matrix: of these spikes' channels, from [`Whitening.matrix`].
        """
        waveforms = waveforms @ matrix
        filtered = self.taps[0] * waveforms
        for lag, tap in enumerate(self.taps[1:], start=1):
            filtered[:, lag:] += tap * waveforms[:, :-lag]
        return filtered

    def matrix(self, positions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what whitens in space (ZCA), `(n, num_channels, num_channels)`.

        Args:
            positions: `(n, num_channels, 2)`, µm.
            mask: `(n, num_channels)` bool; what is not there is left out of the covariance, too.
        """
        own = torch.eye(mask.shape[1], device=mask.device)
        shared = torch.exp(-torch.cdist(positions, positions) / self.length_um)
        covariance = self.correlation * shared + (1 - self.correlation) * own
        covariance = torch.where(mask[:, None] & mask[:, :, None], covariance, own)
        values, vectors = torch.linalg.eigh(covariance)
        return vectors * values.clamp(min=MIN_EIGENVALUE).rsqrt()[:, None] @ vectors.transpose(1, 2)

    def noise(self, num_spikes: int, num_samples: int, num_channels: int, generator: torch.Generator) -> torch.Tensor:
        """Draw what is left of the noise, `(num_spikes, num_samples, num_channels)`."""
        white = torch.randn(num_spikes, SPECTRUM_LENGTH, num_channels, generator=generator, device=generator.device)
        coloured = torch.fft.irfft(torch.fft.rfft(white, dim=1) * self.noise_gain[:, None], n=SPECTRUM_LENGTH, dim=1)
        return coloured[:, :num_samples]


def draw_whitening(sampling_rate: float, parameters: ViewParameters, generator: torch.Generator) -> Whitening:
    """Draw a recording's noise from the ranges of the views, and whiten it.

    Args:
        sampling_rate: Hz.
        parameters: ranges.
        generator: source of all draws; its device is that of the whitening.
    """
    power = noise_power(1, SPECTRUM_LENGTH, sampling_rate, parameters, generator)[0]
    covariance = torch.fft.irfft(power)
    settings = WhiteningSettings()
    order = round(settings.prediction_ms * 1e-3 * sampling_rate)
    lags, floor = torch.arange(order, device=generator.device), settings.relative_noise_floor * covariance[0]
    matrix = covariance[(lags[:, None] - lags).abs()] + floor * torch.eye(order, device=generator.device)
    prediction = torch.linalg.solve(matrix, covariance[1 : order + 1])
    taps = torch.cat([torch.ones(1, device=generator.device), -prediction])
    left = power * torch.fft.rfft(taps, n=SPECTRUM_LENGTH).abs() ** 2
    # Variance times the sum of squared autocorrelations: the noise's density where its power lies.
    covariance = torch.fft.irfft(left)
    scale = (covariance.square().sum() / covariance[0]).rsqrt()
    return Whitening(
        taps * scale,
        left.sqrt() * scale,
        uniform(parameters.noise_correlation, (), generator),
        uniform(parameters.noise_length_um, (), generator),
    )
