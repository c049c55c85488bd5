import numpy as np
import pytest

from huidurep_hf.sorting.parameters import WaveformSettings
from huidurep_hf.sorting.templates.spike_waveforms import SpikeWaveforms, TemplateCleaner, choose_spikes
from huidurep_hf.workers import Workers

# Of the waveforms' window in the templates' one: 0.5 ms before the spike of 1 ms.
INNER = slice(15, 66)
SETTINGS = WaveformSettings()


@pytest.fixture(scope="module")
def waveforms(two_neurons):
    return SpikeWaveforms.cut(two_neurons.prepared, two_neurons.peaks, SETTINGS)


def test_average_is_the_template_on_every_channel(two_neurons, waveforms):
    shifts = np.zeros(len(two_neurons.units), dtype="int64")
    labels = np.where(two_neurons.is_alone, two_neurons.units, -1)
    templates, counts = waveforms.average(labels, shifts, SETTINGS)
    assert counts.tolist() == [[300] * 4, [300 if (labels == 1).sum() > 300 else (labels == 1).sum()] * 4]
    np.testing.assert_allclose(templates, two_neurons.templates[:, INNER], atol=0.35)


def test_cleaning_takes_noise_away_and_leaves_the_template(two_neurons, waveforms):
    shifts = np.zeros(len(two_neurons.units), dtype="int64")
    is_chosen = np.arange(len(two_neurons.units)) % 12 == 0
    few = np.where(is_chosen & two_neurons.is_alone, two_neurons.units, -1)
    templates, counts = waveforms.average(few, shifts, SETTINGS)
    cleaned = TemplateCleaner(waveforms, SETTINGS, seed=0)(templates, counts)
    truth = two_neurons.templates[:, INNER]
    assert np.square(cleaned - truth).sum() < 0.5 * np.square(templates - truth).sum()


def test_alignment_moves_the_window(two_neurons, waveforms):
    shifts = np.full(5, 3)
    later = waveforms.aligned(np.arange(5), shifts)
    traces = two_neurons.prepared.recording.get_traces()
    for row, spike in zip(later, range(5)):
        channels = waveforms.channels[two_neurons.peaks["channel_index"][spike]]
        start = two_neurons.samples[spike] + 3 - waveforms.num_before
        np.testing.assert_array_equal(row, traces[start : start + waveforms.num_samples][:, channels])


def test_workers_cut_the_same(two_neurons, waveforms):
    shared = SpikeWaveforms.cut(two_neurons.prepared, two_neurons.peaks, SETTINGS, Workers(3))
    np.testing.assert_array_equal(shared.waveforms, waveforms.waveforms)


def test_the_choice_for_a_unit_is_even_and_its_own():
    labels = np.array([2, 0, 0, -1, 2, 0, 0, 0, 0, 2])
    assert [one.tolist() for one in choose_spikes(labels, 3)] == [[2, 6, 8], [], [0, 4, 9]]
    assert [one.tolist() for one in choose_spikes(labels, 3, 4)][3] == []
    # Other units change nothing.
    others = np.where(labels == 2, -1, labels)
    assert choose_spikes(others, 3)[0].tolist() == [2, 6, 8]
    many = choose_spikes(np.zeros(1000, dtype="int64"), 10)[0]
    assert len(many) == 10 and set(np.diff(many)) == {100}
    assert choose_spikes(np.full(3, -1), 5) == []
