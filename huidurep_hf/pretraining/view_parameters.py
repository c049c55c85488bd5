"""What views are drawn from, and the batches of spikes that they are drawn of."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ViewParameters:
    """Ranges from which views are drawn; a pair of numbers is the range of a uniform draw.

    Args:
        snr: peak amplitude of a unit's first spike in noise units, drawn log-uniformly; its others keep their true
            ratio to that one.
        amplitude: factor on the amplitude of each view.
        channel_gain: factor on each channel of each view: noise levels, by which channels are divided, differ.
        jitter_samples: largest time shift, either way, in samples; the shift is sub-sample.
        misalignment_probability: chance that the trough was found wrong, by up to `misalignment_samples` either way.
        misalignment_samples: see there.
        num_collisions: spikes of other units that may overlap.
        collision_probability: chance of each.
        collision_scale: peak of the overlapping spike, as a fraction of this one's.
        collision_shift_samples: its distance in time, either way.
        num_background: small spikes of distant units that may overlap, at any time.
        background_probability: chance of each.
        background_peak: peak of each, in noise units.
        noise_correlation: weight of the part of the noise that decays with distance.
        noise_length_um: distance over which that part decays by 1/e.
        noise_common: weight of the part that is common to all channels up to its sign, as a fraction of the rest.
        noise_lowpass_hz: upper corner of the noise's spectrum; the lower is `noise_highpass_hz`.
        noise_highpass_hz: lower corner of the noise's spectrum.
        noise_slope: power of 1/f that the spectrum follows between the corners.
        extra_noise: SD of the noise that is added to recorded spikes, which have their own.
        recorded_noise_probability: chance that a spike's noise takes its course from a recording, if one is given.
        whitening_probability: chance that a batch comes from a recording that was whitened in space and time. Its noise
            is drawn, never recorded, and recorded spikes are whitened as if theirs were of that covariance.
        misplacement_probability: chance that the peak is found on any channel of nearly the same amplitude, its own
            among them.
        misplacement_ratio: least amplitude of that channel, as a fraction of the peak channel's.
        truncation_probability: chance that both spikes of a pair come in a shorter window, with zeros outside, as
            spikes do that were stored in one.
        truncation_before: samples before the trough in that window.
        truncation_after: samples from the trough on.
        dropout_probability: chance that a spike has missing channels.
        dropout_fraction: chance of each of its channels, the peak channel excepted, to be missing.
    """

    snr: tuple[float, float] = (3.0, 30.0)
    amplitude: tuple[float, float] = (0.8, 1.2)
    channel_gain: tuple[float, float] = (0.9, 1.1)
    jitter_samples: float = 2.0
    misalignment_probability: float = 0.1
    misalignment_samples: float = 6.0
    num_collisions: int = 2
    collision_probability: float = 0.25
    collision_scale: tuple[float, float] = (0.2, 1.0)
    collision_shift_samples: tuple[float, float] = (5.0, 59.0)
    num_background: int = 2
    background_probability: float = 0.5
    background_peak: tuple[float, float] = (0.5, 3.0)
    noise_correlation: tuple[float, float] = (0.0, 0.9)
    noise_length_um: tuple[float, float] = (20.0, 200.0)
    noise_common: tuple[float, float] = (0.0, 0.3)
    noise_lowpass_hz: tuple[float, float] = (2500.0, 12000.0)
    noise_highpass_hz: tuple[float, float] = (100.0, 600.0)
    noise_slope: tuple[float, float] = (0.0, 1.5)
    extra_noise: tuple[float, float] = (0.0, 1.0)
    recorded_noise_probability: float = 0.3
    whitening_probability: float = 0.0
    misplacement_probability: float = 0.2
    misplacement_ratio: float = 0.7
    truncation_probability: float = 0.15
    truncation_before: tuple[float, float] = (7.0, 24.0)
    truncation_after: tuple[float, float] = (16.0, 48.0)
    dropout_probability: float = 0.3
    dropout_fraction: float = 0.2

    @property
    def longest_shift(self) -> float:
        """Most samples by which a view moves a spike in time."""
        return max(self.jitter_samples, self.misalignment_samples if self.misalignment_probability > 0 else 0.0)


@dataclass
class Spikes:
    """A batch of spikes: clean ones in µV, or recorded ones in SDs of the noise that is in them.

    Waveforms `(n, num_samples, num_channels)`, positions `(n, num_channels, 2)` in µm relative to the peak channel,
    which is the first channel, mask `(n, num_channels)`, and locations `(n, 2)`: where the unit lies in the probe
    plane, µm, relative to the peak channel as well. `is_recorded` `(n,)` says which kind each spike is. Beside recorded
    spikes stand `partners`, of the shape of the waveforms: another spike of the same unit on the same channels, NaN
    where none is known (and beside clean spikes, which need none); None if there are none at all.
    """

    waveforms: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    locations: torch.Tensor
    is_recorded: torch.Tensor
    partners: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> "Spikes":
        """Return the batch on a device."""
        values = (self.waveforms, self.positions, self.mask, self.locations, self.is_recorded, self.partners)
        return Spikes(*(None if value is None else value.to(device) for value in values))

    def peak_amplitude(self) -> torch.Tensor:
        """Return the largest absolute value of each spike, `(n,)`."""
        return (self.waveforms * self.mask[:, None]).abs().amax(dim=(1, 2))


@dataclass
class View:
    """What the model is given of a batch, and what it should make of it; noise units, the model's window.

    Of recorded spikes the location is not known: NaN. In place of their clean waveform stands another spike of the
    unit, if one is known, with noise of its own: many of them average to the clean one (but for what
    `adaptation.py` says), and so does what is learned from them (Lehtinen et al., "Noise2Noise", ICML 2018). Otherwise
    that is NaN, too.
    """

    waveforms: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    clean: torch.Tensor
    locations: torch.Tensor
