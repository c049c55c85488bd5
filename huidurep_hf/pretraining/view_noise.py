"""Noise for the views: Gaussian, of random covariance in space and random spectrum in time, or cut from recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .view_draws import happens, uniform

if TYPE_CHECKING:
    from .view_parameters import ViewParameters

OPPOSITE_SIGN = 0.15
"""Share of channels on which the noise common to all has the other sign."""


def draw_noise(
    positions: torch.Tensor,
    num_samples: int,
    sampling_rate: float,
    parameters: ViewParameters,
    generator: torch.Generator,
    recorded: torch.Tensor | None = None,
) -> torch.Tensor:
    """Draw noise of unit variance, correlated in space and coloured in time.

    Each spike draws a covariance between channels (see [`spatial_covariance`]) and a power spectrum `1/f^a` between
    two smooth corners, `a` and the corners drawn too. Some spikes, where there is `recorded` noise, take their
    course in time from it instead of from a spectrum: real, with the small spikes that hide in it.

    Args:
        positions: contacts of each spike, `(n, num_channels, 2)`, µm.
        num_samples: length of the noise.
        sampling_rate: Hz.
        parameters: ranges.
        generator: source of all draws; its device is that of the noise.
        recorded: single-channel stretches of real noise of unit variance, `(num_stretches, length)` at
            `sampling_rate`, `length` at least `num_samples` (see `spike_dataset.noise_snippets`).

    Returns:
        `(n, num_samples, num_channels)`.
    """
    noise = _coloured_noise(positions, num_samples, sampling_rate, parameters, generator)
    if recorded is not None:
        from_recording = happens(parameters.recorded_noise_probability, (len(positions), 1, 1), generator)
        noise = torch.where(from_recording, _recorded_noise(noise.shape, recorded, generator), noise)
    factor = torch.linalg.cholesky(spatial_covariance(positions, parameters, generator))
    return noise @ factor.transpose(1, 2)


def spatial_covariance(positions: torch.Tensor, parameters: ViewParameters, generator: torch.Generator) -> torch.Tensor:
    """Draw a covariance between channels for each spike, `(n, num_channels, num_channels)`, with ones on the diagonal.

    It is a sum of three parts whose weights are drawn: one that decays with distance d as `exp(-d / length)`
    (neurons around), one of rank one with random signs (muscle, movement, what a common reference leaves behind),
    and each channel's own.
    """
    num_spikes, num_channels, _ = positions.shape
    device = positions.device
    weight = uniform(parameters.noise_correlation, (num_spikes, 1, 1), generator)
    common_weight = (1 - weight) * uniform(parameters.noise_common, (num_spikes, 1, 1), generator)
    decay = uniform(parameters.noise_length_um, (num_spikes, 1, 1), generator)
    # Mostly of one sign, as a reference's noise is.
    common = 1.0 - 2.0 * happens(OPPOSITE_SIGN, (num_spikes, num_channels, 1), generator).float()
    # Padded channels lie on the peak channel; the ridge keeps their covariance positive definite.
    ridge = 1e-3
    shared = torch.exp(-torch.cdist(positions, positions) / decay)
    own = torch.eye(num_channels, device=device)
    covariance = weight * shared + common_weight * (common @ common.transpose(1, 2))
    return (covariance + (1 - weight - common_weight + ridge) * own) / (1 + ridge)


def noise_power(
    num_spectra: int, length: int, sampling_rate: float, parameters: ViewParameters, generator: torch.Generator
) -> torch.Tensor:
    """Draw power spectra of noise of unit variance: `1/f^a` between two smooth corners.

    Returns:
        `(num_spectra, length // 2 + 1)`, such that white noise of `length` samples, multiplied by the root in the
        frequency domain, has a variance of 1.
    """
    frequency = torch.fft.rfftfreq(length, d=1.0 / sampling_rate, device=generator.device)[None].clamp(min=1.0)
    low = uniform(parameters.noise_highpass_hz, (num_spectra, 1), generator)
    high = uniform(parameters.noise_lowpass_hz, (num_spectra, 1), generator)
    slope = uniform(parameters.noise_slope, (num_spectra, 1), generator)
    power = frequency**-slope / (1 + (low / frequency) ** 6) / (1 + (frequency / high) ** 6)
    # All bins but the first and the last stand for two of the full spectrum, whose mean is the variance.
    variance = (2 * power.sum(dim=1, keepdim=True) - power[:, :1] - power[:, -1:]) / length
    return power / variance


def _coloured_noise(
    positions: torch.Tensor,
    num_samples: int,
    sampling_rate: float,
    parameters: ViewParameters,
    generator: torch.Generator,
) -> torch.Tensor:
    num_spikes, num_channels, _ = positions.shape
    # Long enough that the circular correlation of the two ends is outside what is kept.
    length = 2 * num_samples
    gain = noise_power(num_spikes, length, sampling_rate, parameters, generator).sqrt()
    white = torch.randn(num_spikes, length, num_channels, generator=generator, device=positions.device)
    return torch.fft.irfft(torch.fft.rfft(white, dim=1) * gain[..., None], n=length, dim=1)[:, :num_samples]


def _recorded_noise(shape: torch.Size, recorded: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Read a stretch for each channel, from a random start, with a random sign."""
    num_spikes, num_samples, num_channels = shape
    device = recorded.device
    chosen = torch.randint(len(recorded), (num_spikes, 1, num_channels), generator=generator, device=device)
    last_start = recorded.shape[1] - num_samples
    start = torch.randint(last_start + 1, (num_spikes, 1, num_channels), generator=generator, device=device)
    sign = happens(0.5, (num_spikes, 1, num_channels), generator).float() * 2 - 1
    samples = start + torch.arange(num_samples, device=device)[None, :, None]
    return sign * recorded[chosen.expand(-1, num_samples, -1), samples]
