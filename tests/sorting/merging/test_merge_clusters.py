import numpy as np
import pytest

from huidurep_hf.sorting.merging.merge_clusters import merge_clusters, merge_over_split
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.templates.spike_waveforms import SpikeWaveforms

RATE = 30000.0
PARAMETERS = SortingParameters()


@pytest.fixture(scope="module")
def waveforms(two_neurons):
    return SpikeWaveforms.cut(two_neurons.prepared, two_neurons.peaks, PARAMETERS.waveforms)


def test_a_large_neuron_between_two_contacts_is_one(make_spike_template, make_white_traces):
    # Detected at either contact, and so cut on other channels of 24, though its template is the largest at one of them.
    template = make_spike_template(20.0, 9.45, num_channels=24, decay=3.0)
    times = np.arange(200, 590_000, 1500)
    traces = make_white_traces(template[None].astype("float32"), [times], 600_000)
    halves = np.arange(len(times)) % 2
    peaks = traces.peaks.with_columns(channel_index=9 + halves)
    waveforms = SpikeWaveforms.cut(traces.prepared, peaks, PARAMETERS.waveforms)
    assert set(waveforms.channels[9]) != set(waveforms.channels[10])
    labels, _ = merge_over_split(halves, traces.samples, waveforms, RATE, PARAMETERS)
    assert np.unique(labels).tolist() == [0]


def test_halves_of_one_neuron_are_merged_and_two_neurons_are_not(two_neurons, waveforms):
    alone, units = two_neurons.is_alone, two_neurons.units
    halves = 2 * units + np.random.default_rng(0).integers(2, size=len(units))
    labels, shifts = merge_over_split(np.where(alone, halves, -1), two_neurons.samples, waveforms, RATE, PARAMETERS)
    first, second = (np.bincount(labels[alone & (units == unit)]).argmax() for unit in (0, 1))
    # Where the two overlap may be a third cluster; that is judged elsewhere.
    assert first != second
    assert (labels == np.where(units == 0, first, second))[alone].mean() > 0.98
    for unit in (0, 1):
        # One alignment for a unit's spikes, which may be a sample beside the time of the trough.
        own = shifts[alone & (units == unit)]
        assert abs(np.median(own)) <= 1
        assert (np.abs(own - np.median(own)) <= 1).mean() > 0.97


def test_half_a_valley_keeps_a_neuron_from_one_of_twice_its_size(make_spike_template, make_white_traces):
    # Two neurons of varying size, which leaves a shallow valley between them.
    sizes = np.append(np.linspace(3.0, 7.0, 20), np.linspace(8.0, 19.0, 20))
    shape = make_spike_template(1.0, 1)
    times = np.random.default_rng(0).permutation(np.arange(200, 590_000, 600))[:800].reshape(40, 20)
    traces = make_white_traces((sizes[:, None, None] * shape).astype("float32"), np.sort(times), 600_000)
    waveforms = SpikeWaveforms.cut(traces.prepared, traces.peaks, PARAMETERS.waveforms)
    given = (traces.units >= 20).astype("int64")

    def merge_threshold(**values):
        for min_valley in np.linspace(0.05, 1.0, 20):
            parameters = SortingParameters(min_valley=min_valley, **values)
            labels, _ = merge_over_split(given, traces.samples, waveforms, RATE, parameters, is_corrected=True)
            if labels.max() == 0:
                return min_valley
        return 1.05

    threshold = merge_threshold()
    assert 0.05 < merge_threshold(min_relative_size=0.0) < threshold - 0.1
    assert 0.05 < merge_threshold(different_size_factor=1.0) < threshold - 0.1


@pytest.mark.parametrize("label", [-1, 0])
def test_nothing_to_merge(two_neurons, waveforms, label):
    labels = np.full(len(two_neurons.units), label)
    merged, shifts = merge_over_split(labels, two_neurons.samples, waveforms, RATE, PARAMETERS)
    assert len(set(merged[two_neurons.is_alone])) == 1 and merged.max() == label
    assert len(shifts) == len(labels)


def test_the_table_gets_clusters_and_one_alignment(two_neurons):
    alone, units = two_neurons.is_alone, two_neurons.units
    halves = np.where(alone, 2 * units + np.random.default_rng(0).integers(2, size=len(units)), -1)
    # Every second spike was found 3 samples late.
    late = np.where(np.arange(len(units)) % 2, 3, 0)
    given = two_neurons.peaks.with_columns(sample_index=two_neurons.samples + late, cluster=halves)
    spikes = merge_clusters(given, two_neurons.prepared, SortingParameters())
    np.testing.assert_array_equal(spikes["sample_index"], given["sample_index"])
    assert [len(set(spikes["cluster"][alone & (units == unit)].tolist()) - {-1}) for unit in (0, 1)] == [1, 1]
    first, second = (np.bincount(spikes["cluster"][alone & (units == unit)]).argmax() for unit in (0, 1))
    assert first != second
    gaps = (spikes["aligned_sample"] - two_neurons.samples)[alone]
    for unit in (0, 1):
        own = gaps[units[alone] == unit]
        assert (np.abs(own - np.median(own)) <= 1).mean() > 0.97


def test_small_clusters_are_dissolved_and_none_stay_none(two_neurons):
    of_first = np.flatnonzero(two_neurons.is_alone & (two_neurons.units == 0))[:12]
    given = two_neurons.peaks[of_first].with_columns(cluster=np.zeros(12, dtype="int64"))
    spikes = merge_clusters(given, two_neurons.prepared, SortingParameters(min_spikes_per_unit=20))
    assert (spikes["cluster"] == -1).all()
    np.testing.assert_array_equal(spikes["aligned_sample"], given["sample_index"])
    kept = merge_clusters(given, two_neurons.prepared, SortingParameters(min_spikes_per_unit=4))
    assert (kept["cluster"] == 0).all()
    none = two_neurons.peaks.with_columns(cluster=np.full(len(two_neurons.units), -1))
    spikes = merge_clusters(none, two_neurons.prepared, SortingParameters())
    assert (spikes["cluster"] == -1).all()
    np.testing.assert_array_equal(spikes["aligned_sample"], two_neurons.samples)
