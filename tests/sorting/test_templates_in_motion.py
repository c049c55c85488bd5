import dataclasses

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording
from spikeinterface.core.motion import Motion
from spikeinterface.core.node_pipeline import base_peak_dtype

from huidurep_hf.recording.preparation import PreparedRecording
from huidurep_hf.sorting.finding_templates import find_templates
from huidurep_hf.sorting.matching import match_templates
from huidurep_hf.sorting.probabilities import spike_probabilities
from huidurep_hf.sorting.templates_in_motion import Field

RATE, SECONDS, NUM_CHANNELS, WIDTH_UM = 30000.0, 60, 24, 14.0
RESTS_UM, SIZES = (120.0, 262.0, 341.0), (9.0, 12.0, 7.0)


def true_template(rest_um, size, displacement_um):
    """`(90, NUM_CHANNELS)`: narrower than the contacts are apart."""
    time = np.arange(90) - 30
    shape = -np.exp(-0.5 * (time / 3.0) ** 2) + 0.4 * np.exp(-0.5 * ((time - 9) / 6.0) ** 2)
    distances = 20.0 * np.arange(NUM_CHANNELS) - rest_um - displacement_um
    return size * shape[:, None] * np.exp(-0.5 * (distances / WIDTH_UM) ** 2)


def displacement_at(samples):
    return 25 * np.sin(2 * np.pi * samples / (SECONDS * RATE))


@pytest.fixture(scope="module")
def moving():
    """Three neurons that move by 50 µm before contacts 20 µm apart: `(whitened, events, samples, units)`."""
    rng = np.random.default_rng(2)
    num_samples = int(SECONDS * RATE)
    traces = rng.normal(size=(num_samples, NUM_CHANNELS)).astype("float32")
    trains = [np.sort(rng.choice(np.arange(100, num_samples - 100, 200), 400, replace=False)) for _ in RESTS_UM]
    for train, rest, size in zip(trains, RESTS_UM, SIZES):
        for sample in train:
            traces[sample - 30 : sample + 60] += true_template(rest, size, displacement_at(sample))
    recording = NumpyRecording([traces], RATE)
    positions = np.stack([np.zeros(NUM_CHANNELS), 20.0 * np.arange(NUM_CHANNELS)], axis=1)
    recording.set_dummy_probe_from_locations(positions)
    times = np.arange(SECONDS) + 0.5
    unmoved = PreparedRecording(
        recording=recording,
        noise_levels=np.ones(NUM_CHANNELS, dtype="float32"),
        positions=positions,
        groups=np.zeros(NUM_CHANNELS, dtype="int64"),
        channel_indices=np.arange(NUM_CHANNELS),
        segment_indices=np.array([0]),
        unit="raw",
    )
    motion = Motion([displacement_at(times * RATE)[:, None]], [times], np.array([230.0]))
    samples, units = np.concatenate(trains), np.repeat(np.arange(3), [len(train) for train in trains])
    order = np.argsort(samples, kind="stable")
    samples, units = samples[order], units[order]
    events = np.zeros(len(samples), dtype=base_peak_dtype)
    events["sample_index"] = samples
    events["channel_index"] = np.round(np.array(RESTS_UM) / 20.0)[units]
    return dataclasses.replace(unmoved, motion=motion, unmoved=unmoved), events, samples, units


@pytest.fixture(scope="module")
def templates(moving):
    whitened, events, samples, units = moving
    return find_templates(units, samples, events, whitened)


def test_templates_move_with_the_tissue(templates):
    assert len(templates.states) >= 8
    assert templates.channels.tolist() == [6, 13, 17]
    for unit, (rest, size) in enumerate(zip(RESTS_UM, SIZES)):
        for state, displacement in enumerate(templates.states.displacements_at(rest)):
            truth = true_template(rest, size, displacement)
            error = np.square(templates.waveforms[state, unit] - truth).sum() / np.square(truth).sum()
            assert error < 0.05, (unit, state, error)


def test_spikes_are_found_wherever_the_tissue_is(moving, templates):
    whitened, _, samples, units = moving
    matched = match_templates(whitened.unmoved, templates)
    assert (np.diff(matched["sample_index"]) >= 0).all()
    assert len(matched) < 1.03 * len(samples)
    for unit in range(3):
        found = matched["sample_index"][matched["cluster_index"] == unit]
        assert np.mean([np.abs(found - sample).min() <= 6 for sample in samples[units == unit]]) > 0.97
    assert set(matched["channel_index"]) == set(templates.channels)


def test_spikes_are_looked_at_where_they_were_recorded(moving, templates):
    _, events, samples, units = moving
    placed = templates.in_place(events, units)
    nearest = np.round((np.array(RESTS_UM)[units] + displacement_at(samples)) / 20.0)
    assert (np.abs(placed["channel_index"] - nearest) <= 1).all()
    assert (placed["channel_index"] == nearest).mean() > 0.8
    assert (placed["sample_index"] == events["sample_index"]).all()


def test_probabilities_are_those_of_the_templates_that_moved(moving):
    whitened, events, samples, units = moving
    given = units.copy()
    is_wrong = np.random.default_rng(0).random(len(units)) < 0.05
    # Of the neuron 79 µm further on.
    given[is_wrong & (units == 1)] = 2
    probabilities = spike_probabilities(given, samples, events, whitened)
    assert (probabilities[given == units] > 0.9).mean() > 0.95
    assert (probabilities[given != units] < 0.1).mean() > 0.95


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
