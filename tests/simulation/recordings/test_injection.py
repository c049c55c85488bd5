from dataclasses import replace

import numpy as np
import pytest

from huidurep_hf.simulation.recordings.injection import (
    AMPLITUDE_VARIATION,
    RecordingChain,
    drift_trajectory,
    record_units,
    spike_trains,
)

CHAIN = RecordingChain(duration_s=20.0, noise_level_uv=2.0, firing_rate_range_hz=(15.0, 20.0), seed=1)


def _spikes(truth, unit, first=0, last=None):
    """Waveforms of a unit's lone spikes, 40 samples before to 49 after each, and their times."""
    samples = truth.sorting.get_unit_spike_train(unit)
    others = truth.sorting.get_unit_spike_train(1 - unit)
    lone = samples[np.abs(samples[:, None] - others).min(axis=1) > 120]
    lone = lone[(lone >= first) & (lone < (last or truth.recording.get_num_samples()))]
    traces = truth.recording.get_traces()
    return np.stack([traces[sample - 40 : sample + 50] for sample in lone])


def test_averaging_recovers_the_template(made_templates):
    templates, probe = made_templates
    truth = record_units(templates, probe, CHAIN)
    for unit in (0, 1):
        spikes = _spikes(truth, unit)
        assert len(spikes) > 150
        tolerance = 6 * 3.0 / np.sqrt(len(spikes)) + 0.03 * 100
        np.testing.assert_allclose(spikes.mean(axis=0), templates.waveforms[1, unit], atol=tolerance)


def test_amplitudes_vary(made_templates):
    templates, probe = made_templates
    truth = record_units(templates, probe, replace(CHAIN, noise_level_uv=0.01))
    # Over the trough's whole width, so that a spike's place between samples does not count.
    areas = _spikes(truth, 0)[:, 30:51, 1].sum(axis=1)
    assert areas.std() / abs(areas.mean()) == pytest.approx(AMPLITUDE_VARIATION, rel=0.2)


def test_drift_moves_the_spikes_along_the_probe(made_templates):
    templates, probe = made_templates
    truth = record_units(templates, probe, replace(CHAIN, drift_um=40.0, noise_level_uv=1.0, duration_s=40.0))
    rate = 30_000
    up, down = _spikes(truth, 0, 9 * rate, 11 * rate), _spikes(truth, 0, 29 * rate, 31 * rate)
    assert len(up) > 10 and len(down) > 10
    np.testing.assert_allclose(up.mean(axis=0), templates.waveforms[2, 0], atol=10)
    np.testing.assert_allclose(down.mean(axis=0), templates.waveforms[0, 0], atol=10)
    assert up.mean(axis=0).min(axis=0).argmin() == 2
    assert down.mean(axis=0).min(axis=0).argmin() == 0


def test_trajectory():
    along = drift_trajectory(replace(CHAIN, drift_um=30.0))[:, 1]
    assert along[0] == 0
    assert along.max() == pytest.approx(15, abs=0.01)
    assert along.min() == pytest.approx(-15, abs=0.01)
    assert (drift_trajectory(CHAIN) == 0).all()


def test_what_comes_back(made_templates):
    templates, probe = made_templates
    truth = record_units(templates, probe, CHAIN)
    recording = truth.recording
    assert recording.get_num_samples() == 600_000
    assert recording.get_sampling_frequency() == 30_000
    np.testing.assert_array_equal(recording.get_channel_locations(), probe.contact_positions)
    stretch = dict(start_frame=1000, end_frame=2000)
    np.testing.assert_allclose(recording.get_traces(**stretch, return_in_uV=True), recording.get_traces(**stretch))
    assert list(truth.sorting.unit_ids) == list(truth.units["unit_id"]) == [0, 1]
    assert truth.unit_snr == {0: 50.0, 1: 30.0}
    for unit, rate in zip(truth.sorting.unit_ids, truth.units["firing_rate_hz"]):
        samples = truth.sorting.get_unit_spike_train(unit)
        assert 15 <= rate <= 20
        assert len(samples) == pytest.approx(20 * rate, rel=0.25)
        assert np.diff(samples).min() >= 0.0025 * 30_000 - 1


def test_chunks_are_the_whole(made_templates):
    templates, probe = made_templates
    recording = record_units(templates, probe, replace(CHAIN, duration_s=2.0)).recording
    whole = recording.get_traces()
    pieces = [recording.get_traces(start_frame=start, end_frame=start + 7_500) for start in range(0, 60_000, 7_500)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


def test_seed(made_templates):
    templates, probe = made_templates
    chain = replace(CHAIN, duration_s=2.0)
    first, again, other = (
        record_units(templates, probe, replace(chain, seed=seed)).recording.get_traces() for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_trains_without_a_pattern_are_those_of_published_figures():
    _, trains, amplitudes = spike_trains(np.zeros(2), CHAIN, np.random.default_rng(5))
    assert [train[:4].tolist() for train in trains] == [[2042, 2917, 3038, 3769], [3160, 4087, 4209, 5576]]
    assert [len(train) for train in trains] == [395, 415]
    assert all((factors == 1).all() for factors in amplitudes)


def test_a_background_of_another_length_is_refused(made_templates):
    templates, probe = made_templates
    with pytest.raises(ValueError, match=r"shape \(10, 4\); expected \(600000, 4\)"):
        record_units(templates, probe, CHAIN, np.zeros((10, 4), np.float32))


def test_too_short(made_templates):
    templates, probe = made_templates
    with pytest.raises(ValueError, match="duration of 0.01 s; expected more than 0.02 s"):
        record_units(templates, probe, replace(CHAIN, duration_s=0.01))


def test_a_recording_without_spikes(made_templates):
    templates, probe = made_templates
    chain = RecordingChain(duration_s=0.5, noise_level_uv=2.0, firing_rate_range_hz=(1e-6, 1e-6))
    truth = record_units(templates, probe, chain)
    assert truth.sorting.count_num_spikes_per_unit(outputs="array").sum() == 0
    assert np.abs(truth.recording.get_traces()).max() < 20
