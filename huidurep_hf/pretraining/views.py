"""Views of a spike: what a recording might have made of it, drawn in batch on the device.

The kinds of view are those of HuiduRep and CEED (arXiv 2507.17224, section 3; Vishnubhotla et al., NeurIPS 2023):
amplitude, time jitter, collision, noise, channel crop. Added are the peak found on the wrong channel and missing
channels, since both happen to every sorter. Drift needs no view of its own: the two spikes of a pair come from the
same unit at two true displacements.
"""

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ViewParameters:
    """Ranges from which views are drawn; a pair of numbers is the range of a uniform draw.

    Args:
        snr: peak amplitude of the first spike of a pair in noise units, drawn log-uniformly; the second keeps its true
            ratio to the first.
        amplitude: factor on the amplitude of each view.
        jitter_samples: largest time shift, either way, in samples; the shift is sub-sample.
        collision_probability: chance that a spike of another unit overlaps.
        collision_scale: peak of the overlapping spike, as a fraction of this one's.
        collision_shift_samples: its distance in time, either way.
        noise_correlation: weight of the spatially shared part of the noise.
        noise_length_um: distance over which the shared part decays by 1/e.
        noise_lowpass_hz: upper corner of the noise's spectrum; the lower is `noise_highpass_hz`.
        noise_highpass_hz: lower corner of the noise's spectrum.
        noise_slope: power of 1/f that the spectrum follows between the corners.
        misplacement_probability: chance that the peak is found on another channel of nearly the same amplitude.
        misplacement_ratio: least amplitude of that channel, as a fraction of the peak channel's.
        dropout_probability: chance that a spike has missing channels.
        dropout_fraction: chance of each of its channels, the peak channel excepted, to be missing.
    """

    snr: tuple[float, float] = (3.0, 30.0)
    amplitude: tuple[float, float] = (0.8, 1.2)
    jitter_samples: float = 2.0
    collision_probability: float = 0.4
    collision_scale: tuple[float, float] = (0.2, 1.0)
    collision_shift_samples: tuple[float, float] = (5.0, 59.0)
    noise_correlation: tuple[float, float] = (0.0, 0.9)
    noise_length_um: tuple[float, float] = (20.0, 150.0)
    noise_lowpass_hz: tuple[float, float] = (3000.0, 9000.0)
    noise_highpass_hz: tuple[float, float] = (200.0, 500.0)
    noise_slope: tuple[float, float] = (0.0, 1.0)
    misplacement_probability: float = 0.2
    misplacement_ratio: float = 0.7
    dropout_probability: float = 0.3
    dropout_fraction: float = 0.2


@dataclass
class Spikes:
    """A batch of clean spikes.

    Waveforms `(n, num_samples, num_channels)`, positions `(n, num_channels, 2)` in µm relative to the peak channel,
    which is the first channel, and mask `(n, num_channels)`.
    """

    waveforms: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor

    def to(self, device) -> "Spikes":
        """Return the batch on a device."""
        return Spikes(self.waveforms.to(device), self.positions.to(device), self.mask.to(device))

    def peak_amplitude(self) -> torch.Tensor:
        """Return the largest absolute value of each spike, `(n,)`."""
        return (self.waveforms * self.mask[:, None]).abs().amax(dim=(1, 2))


@dataclass
class View:
    """What the model is given of a batch, and what it should make of it; noise units, the model's window."""

    waveforms: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    clean: torch.Tensor


def uniform(bounds: tuple[float, float], shape, generator: torch.Generator) -> torch.Tensor:
    """Draw uniformly between two bounds, on the generator's device."""
    low, high = bounds
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def happens(probability: float, shape, generator: torch.Generator) -> torch.Tensor:
    """Draw booleans that are true with a probability."""
    return torch.rand(shape, generator=generator, device=generator.device) < probability


def misplace_peak(spikes: Spikes, parameters: ViewParameters, generator: torch.Generator) -> Spikes:
    """Take another channel of nearly the peak's amplitude for the peak channel, in some spikes; it becomes first."""
    amplitude = spikes.waveforms.abs().amax(dim=1) * spikes.mask
    candidate = amplitude >= parameters.misplacement_ratio * amplitude[:, :1]
    moved = happens(parameters.misplacement_probability, (len(amplitude), 1), generator)
    draw = torch.rand(amplitude.shape, generator=generator, device=generator.device) + (candidate & moved).float()
    center = torch.where(moved[:, 0], draw.argmax(dim=1), 0)
    positions = spikes.positions - spikes.positions.gather(1, center[:, None, None].expand(-1, 1, 2))
    return Spikes(spikes.waveforms, positions, spikes.mask)


