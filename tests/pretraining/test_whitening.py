"""Whitened views: the noise is white in space, of unit density along a spike, and the clean spike is whitened alike."""

import dataclasses

import torch

from huidurep_hf import HuiduRepConfig
from huidurep_hf.pretraining.noise import draw_noise
from huidurep_hf.pretraining.view_parameters import Spikes, ViewParameters
from huidurep_hf.pretraining.views import SpikeViews
from huidurep_hf.pretraining.whitening import draw_whitening

RATE = 30000.0
ONE_RECORDING = ViewParameters(
    snr=(10.0, 10.0),
    amplitude=(1.0, 1.0),
    channel_gain=(1.0, 1.0),
    jitter_samples=0.0,
    misalignment_probability=0.0,
    collision_probability=0.0,
    background_probability=0.0,
    noise_correlation=(0.7, 0.7),
    noise_length_um=(50.0, 50.0),
    noise_common=(0.0, 0.0),
    noise_lowpass_hz=(5000.0, 5000.0),
    noise_highpass_hz=(300.0, 300.0),
    noise_slope=(1.0, 1.0),
    whitening_probability=1.0,
    misplacement_probability=0.0,
    truncation_probability=0.0,
    dropout_probability=0.0,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def line_of_contacts(num_spikes, num_channels=6):
    positions = torch.stack([torch.zeros(num_channels), 20.0 * torch.arange(num_channels)], dim=1)
    return positions.repeat(num_spikes, 1, 1), torch.ones(num_spikes, num_channels) > 0


def a_spike(whitening, num_samples=121):
    """A trough as the whitened recording shows it, of length 1."""
    time = torch.arange(float(num_samples))
    trough = -torch.exp(-(((time - 42) / 5) ** 2)) + 0.3 * torch.exp(-(((time - 58) / 9) ** 2))
    alone = whitening.apply(trough[None, :, None], torch.zeros(1, 1, 2), torch.ones(1, 1) > 0)[0, :, 0]
    return alone / alone.norm()


def test_noise_of_a_recording_becomes_what_the_views_draw():
    whitening = draw_whitening(RATE, ONE_RECORDING, generator())
    positions, mask = line_of_contacts(4000)
    recorded = draw_noise(positions, 140, RATE, ONE_RECORDING, generator(1))
    whitened = whitening.apply(recorded, positions, mask)[:, 19:]
    drawn = whitening.noise(4000, 121, 6, generator(2))
    spike = a_spike(whitening)
    for noise in (whitened, drawn):
        along = torch.einsum("nsc,s->nc", noise, spike)
        covariance = torch.cov(along.T)
        # Independent channels; a spike of length 1 meets noise of about unit variance.
        assert (covariance - torch.diag(covariance.diagonal())).abs().max() < 0.07
        assert (covariance.diagonal().sqrt() - 1).abs().max() < 0.25
    lagged = [torch.stack([(noise * noise.roll(lag, 1)).mean() for lag in range(1, 5)]) for noise in (whitened, drawn)]
    torch.testing.assert_close(*lagged, atol=0.02, rtol=0)
    before = torch.corrcoef(torch.einsum("nsc,s->nc", recorded[:, 19:], spike).T)
    assert before[0, 1] > 0.4


def test_a_channel_that_is_not_there_changes_nothing():
    whitening = draw_whitening(RATE, ONE_RECORDING, generator())
    positions, mask = line_of_contacts(2)
    waveforms = torch.randn(2, 121, 6, generator=generator(3))
    mask[:, 2] = False
    other = waveforms.clone()
    other[:, :, 2] += 100.0
    there = [0, 1, 3, 4, 5]
    first, second = (whitening.apply(part, positions, mask)[:, :, there] for part in (waveforms, other))
    torch.testing.assert_close(first, second)


def test_a_batch_is_one_recording_and_its_target_is_whitened():
    positions, mask = line_of_contacts(300)
    time = torch.arange(121.0)
    waveforms = -80 * torch.exp(-(((time - 42) / 5) ** 2))[:, None] * torch.exp(-positions[..., 1] / 40)[:, None]
    spikes = Spikes(waveforms, positions, mask, torch.zeros(300, 2), torch.zeros(300) > 0)
    config = HuiduRepConfig()
    first, second = SpikeViews(ONE_RECORDING, config, 42)(spikes, spikes, generator())
    torch.testing.assert_close(first.clean, second.clean)
    plain = dataclasses.replace(ONE_RECORDING, whitening_probability=0.0)
    unwhitened, _ = SpikeViews(plain, config, 42)(spikes, spikes, generator())
    assert (first.clean - unwhitened.clean).abs().max() > 1
    noise = (first.waveforms - first.clean)[:, :, 0]
    assert 0.6 < noise.std() < 1.1
    neighbours = torch.corrcoef(torch.stack([(first.waveforms - first.clean)[:, :, k].flatten() for k in (0, 1)]))
    assert neighbours[0, 1].abs() < 0.03


def test_another_batch_is_another_recording():
    varied = dataclasses.replace(ONE_RECORDING, noise_slope=(0.0, 1.5))
    source = generator()
    first, second = draw_whitening(RATE, varied, source), draw_whitening(RATE, varied, source)
    assert (first.taps - second.taps).abs().max() > 0.05
