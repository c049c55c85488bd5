from dataclasses import replace

import numpy as np
import pytest

from huidurep_hf.simulation.recordings import sessions as sessions_module
from huidurep_hf.simulation.recordings.session_settings import SessionSettings
from huidurep_hf.simulation.recordings.sessions import day_templates, draw_days, draw_neurons, generate_sessions

from ...made_cells import fill_cache

PLAIN = SessionSettings("poly2_32", num_neurons=12, duration_s=3.0, scatter_um=0.0, visible_snr=0.0)


@pytest.fixture(autouse=True, scope="module")
def cells(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cells")
    fill_cache(cache)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUIDUREP_CACHE", str(cache))
        yield


def _templates(settings):
    days = draw_days(settings)
    neurons = draw_neurons(settings, days)
    rng = np.random.default_rng(0)
    templates = [day_templates(neurons, day, settings, days, rng) for day in range(settings.num_days)]
    for one in templates:
        one.units.set_index("neuron", inplace=True)
    return templates, days


def _common(first, second):
    return first.units.index.intersection(second.units.index)


def _waveforms(templates, neurons):
    return templates.waveforms[0, templates.units.loc[neurons, "unit_id"]]


def test_days_are_displaced_by_about_what_was_asked_for():
    days = [draw_days(replace(PLAIN, displacement_um=100.0, num_days=5, seed=seed)) for seed in range(20)]
    steps = np.abs(np.concatenate([np.diff(day.displacements_um) for day in days]))
    assert all(day.displacements_um[0] == 0 for day in days)
    assert 80 <= steps.min() < 90 and 110 < steps.max() <= 120


def test_gain_and_noise_change_within_their_limits():
    days = [draw_days(replace(PLAIN, gain_change=0.5, num_days=4, seed=seed)) for seed in range(20)]
    gains = np.array([day.gains for day in days])
    assert (gains[:, 0] == 1).all() and gains.min() >= 1 / 1.5 and gains.max() <= 1.5
    assert gains[:, 1:].std() > 0.1
    assert all((day.noise_factors == 1).all() for day in days)


def test_a_share_of_the_neurons_is_replaced_each_day():
    settings = replace(PLAIN, num_neurons=20, num_days=3, replaced_share=0.3)
    neurons = draw_neurons(settings, draw_days(settings))
    lives = np.array([neuron.lives for neuron in neurons])
    assert (lives.sum(axis=0) == 20).all()
    assert ((lives[:, 0] & lives[:, 1]).sum(), (lives[:, 1] & lives[:, 2]).sum()) == (14, 14)


def test_silent_neurons_come_back():
    settings = replace(PLAIN, num_days=6, replaced_share=0.0, silent_share=0.3)
    fires = np.array([neuron.fires for neuron in draw_neurons(settings, draw_days(settings))])
    assert 0.5 < fires.mean() < 0.9
    assert any("".join("10"[not one] for one in row).strip("0").count("0") for row in fires)


def test_neurons_move_with_the_tissue_and_the_waveforms_with_them():
    (first, second), days = _templates(replace(PLAIN, displacement_um=50.0, replaced_share=0.2))
    both = _common(first, second)
    assert len(both) >= 5
    moved = second.units.loc[both, "y"] - first.units.loc[both, "y"]
    np.testing.assert_allclose(moved, days.displacements_um[1], atol=1e-9)
    assert not np.allclose(_waveforms(first, both), _waveforms(second, both), atol=5)


def test_the_same_neuron_at_the_same_place_differs_by_the_gain_alone():
    (first, second), days = _templates(replace(PLAIN, gain_change=0.5))
    both = _common(first, second)
    np.testing.assert_allclose(_waveforms(second, both), days.gains[1] * _waveforms(first, both), rtol=1e-5)


def test_distance_and_amplitude_wander():
    (first, second), _ = _templates(replace(PLAIN, distance_step_um=5.0, replaced_share=0.0, num_neurons=20))
    both = _common(first, second)
    ratio = np.ptp(_waveforms(second, both), axis=(1, 2)) / np.ptp(_waveforms(first, both), axis=(1, 2))
    assert ratio.min() < 0.95 and ratio.max() > 1.05
    (first, second), _ = _templates(replace(PLAIN, amplitude_step=0.2, replaced_share=0.0, num_neurons=20))
    both = _common(first, second)
    ratio = _waveforms(second, both).min(axis=(1, 2)) / _waveforms(first, both).min(axis=(1, 2))
    assert 0.1 < np.log(ratio).std() < 0.3
    # No other shape.
    np.testing.assert_allclose(
        _waveforms(second, both), ratio[:, None, None] * _waveforms(first, both), rtol=1e-4, atol=1e-3
    )


def test_faint_neurons_are_left_out_of_a_day():
    (first, _), _ = _templates(replace(PLAIN, visible_snr=8.0, snr_range=(5.0, 30.0)))
    assert (first.units["amplitude_uv"] >= 8 * 9.0).all()


def test_recordings_of_days():
    from spikeinterface.preprocessing import bandpass_filter

    settings = replace(PLAIN, num_neurons=8, displacement_um=30.0, noise_change=0.5, gain_change=0.3, drift_um=4.0)
    sessions = list(generate_sessions(settings))
    assert [session.displacement_um == 0 for session in sessions] == [True, False]
    for session in sessions:
        recording, sorting, units = session.truth.recording, session.truth.sorting, session.truth.units
        filtered = bandpass_filter(recording, 300, 6000).get_traces()
        deviation = np.median(np.abs(filtered)) / 0.6745
        assert deviation == pytest.approx(session.noise_level_uv, rel=0.1)
        assert list(sorting.get_property("neuron")) == list(units["neuron"])
        assert list(sorting.unit_ids) == list(range(len(units)))
        # The order of the units tells nothing.
        assert list(units["neuron"]) != sorted(units["neuron"])
    again = next(generate_sessions(settings))
    np.testing.assert_array_equal(again.truth.recording.get_traces(), sessions[0].truth.recording.get_traces())


def test_what_cannot_be_made(monkeypatch):
    monkeypatch.setattr(sessions_module, "MAXIMAL_TRIES_PER_UNIT", 3)
    with pytest.raises(ValueError, match="replaced_share=1.5; it must be between 0 and 1"):
        replace(PLAIN, replaced_share=1.5)
    with pytest.raises(ValueError, match="ask for fewer neurons, a wider snr_range or less noise"):
        next(generate_sessions(replace(PLAIN, snr_range=(900.0, 901.0))))