def crop_channels(spikes: Spikes, num_channels: int) -> Spikes:
    """Keep the channels nearest to the peak channel, which is first among them."""
    distance = torch.linalg.vector_norm(spikes.positions, dim=-1)
    distance = distance.masked_fill(~spikes.mask, float("inf"))
    nearest = distance.argsort(dim=1, stable=True)[:, :num_channels]
    return Spikes(
        spikes.waveforms.gather(2, nearest[:, None].expand(-1, spikes.waveforms.shape[1], -1)),
        spikes.positions.gather(1, nearest[..., None].expand(-1, -1, 2)),
        spikes.mask.gather(1, nearest),
    )


def drop_channels(spikes: Spikes, parameters: ViewParameters, generator: torch.Generator) -> Spikes:
    """Mask channels of some spikes at random, never the peak channel."""
    chosen = happens(parameters.dropout_probability, (len(spikes.mask), 1), generator)
    dropped = happens(parameters.dropout_fraction, spikes.mask.shape, generator) & chosen
    dropped[:, 0] = False
    return Spikes(spikes.waveforms, spikes.positions, spikes.mask & ~dropped)


def shift_in_time(waveforms: torch.Tensor, shift_samples: torch.Tensor) -> torch.Tensor:
    """Delay waveforms `(n, num_samples, num_channels)` by `(n,)` samples, fractions included, by the Fourier shift.

    The shift is circular; the trainer's windows are longer than the model's by more than any jitter.
    """
    num_samples = waveforms.shape[1]
    frequency = torch.fft.rfftfreq(num_samples, device=waveforms.device)
    phase = torch.exp(-2j * torch.pi * frequency * shift_samples[:, None])
    return torch.fft.irfft(torch.fft.rfft(waveforms, dim=1) * phase[:, :, None], n=num_samples, dim=1)


def colliding_spikes(spikes: Spikes, parameters: ViewParameters, generator: torch.Generator) -> torch.Tensor:
    """Return what another unit's spike, near in space and time, adds on each spike's channels.

    The other spike is the batch's next one, centred on a random channel of this one. Its footprint is read off at the
    nearest of its own contacts, faded where none is near.
    """
    num_spikes, num_samples, num_channels = spikes.waveforms.shape
    device = spikes.waveforms.device
    other = Spikes(*(value.roll(1, dims=0) for value in (spikes.waveforms, spikes.positions, spikes.mask)))
    center = (torch.rand(spikes.mask.shape, generator=generator, device=device) + spikes.mask.float()).argmax(dim=1)
    offset = spikes.positions.gather(1, center[:, None, None].expand(-1, 1, 2))
    distance = torch.cdist(spikes.positions - offset, other.positions)
    distance = distance.masked_fill(~other.mask[:, None], float("inf"))
    gap, nearest = distance.min(dim=2)
    waveforms = other.waveforms.gather(2, nearest[:, None].expand(-1, num_samples, -1))
    waveforms = waveforms * torch.exp(-gap / 30.0)[:, None]

    scale = uniform(parameters.collision_scale, num_spikes, generator) * spikes.peak_amplitude()
    scale = scale / other.peak_amplitude().clamp(min=1e-6)
    scale = torch.where(happens(parameters.collision_probability, num_spikes, generator), scale, 0.0)
    sign = happens(0.5, num_spikes, generator).float() * 2 - 1
    shift = (uniform(parameters.collision_shift_samples, num_spikes, generator) * sign).round().long()
    source = torch.arange(num_samples, device=device)[None] - shift[:, None]
    inside = (source >= 0) & (source < num_samples)
    shifted = waveforms.gather(1, source.clamp(0, num_samples - 1)[..., None].expand(-1, -1, num_channels))
    return shifted * (inside * scale[:, None])[..., None]


