"""Views of a spike: what a recording might have made of it, drawn in batch on the device.

The kinds of view are those of HuiduRep and CEED (arXiv 2507.17224, section 3; Vishnubhotla et al., NeurIPS 2023):
amplitude, time jitter, collision, noise, channel crop. Added are what happens to every sorter: the trough found at the
wrong sample or on the wrong channel, unequal noise levels, small spikes in the background, missing channels. Drift
needs no view of its own: the two spikes of a pair come from the same unit at two true displacements.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from .interference import interfering_spikes
from .view_draws import happens, uniform
from .view_noise import draw_noise
from .view_parameters import Spikes, View, ViewParameters
from .view_whitening import Whitening, draw_whitening

if TYPE_CHECKING:
    from ..model.configuration_huidurep import HuiduRepConfig

LONGEST_SHIFT = 23
"""Zero samples added to a waveform before it is shifted; with the dataset's 121 they make 144, a quick FFT."""


def misplace_peak(spikes: Spikes, parameters: ViewParameters, generator: torch.Generator) -> Spikes:
    """Take another channel of nearly the peak's amplitude for the peak channel, in some spikes: the new origin."""
    amplitude = spikes.waveforms.abs().amax(dim=1) * spikes.mask
    candidate = amplitude >= parameters.misplacement_ratio * amplitude[:, :1]
    moved = happens(parameters.misplacement_probability, (len(amplitude), 1), generator)
    draw = torch.rand(amplitude.shape, generator=generator, device=generator.device) + (candidate & moved).float()
    center = torch.where(moved[:, 0], draw.argmax(dim=1), 0)
    origin = spikes.positions.gather(1, center[:, None, None].expand(-1, 1, 2))
    return replace(spikes, positions=spikes.positions - origin, locations=spikes.locations - origin[:, 0])


def crop_channels(spikes: Spikes, num_channels: int) -> Spikes:
    """Keep the channels nearest to the peak channel, which is first among them."""
    distance = torch.linalg.vector_norm(spikes.positions, dim=-1)
    distance = distance.masked_fill(~spikes.mask, float("inf"))
    nearest = distance.argsort(dim=1, stable=True)[:, :num_channels]
    everywhere = nearest[:, None].expand(-1, spikes.waveforms.shape[1], -1)
    return replace(
        spikes,
        waveforms=spikes.waveforms.gather(2, everywhere),
        partners=None if spikes.partners is None else spikes.partners.gather(2, everywhere),
        positions=spikes.positions.gather(1, nearest[..., None].expand(-1, -1, 2)),
        mask=spikes.mask.gather(1, nearest),
    )


def drop_channels(spikes: Spikes, parameters: ViewParameters, generator: torch.Generator) -> Spikes:
    """Mask channels of some spikes at random, never the peak channel."""
    chosen = happens(parameters.dropout_probability, (len(spikes.mask), 1), generator)
    dropped = happens(parameters.dropout_fraction, spikes.mask.shape, generator) & chosen
    dropped[:, 0] = False
    return replace(spikes, mask=spikes.mask & ~dropped)


def draw_shift(num_spikes: int, parameters: ViewParameters, generator: torch.Generator) -> torch.Tensor:
    """Draw how late each trough comes, `(num_spikes,)` samples: jitter, and for some a larger misalignment."""
    reach = torch.where(
        happens(parameters.misalignment_probability, num_spikes, generator),
        parameters.misalignment_samples,
        parameters.jitter_samples,
    )
    return reach * uniform((-1.0, 1.0), num_spikes, generator)


def shift_in_time(waveforms: torch.Tensor, shift_samples: torch.Tensor) -> torch.Tensor:
    """Delay waveforms `(n, num_samples, num_channels)` by `(n,)` samples, fractions included, by the Fourier shift.

    Zeros come in at the ends; a shift is at most `LONGEST_SHIFT` samples.
    """
    num_samples = waveforms.shape[1]
    length = num_samples + LONGEST_SHIFT
    frequency = torch.fft.rfftfreq(length, device=waveforms.device)
    phase = torch.exp(-2j * torch.pi * frequency * shift_samples[:, None])
    shifted = torch.fft.irfft(torch.fft.rfft(waveforms, n=length, dim=1) * phase[:, :, None], n=length, dim=1)
    return shifted[:, :num_samples]


def draw_truncation(
    num_spikes: int, window_size: int, peak_sample: int, parameters: ViewParameters, generator: torch.Generator
) -> torch.Tensor:
    """Draw which samples of the window were stored, `(num_spikes, window_size)`: 1 near the trough, for most all."""
    offset = torch.arange(window_size, device=generator.device)[None] - peak_sample
    before = uniform(parameters.truncation_before, (num_spikes, 1), generator)
    after = uniform(parameters.truncation_after, (num_spikes, 1), generator)
    whole = ~happens(parameters.truncation_probability, (num_spikes, 1), generator)
    return (whole | ((offset >= -before) & (offset < after))).float()


