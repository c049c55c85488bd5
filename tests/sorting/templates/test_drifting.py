import dataclasses

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.sorting.matching.engine import Matcher
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.templates.drifting import Field
from huidurep_hf.sorting.templates.find_templates import find_templates


@pytest.fixture(scope="module")
def templates(moving):
    return find_templates(moving.units, moving.samples, moving.events, moving.whitened, SortingParameters())


def test_templates_move_with_the_tissue(moving, templates):
    assert len(templates.states) >= 8
    assert templates.channels.tolist() == [6, 13, 17]
    for unit, rest in enumerate(moving.rests_um):
        for state, displacement in enumerate(templates.states.displacements_at(rest)):
            truth = moving.template(unit, displacement)
            error = np.square(templates.waveforms_of(state)[unit] - truth).sum() / np.square(truth).sum()
            assert error < 0.05, (unit, state, error)


@pytest.mark.slow
def test_units_stay_on_their_shank(moving, templates):
    """Two shanks with contacts at the same nominal places, channels in turn; the neurons are before the second."""
    uncorrected, num_channels = moving.whitened.uncorrected, moving.NUM_CHANNELS
    traces = np.zeros((uncorrected.recording.get_num_samples(), 2 * num_channels), dtype="float32")
    traces[:, 0::2] = np.random.default_rng(3).normal(size=(len(traces), num_channels))
    traces[:, 1::2] = uncorrected.recording.get_traces()
    on_shanks = dataclasses.replace(
        uncorrected,
        recording=NumpyRecording([traces], sampling_frequency=uncorrected.recording.get_sampling_frequency()),
        positions=np.repeat(uncorrected.positions, 2, axis=0),
        shanks=np.tile([0, 1], num_channels),
        noise_levels=np.ones(2 * num_channels, dtype="float32"),
        sample_sd=np.ones(2 * num_channels, dtype="float32"),
    )
    whitened = dataclasses.replace(on_shanks, motion=moving.whitened.motion, uncorrected=on_shanks)
    events = moving.events.with_columns(channel_index=2 * moving.events["channel_index"] + 1)
    found = find_templates(moving.units, moving.samples, events, whitened, SortingParameters())
    assert len(found.states) == len(templates.states)
    for state in range(len(templates.states)):
        assert not found.waveforms_of(state)[..., 0::2].any()
        np.testing.assert_allclose(found.waveforms_of(state)[..., 1::2], templates.waveforms_of(state), atol=1e-4)


def test_spikes_are_found_wherever_the_tissue_is(moving, templates):
    matched = Matcher(moving.whitened.uncorrected, templates, SortingParameters()).match()
    assert (np.diff(matched["sample_index"]) >= 0).all()
    assert len(matched) < 1.03 * len(moving.samples)
    for unit in range(3):
        found = matched["sample_index"][matched["unit_index"] == unit]
        true = moving.samples[moving.units == unit]
        assert np.mean([np.abs(found - sample).min() <= 6 for sample in true]) > 0.97
    assert set(matched["channel_index"]) == set(templates.channels)


def test_spikes_are_looked_at_where_they_were_recorded(moving, templates):
    placed = templates.channels_in_place[templates.states_of(moving.events), moving.units]
    nearest = np.round((moving.rests_um[moving.units] + moving.displacement_at(moving.samples)) / 20.0)
    assert (np.abs(placed - nearest) <= 1).all()
    assert (placed == nearest).mean() > 0.8


def test_probabilities_are_those_of_the_drifting_templates(moving):
    given = moving.units.copy()
    is_wrong = np.random.default_rng(0).random(len(given)) < 0.05
    # Of the neuron 79 µm further on.
    given[is_wrong & (given == 1)] = 2
    templates = find_templates(given, moving.samples, moving.events, moving.whitened, SortingParameters())
    spikes = moving.events.with_columns(unit_index=given)
    probabilities = Matcher(moving.whitened.uncorrected, templates, SortingParameters()).judge_known(spikes)
    assert (probabilities[given == moving.units] > 0.9).mean() > 0.95
    assert (probabilities[given != moving.units] < 0.1).mean() > 0.95


def test_a_field_is_known_where_it_was_seen():
    rng = np.random.default_rng(0)
    places = np.stack([np.zeros(200), rng.uniform(0, 100, 200)], axis=1)
    value = np.stack([np.exp(-0.5 * ((places[:, 1] - 50) / 15) ** 2), np.sin(places[:, 1] / 20)], axis=1) * 5
    field = Field(places, value + rng.normal(size=value.shape), np.ones(200))
    inside = np.stack([np.zeros(50), np.linspace(5, 95, 50)], axis=1)
    truth = np.stack([np.exp(-0.5 * ((inside[:, 1] - 50) / 15) ** 2), np.sin(inside[:, 1] / 20)], axis=1) * 5
    scores, variances = field.at(inside)
    assert np.square(scores - truth).mean() < 0.15
    # The error is what it is said to be, and far away nothing is known.
    assert 0.4 < np.square(scores - truth).mean() / variances.mean() < 2.5
    far, unsure = field.at(np.array([[0.0, 1000.0]]))
    np.testing.assert_allclose(far, 0, atol=1e-6)
    assert unsure[0] == pytest.approx(field.prior)