def draw_noise(
    positions: torch.Tensor,
    num_samples: int,
    sampling_rate: float,
    parameters: ViewParameters,
    generator: torch.Generator,
) -> torch.Tensor:
    """Draw Gaussian noise of unit variance, correlated in space and coloured in time, `(n, num_samples, num_channels)`.

    Covariance between channels at distance d is `w exp(-d / length)`, and 1 for d = 0; the power spectrum is `1/f^a`
    between two smooth corners. Weight, length, slope and corners are drawn for each spike.
    """
    num_spikes, num_channels, _ = positions.shape
    device = positions.device
    # Long enough that the circular correlation of the two ends is outside what is kept.
    length = 2 * num_samples
    frequency = torch.fft.rfftfreq(length, d=1.0 / sampling_rate, device=device)[None].clamp(min=1.0)
    low = uniform(parameters.noise_highpass_hz, (num_spikes, 1), generator)
    high = uniform(parameters.noise_lowpass_hz, (num_spikes, 1), generator)
    slope = uniform(parameters.noise_slope, (num_spikes, 1), generator)
    power = frequency**-slope / (1 + (low / frequency) ** 6) / (1 + (frequency / high) ** 6)
    # All bins but the first and the last stand for two of the full spectrum, whose mean is the variance.
    variance = (2 * power.sum(dim=1, keepdim=True) - power[:, :1] - power[:, -1:]) / length
    gain = (power / variance).sqrt()
    white = torch.randn(num_spikes, length, num_channels, generator=generator, device=device)
    colored = torch.fft.irfft(torch.fft.rfft(white, dim=1) * gain[..., None], n=length, dim=1)[:, :num_samples]

    weight = uniform(parameters.noise_correlation, (num_spikes, 1, 1), generator)
    decay = uniform(parameters.noise_length_um, (num_spikes, 1, 1), generator)
    # Padded channels lie on the peak channel; the ridge keeps their covariance positive definite.
    identity = torch.eye(num_channels, device=device)
    shared = torch.exp(-torch.cdist(positions, positions) / decay)
    covariance = weight * shared + (1 - weight) * identity + 1e-3 * identity
    covariance = covariance / (1 + 1e-3)
    return colored @ torch.linalg.cholesky(covariance).transpose(1, 2)


class SpikeViews:
    """Draw pairs of views from pairs of clean spikes.

    Args:
        parameters: the ranges.
        num_channels, window_size, peak_sample, sampling_rate: the model's input (see `HuiduRepConfig`).
        source_peak_sample: sample of the trough in the clean spikes, which are at the model's rate.
    """

    def __init__(self, parameters: ViewParameters, config, source_peak_sample: int):
        self.parameters = parameters
        self.config = config
        self.start = source_peak_sample - config.peak_sample
        margin = parameters.jitter_samples
        if self.start < margin:
            raise ValueError(
                f"The dataset's trough at sample {source_peak_sample} leaves {self.start} samples before the model's "
                f"window; a jitter of {margin} samples needs as many. Build the dataset with a longer window."
            )

    def __call__(self, first: Spikes, second: Spikes, generator: torch.Generator) -> tuple[View, View]:
        """Return a view of each spike of the pairs; both share one drawn signal-to-noise ratio."""
        low, high = self.parameters.snr
        snr = uniform((math.log(low), math.log(high)), len(first.mask), generator).exp()
        to_noise_units = snr / first.peak_amplitude().clamp(min=1e-6)
        return tuple(self._view(spikes, to_noise_units, generator) for spikes in (first, second))

    def _view(self, spikes: Spikes, to_noise_units: torch.Tensor, generator: torch.Generator) -> View:
        parameters, config = self.parameters, self.config
        spikes = misplace_peak(spikes, parameters, generator)
        spikes = crop_channels(spikes, config.num_channels)
        spikes = drop_channels(spikes, parameters, generator)
        num_spikes = len(spikes.mask)
        scale = to_noise_units * uniform(parameters.amplitude, num_spikes, generator)
        bounds = (-parameters.jitter_samples, parameters.jitter_samples)
        jitter = uniform(bounds, num_spikes, generator)
        clean = shift_in_time(spikes.waveforms * scale[:, None, None], jitter)
        other = colliding_spikes(Spikes(clean, spikes.positions, spikes.mask), parameters, generator)
        window = slice(self.start, self.start + config.window_size)
        noise = draw_noise(spikes.positions, config.window_size, config.sampling_rate, parameters, generator)
        mask = spikes.mask.float()
        clean = clean[:, window] * mask[:, None]
        return View((clean + other[:, window] + noise) * mask[:, None], spikes.positions * mask[..., None], mask, clean)