class SpikeViews:
    """Draw pairs of views from pairs of clean spikes.

    Args:
        parameters: the ranges.
        config: the model's `HuiduRepConfig`, which says what its input is.
        source_peak_sample: sample of the trough in the clean spikes, which are at the model's rate.
        source_num_samples: samples of the clean spikes.
        recorded_noise: `(num_stretches, length)` single-channel noise of unit variance, see [`draw_noise`].

    Raises:
        ValueError: a shift is too long, or the clean spikes' window begins after the model's.
    """

    def __init__(
        self,
        parameters: ViewParameters,
        config: HuiduRepConfig,
        source_peak_sample: int,
        source_num_samples: int,
        recorded_noise: torch.Tensor | None = None,
    ):
        self.parameters = parameters
        self.config = config
        self.recorded_noise = recorded_noise
        self.start = source_peak_sample - config.peak_sample
        if parameters.longest_shift > LONGEST_SHIFT:
            raise ValueError(f"A view is shifted by up to {parameters.longest_shift} samples; at most {LONGEST_SHIFT}.")
        if self.start < 0:
            raise ValueError(
                f"The dataset's trough at sample {source_peak_sample} lies before the model's, at sample "
                f"{config.peak_sample}. Build the dataset with a longer window."
            )
        if self.start + config.window_size > source_num_samples:
            raise ValueError(
                f"The dataset's spikes end {source_num_samples - source_peak_sample} samples after the trough, and the "
                f"model's window of {config.window_size} {config.window_size - config.peak_sample} after it. Build the "
                "dataset with a longer window, or set a smaller window_size of the model."
            )

    def __call__(
        self, first: Spikes, second: Spikes, generator: torch.Generator, pairs_per_unit: int = 1
    ) -> tuple[View, View]:
        """Return a view of each spike of the pairs; those of a unit share one signal-to-noise ratio and stored window.

        Recorded spikes keep the signal-to-noise ratio that they have, and less noise is added to them.

        Args:
            first, second: spikes of each pair.
            generator: source of all draws; its device is that of the spikes.
            pairs_per_unit: so many times the same units follow one another, see [`~.dataset.SpikePairs.read`].
        """
        parameters, config, num_units = self.parameters, self.config, len(first.mask) // pairs_per_unit
        low, high = parameters.snr
        snr = uniform((math.log(low), math.log(high)), num_units, generator).exp()
        amplitude = first.peak_amplitude()[:num_units].clamp(min=1e-6)
        to_noise_units = torch.where(first.is_recorded, 1.0, (snr / amplitude).repeat(pairs_per_unit))
        stored = draw_truncation(num_units, config.window_size, config.peak_sample, parameters, generator)
        stored = stored.repeat(pairs_per_unit, 1)
        whitening = None
        # Nothing is drawn where nothing is whitened: runs without it keep their draws.
        if parameters.whitening_probability > 0 and happens(parameters.whitening_probability, (), generator):
            whitening = draw_whitening(config.sampling_rate, parameters, generator)
        return tuple(self._view(spikes, to_noise_units, stored, whitening, generator) for spikes in (first, second))

    def _view(
        self,
        spikes: Spikes,
        to_noise_units: torch.Tensor,
        stored: torch.Tensor,
        whitening: Whitening | None,
        generator: torch.Generator,
    ) -> View:
        parameters, config = self.parameters, self.config
        spikes = misplace_peak(spikes, parameters, generator)
        spikes = crop_channels(spikes, config.num_channels)
        spikes = drop_channels(spikes, parameters, generator)
        num_spikes = len(spikes.mask)
        gain = to_noise_units * uniform(parameters.amplitude, num_spikes, generator)
        gain = gain[:, None] * uniform(parameters.channel_gain, spikes.mask.shape, generator)
        shift = draw_shift(num_spikes, parameters, generator)
        clean = shift_in_time(spikes.waveforms * gain[:, None], shift)
        partners = None if spikes.partners is None else shift_in_time(spikes.partners * gain[:, None], shift)
        other = interfering_spikes(replace(spikes, waveforms=clean), parameters, generator)
        window = slice(self.start, self.start + config.window_size)
        if whitening is None:
            noise = draw_noise(
                spikes.positions, config.window_size, config.sampling_rate, parameters, generator, self.recorded_noise
            )
        else:
            matrix = whitening.matrix(spikes.positions, spikes.mask)
            clean, other = whitening.apply(clean, matrix), whitening.apply(other, matrix)
            partners = None if partners is None else whitening.apply(partners, matrix)
            noise = whitening.noise(num_spikes, config.window_size, spikes.mask.shape[1], generator)
        extra = uniform(parameters.extra_noise, num_spikes, generator)
        noise = noise * torch.where(spikes.is_recorded, extra, 1.0)[:, None, None]
        mask = spikes.mask.float()
        clean = clean[:, window] * mask[:, None]
        waveforms = (clean + other[:, window] + noise) * mask[:, None] * stored[:, :, None]
        unknown = math.nan if partners is None else partners[:, window] * mask[:, None]
        return View(
            waveforms,
            spikes.positions * mask[..., None],
            mask,
            torch.where(spikes.is_recorded[:, None, None], unknown, clean),
            spikes.locations.masked_fill(spikes.is_recorded[:, None], math.nan),
        )
