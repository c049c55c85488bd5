"""Each view does what it says, by its statistics."""

import dataclasses

import numpy as np
import pytest
import torch

from huidurep_hf import HuiduRepConfig
from huidurep_hf.pretraining.interference import interfering_spikes
from huidurep_hf.pretraining.view_noise import draw_noise, spatial_covariance
from huidurep_hf.pretraining.view_parameters import Spikes, ViewParameters
from huidurep_hf.pretraining.view_whitening import draw_whitening
from huidurep_hf.pretraining.views import (
    SpikeViews,
    crop_channels,
    draw_shift,
    draw_truncation,
    drop_channels,
    misplace_peak,
    shift_in_time,
)
from huidurep_hf.recording.preprocessing.whitening import prediction_error_filter, samples_per_independent_one
from huidurep_hf.recording.settings import WhiteningSettings

QUIET = ViewParameters(
    amplitude=(1.0, 1.0),
    channel_gain=(1.0, 1.0),
    jitter_samples=0.0,
    misalignment_probability=0.0,
    collision_probability=0.0,
    background_probability=0.0,
    noise_common=(0.0, 0.0),
    misplacement_probability=0.0,
    truncation_probability=0.0,
    dropout_probability=0.0,
)
# Whitened, with noise that leaves nothing to be drawn.
ONE_RECORDING = dataclasses.replace(
    QUIET,
    noise_correlation=(0.7, 0.7),
    noise_length_um=(50.0, 50.0),
    noise_lowpass_hz=(5000.0, 5000.0),
    noise_highpass_hz=(300.0, 300.0),
    noise_slope=(1.0, 1.0),
    whitening_probability=1.0,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_spikes(num_spikes=400, num_channels=16):
    """Troughs of 50 µV at sample 42 of the first channel, fading along a linear probe of 20 µm pitch."""
    order = torch.arange(num_channels)
    offset = torch.where(order % 2 == 0, order // 2, -(order + 1) // 2)  # sorted by distance: 0, -1, 1, -2, ...
    positions = torch.stack([torch.zeros(num_channels), 20.0 * offset], dim=1)
    time = torch.arange(121.0)
    shape = -50 * torch.exp(-(((time - 42) / 5) ** 2))
    waveform = shape[:, None] * torch.exp(-positions[:, 1].abs() / 40)
    return Spikes(
        waveform.repeat(num_spikes, 1, 1),
        positions.repeat(num_spikes, 1, 1),
        torch.ones(num_spikes, num_channels) > 0,
        torch.tensor([5.0, 3.0]).repeat(num_spikes, 1),
        torch.zeros(num_spikes) > 0,
    )


def test_noise_has_the_covariance_asked_for_in_space():
    positions = torch.tensor([[0.0, 0.0], [0.0, 20.0], [0.0, 60.0], [30.0, 0.0]]).repeat(20000, 1, 1)
    parameters = dataclasses.replace(QUIET, noise_correlation=(0.6, 0.6), noise_length_um=(50.0, 50.0))
    noise = draw_noise(positions, 72, 30000.0, parameters, generator())
    measured = torch.einsum("ntc,ntd->cd", noise, noise) / (noise.shape[0] * noise.shape[1])
    expected = 0.6 * torch.exp(-torch.cdist(positions[0], positions[0]) / 50) + 0.4 * torch.eye(4)
    torch.testing.assert_close(measured, expected, atol=0.01, rtol=0)


def test_common_noise_shares_its_course_up_to_the_sign():
    positions = 1000.0 * torch.eye(3)[:, :2].repeat(5000, 1, 1)
    parameters = dataclasses.replace(QUIET, noise_correlation=(0.0, 0.0), noise_common=(0.4, 0.4))
    covariance = spatial_covariance(positions, parameters, generator())
    off_diagonal = covariance[:, 0, 1]
    torch.testing.assert_close(covariance.diagonal(dim1=1, dim2=2), torch.ones(5000, 3))
    assert off_diagonal.abs().min().item() == pytest.approx(0.4, abs=1e-3)
    assert off_diagonal.abs().max().item() == pytest.approx(0.4, abs=1e-3)
    # A channel's sign is negative with probability 0.15, so two agree in 74.5 of 100 spikes.
    assert (off_diagonal > 0).float().mean().item() == pytest.approx(0.745, abs=0.02)


def test_recorded_noise_keeps_its_course_and_takes_the_covariance_asked_for():
    time = torch.arange(400)
    recorded = 2**0.5 * torch.sin(2 * torch.pi * time / 16)[None].repeat(3, 1)
    positions = torch.tensor([[0.0, 0.0], [0.0, 50.0]]).repeat(6000, 1, 1)
    parameters = dataclasses.replace(
        QUIET, recorded_noise_probability=1.0, noise_correlation=(0.6, 0.6), noise_length_um=(50.0, 50.0)
    )
    noise = draw_noise(positions, 64, 30000.0, parameters, generator(), recorded)
    measured = torch.einsum("ntc,ntd->cd", noise, noise) / (noise.shape[0] * noise.shape[1])
    expected = torch.tensor([[1.0, 0.6 * np.exp(-1)], [0.6 * np.exp(-1), 1.0]], dtype=torch.float32)
    torch.testing.assert_close(measured, expected, atol=0.02, rtol=0)
    power = torch.fft.rfft(noise, dim=1).abs().square().mean(dim=(0, 2))
    assert power.argmax() == 4
    assert power[4] > 0.99 * power.sum()


def test_noise_has_the_spectrum_asked_for_in_time():
    positions = torch.zeros(4000, 2, 2)
    parameters = dataclasses.replace(
        QUIET, noise_highpass_hz=(300.0, 300.0), noise_lowpass_hz=(5000.0, 5000.0), noise_slope=(1.0, 1.0)
    )
    num_samples = 512
    noise = draw_noise(positions, num_samples, 30000.0, parameters, generator())[..., 0]
    assert noise.var().item() == pytest.approx(1.0, abs=0.02)
    window = torch.hann_window(num_samples)
    power = torch.fft.rfft(noise * window, dim=1).abs().square().mean(dim=0).numpy()
    frequency = np.fft.rfftfreq(num_samples, 1 / 30000)
    expected = 1 / frequency[1:] / (1 + (300 / frequency[1:]) ** 6) / (1 + (frequency[1:] / 5000) ** 6)
    band = (frequency[1:] > 500) & (frequency[1:] < 8000)
    ratio = power[1:][band] / expected[band]
    assert np.abs(ratio / ratio.mean() - 1).max() < 0.15


def test_shift_is_a_delay_with_fractions():
    time = torch.arange(121.0)

    def spike(center):
        return torch.exp(-(((time - center) / 4) ** 2))[None, :, None]

    for shift in (-1.75, -0.5, 0.0, 0.3, 2.0):
        shifted = shift_in_time(spike(42.0), torch.tensor([shift]))
        torch.testing.assert_close(shifted, spike(42.0 + shift), atol=1e-4, rtol=0)


@pytest.mark.slow
def test_jitter_is_symmetric_and_sub_sample():
    parameters = dataclasses.replace(QUIET, jitter_samples=2.0)
    views = SpikeViews(parameters, HuiduRepConfig(), source_peak_sample=42, source_num_samples=121)
    spikes = make_spikes(3000)
    view, _ = views(spikes, spikes, generator())
    shape = view.clean[:, 12:37, 0].abs()
    centers = (shape * torch.arange(12.0, 37.0)).sum(1) / shape.sum(1) - 24
    assert centers.mean().abs() < 0.06
    assert centers.min() < -1.9
    assert centers.max() > 1.9
    assert len(torch.unique(centers.round(decimals=3))) > 1000


@pytest.mark.slow
def test_amplitude_and_signal_to_noise_lie_in_their_ranges():
    parameters = dataclasses.replace(QUIET, snr=(4.0, 16.0), amplitude=(0.8, 1.2))
    views = SpikeViews(parameters, HuiduRepConfig(), source_peak_sample=42, source_num_samples=121)
    spikes = make_spikes(5000)
    first, second = views(spikes, spikes, generator())
    peak, paired_peak = first.clean.abs().amax(dim=(1, 2)), second.clean.abs().amax(dim=(1, 2))
    assert peak.min() >= 4 * 0.8 - 1e-3
    assert peak.max() <= 16 * 1.2 + 1e-3
    assert torch.log(peak).mean().item() == pytest.approx(np.log(8), abs=0.03)
    ratio = peak / paired_peak
    assert ratio.min() >= 0.8 / 1.2 - 1e-3
    assert ratio.max() <= 1.2 / 0.8 + 1e-3


@pytest.mark.slow
def test_noise_units_are_unit_variance_around_the_clean_spike():
    views = SpikeViews(QUIET, HuiduRepConfig(), source_peak_sample=42, source_num_samples=121)
    spikes = make_spikes(4000)
    view, _ = views(spikes, spikes, generator())
    assert (view.waveforms - view.clean).std().item() == pytest.approx(1.0, abs=0.02)
    assert view.clean.abs().amax(dim=2).argmax(dim=1).unique().tolist() == [24]


def test_shifts_bring_zeros_in_and_nothing_round_the_end():
    step = torch.zeros(1, 121, 1)
    step[:, 100:] = 1.0
    late = shift_in_time(step, torch.tensor([10.0]))
    assert late[0, :90].abs().max() < 1e-5
    early = shift_in_time(step, torch.tensor([-10.0]))
    assert early[0, 111:].abs().max() < 1e-5
    assert early[0, 95:105].min() > 0.99


def test_a_misalignment_is_rarer_and_longer_than_the_jitter():
    parameters = dataclasses.replace(QUIET, jitter_samples=1.0, misalignment_probability=0.3, misalignment_samples=8.0)
    shift = draw_shift(20000, parameters, generator())
    # Of the misaligned, one in eight lies within the jitter.
    assert (shift.abs() > 1).float().mean().item() == pytest.approx(0.3 * 7 / 8, abs=0.02)
    assert shift.abs().max().item() == pytest.approx(8.0, abs=0.02)
    assert shift.mean().item() == pytest.approx(0.0, abs=0.06)


def test_truncated_windows_hold_the_trough_and_are_shared_by_the_pair():
    parameters = dataclasses.replace(
        QUIET, truncation_probability=0.4, truncation_before=(5.0, 10.0), truncation_after=(20.0, 30.0)
    )
    stored = draw_truncation(5000, 72, 24, parameters, generator())
    cut = stored.min(dim=1).values == 0
    assert cut.float().mean().item() == pytest.approx(0.4, abs=0.03)
    before, after = stored[cut, :24].sum(dim=1), stored[cut, 24:].sum(dim=1)
    assert (before.min(), before.max(), after.min(), after.max()) == (5, 9, 21, 30)
    spikes = make_spikes(200)
    first, second = SpikeViews(parameters, HuiduRepConfig(), 42, 121)(spikes, spikes, generator())
    empty = first.waveforms.abs().amax(dim=2) == 0
    assert empty.any()
    assert torch.equal(empty, second.waveforms.abs().amax(dim=2) == 0)
    # The target stays whole.
    assert (first.clean.abs().amax(dim=2) > 0)[:, 20:40].all()


def test_channel_gains_differ_between_channels_and_views():
    parameters = dataclasses.replace(QUIET, channel_gain=(0.8, 1.2), snr=(20.0, 20.0))
    spikes = make_spikes(2000, num_channels=4)
    first, second = SpikeViews(parameters, HuiduRepConfig(), 42, 121)(spikes, spikes, generator())
    true = 20 * torch.exp(-spikes.positions[:, :, 1].abs() / 40)
    for view in (first, second):
        gain = view.clean.abs().amax(dim=1) / true
        assert gain.min() >= 0.8 - 1e-3
        assert gain.max() <= 1.2 + 1e-3
        assert gain.std(dim=0).min().item() == pytest.approx(0.4 / 12**0.5, abs=0.01)
    assert not torch.allclose(first.clean, second.clean)


@pytest.mark.slow
def test_collisions_come_as_often_as_asked_and_leave_the_target_clean():
    parameters = dataclasses.replace(QUIET, num_collisions=1, collision_probability=0.4, snr=(10.0, 10.0))
    spikes = make_spikes(4000, num_channels=11)
    other = interfering_spikes(spikes, parameters, generator())
    hit = other.abs().amax(dim=(1, 2)) > 0
    assert hit.float().mean().item() == pytest.approx(0.4, abs=0.03)
    assert other.abs().amax() <= spikes.waveforms.abs().amax() * 1.001
    twice = interfering_spikes(spikes, dataclasses.replace(parameters, num_collisions=2), generator())
    assert (twice.abs().amax(dim=(1, 2)) > 0).float().mean().item() == pytest.approx(1 - 0.6**2, abs=0.03)
    views = SpikeViews(parameters, HuiduRepConfig(), source_peak_sample=42, source_num_samples=121)
    view, _ = views(spikes, spikes, generator())
    silent, _ = SpikeViews(dataclasses.replace(parameters, collision_probability=0.0), HuiduRepConfig(), 42, 121)(
        spikes, spikes, generator()
    )
    torch.testing.assert_close(view.clean[:50], silent.clean[:50])


def test_collisions_keep_their_distance_in_time():
    parameters = dataclasses.replace(
        QUIET,
        num_collisions=1,
        collision_probability=1.0,
        collision_shift_samples=(10.0, 20.0),
        collision_scale=(1.0, 1.0),
    )
    other = interfering_spikes(make_spikes(2000, num_channels=11), parameters, generator())
    shift = other.abs().amax(dim=2).argmax(dim=1) - 42
    assert shift.abs().min() >= 10
    assert shift.abs().max() <= 20
    assert (shift > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_background_units_have_their_own_amplitude_whatever_the_spike_has():
    parameters = dataclasses.replace(
        QUIET, num_background=1, background_probability=0.5, background_peak=(1.0, 2.0), snr=(30.0, 30.0)
    )
    other = interfering_spikes(make_spikes(4000, num_channels=11), parameters, generator())
    peak = other.abs().amax(dim=(1, 2))
    assert (peak > 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    # Centred on any channel, so its own peak channel may lie outside; then less is seen of it.
    assert peak.max() <= 2.0 + 1e-3
    assert peak[peak > 0].median() >= 1.0


def test_crop_keeps_the_nearest_and_the_peak_first():
    cropped = crop_channels(make_spikes(3), 5)
    assert cropped.positions[0, :, 1].abs().tolist() == [0, 20, 20, 40, 40]
    assert cropped.waveforms[0].abs().amax(dim=0).argmax() == 0


def test_crop_takes_padding_last():
    spikes = make_spikes(2, num_channels=8)
    spikes.mask[:, 3:] = False
    spikes.positions[:, 3:] = 0.0
    cropped = crop_channels(spikes, 5)
    assert cropped.mask.tolist() == [[True] * 3 + [False] * 2] * 2


def test_dropped_channels_follow_the_mask_and_spare_the_peak():
    parameters = dataclasses.replace(QUIET, dropout_probability=0.5, dropout_fraction=0.2)
    dropped = drop_channels(make_spikes(8000, num_channels=11), parameters, generator())
    assert dropped.mask[:, 0].all()
    assert (~dropped.mask[:, 1:]).float().mean().item() == pytest.approx(0.1, abs=0.01)
    views = SpikeViews(parameters, HuiduRepConfig(), source_peak_sample=42, source_num_samples=121)
    view, _ = views(make_spikes(500), make_spikes(500), generator())
    missing = view.mask == 0
    assert missing.any()
    assert view.waveforms.transpose(1, 2)[missing].abs().max() == 0
    assert view.clean.transpose(1, 2)[missing].abs().max() == 0


def test_a_misplaced_peak_moves_the_physical_positions():
    parameters = dataclasses.replace(QUIET, misplacement_probability=0.5, misplacement_ratio=0.6)
    spikes = make_spikes(6000, num_channels=11)
    moved = misplace_peak(spikes, parameters, generator())
    shift = (spikes.positions - moved.positions)[:, 0, 1]
    # Contacts at 20 µm have exp(-0.5) = 0.61 of the peak's amplitude, those at 40 µm 0.37.
    assert sorted(shift.unique().tolist()) == [-20.0, 0.0, 20.0]
    assert (shift != 0).float().mean().item() == pytest.approx(0.5 * 2 / 3, abs=0.03)
    assert crop_channels(moved, 11).positions[:, 0].abs().max() == 0
    # The unit stays where it is on the probe.
    torch.testing.assert_close(moved.locations - moved.positions[:, 0], spikes.locations - spikes.positions[:, 0])


def test_recorded_spikes_keep_their_size_and_have_no_known_truth():
    parameters = dataclasses.replace(QUIET, snr=(10.0, 10.0), extra_noise=(0.5, 0.5))
    spikes = make_spikes(2000, num_channels=4)
    spikes.is_recorded[:1000] = True
    view, _ = SpikeViews(parameters, HuiduRepConfig(), 42, 121)(spikes, spikes, generator())
    assert view.clean[:1000].isnan().all() and view.locations[:1000].isnan().all()
    assert view.clean[1000:].isfinite().all() and view.locations[1000:].isfinite().all()
    # The troughs of 50 are 50 noise SDs deep already.
    assert view.waveforms[:1000, 24, 0].mean().item() == pytest.approx(-50, abs=0.1)
    assert view.waveforms[1000:, 24, 0].mean().item() == pytest.approx(-10, abs=0.1)
    assert view.waveforms[:1000, 24, 0].std().item() == pytest.approx(0.5, abs=0.05)
    assert view.waveforms[1000:, 24, 0].std().item() == pytest.approx(1.0, abs=0.08)


def test_another_spike_of_the_unit_takes_the_place_of_a_clean_one_that_nobody_knows():
    parameters = dataclasses.replace(
        QUIET, snr=(10.0, 10.0), extra_noise=(0.0, 0.0), amplitude=(0.5, 1.5), jitter_samples=2.0
    )
    spikes = make_spikes(300, num_channels=12)
    spikes.is_recorded[:200] = True
    partners = spikes.waveforms + torch.randn(spikes.waveforms.shape, generator=generator(5))
    partners[100:] = torch.nan
    paired = dataclasses.replace(spikes, partners=partners)
    view, _ = SpikeViews(parameters, HuiduRepConfig(), 42, 121)(paired, spikes, generator())
    # Drawn, scaled and shifted as the spike is: without noise of its own the view is the clean spike.
    error = view.clean[:100] - view.waveforms[:100]
    scale = view.waveforms[:100, 24, 0].abs().mean() / 50
    assert error.mean().item() == pytest.approx(0.0, abs=0.01)
    assert error.std().item() == pytest.approx(scale.item(), rel=0.1)
    assert view.clean[100:200].isnan().all() and view.clean[200:].isfinite().all()


def test_views_follow_from_the_generator():
    views = SpikeViews(ViewParameters(), HuiduRepConfig(), source_peak_sample=42, source_num_samples=121)
    spikes = make_spikes(20)
    first, _ = views(spikes, spikes, generator(1))
    again, _ = views(spikes, spikes, generator(1))
    other, _ = views(spikes, spikes, generator(2))
    assert torch.equal(first.waveforms, again.waveforms)
    assert not torch.equal(first.waveforms, other.waveforms)


def test_what_cannot_be_shifted_is_refused():
    with pytest.raises(ValueError, match="longer window"):
        SpikeViews(ViewParameters(), HuiduRepConfig(), source_peak_sample=20, source_num_samples=121)
    with pytest.raises(ValueError, match="end 58 samples after the trough.*window of 110 .* smaller window_size"):
        SpikeViews(ViewParameters(), HuiduRepConfig(window_size=110), source_peak_sample=42, source_num_samples=100)
    with pytest.raises(ValueError, match="at most 23"):
        SpikeViews(ViewParameters(jitter_samples=40.0), HuiduRepConfig(), source_peak_sample=42, source_num_samples=121)


def line_of_contacts(num_spikes, num_channels=6):
    positions = torch.stack([torch.zeros(num_channels), 20.0 * torch.arange(num_channels)], dim=1)
    return positions.repeat(num_spikes, 1, 1), torch.ones(num_spikes, num_channels) > 0


def a_spike(whitening, num_samples=121):
    """A trough as the whitened recording shows it, of length 1."""
    time = torch.arange(float(num_samples))
    trough = -torch.exp(-(((time - 42) / 5) ** 2)) + 0.3 * torch.exp(-(((time - 58) / 9) ** 2))
    matrix = whitening.matrix(torch.zeros(1, 1, 2), torch.ones(1, 1) > 0)
    alone = whitening.apply(trough[None, :, None], matrix)[0, :, 0]
    return alone / alone.norm()


def test_noise_of_a_recording_becomes_what_the_views_draw():
    whitening = draw_whitening(30000.0, ONE_RECORDING, generator())
    positions, mask = line_of_contacts(4000)
    recorded = draw_noise(positions, 140, 30000.0, ONE_RECORDING, generator(1))
    whitened = whitening.apply(recorded, whitening.matrix(positions, mask))[:, 19:]
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
    whitening = draw_whitening(30000.0, ONE_RECORDING, generator())
    positions, mask = line_of_contacts(2)
    waveforms = torch.randn(2, 121, 6, generator=generator(3))
    mask[:, 2] = False
    other = waveforms.clone()
    other[:, :, 2] += 100.0
    there = [0, 1, 3, 4, 5]
    matrix = whitening.matrix(positions, mask)
    first, second = (whitening.apply(part, matrix)[:, :, there] for part in (waveforms, other))
    # Of 100 on the channel that is not there, a millionth may come through: single precision.
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)


def test_a_batch_is_one_recording_and_its_target_is_whitened():
    spikes = make_spikes(300)
    config = HuiduRepConfig()
    first, second = SpikeViews(ONE_RECORDING, config, 42, 121)(spikes, spikes, generator())
    torch.testing.assert_close(first.clean, second.clean)
    plain = dataclasses.replace(ONE_RECORDING, whitening_probability=0.0)
    unwhitened, _ = SpikeViews(plain, config, 42, 121)(spikes, spikes, generator())
    assert (first.clean - unwhitened.clean).abs().max() > 1
    noise = (first.waveforms - first.clean)[:, :, 0]
    assert 0.6 < noise.std() < 1.1
    neighbours = torch.corrcoef(torch.stack([(first.waveforms - first.clean)[:, :, k].flatten() for k in (0, 1)]))
    assert neighbours[0, 1].abs() < 0.03


def test_another_batch_is_another_recording():
    varied = dataclasses.replace(ONE_RECORDING, noise_slope=(0.0, 1.5))
    source = generator()
    first, second = draw_whitening(30000.0, varied, source), draw_whitening(30000.0, varied, source)
    assert (first.taps - second.taps).abs().max() > 0.05


def test_the_filter_is_the_one_that_whitens_recordings():
    whitening = draw_whitening(30000.0, ONE_RECORDING, generator())
    alone = torch.zeros(3000, 1, 2)
    noise = draw_noise(alone, 400, 30000.0, ONE_RECORDING, generator(1))
    found = prediction_error_filter(list(noise.numpy()), 30000.0, WhiteningSettings())
    torch.testing.assert_close(
        (whitening.taps / whitening.taps[0]).double(), torch.from_numpy(found), atol=0.02, rtol=0
    )
    filtered = whitening.apply(noise, torch.ones(3000, 1, 1))[:, 20:] / whitening.taps[0]
    dependence = samples_per_independent_one(list(filtered.numpy()), 30000.0, WhiteningSettings())
    assert whitening.taps[0].item() == pytest.approx(1 / (filtered.std().item() * dependence**0.5), rel=0.05)


def test_all_pairs_of_a_unit_have_its_signal_to_noise_ratio():
    spikes = make_spikes(40)
    parameters = dataclasses.replace(QUIET, snr=(3.0, 30.0))
    views = SpikeViews(parameters, HuiduRepConfig(), 42, 121)(spikes, spikes, generator(), pairs_per_unit=4)
    for view in views:
        peaks = view.clean.abs().amax(dim=(1, 2)).reshape(4, 10)
        torch.testing.assert_close(peaks, peaks[:1].expand(4, 10))
        assert len(peaks[0].unique()) == 10
