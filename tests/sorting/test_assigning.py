import dataclasses

import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

from huidurep_hf.recording.blocks import split_into_blocks
from huidurep_hf.recording.last_read import LastReadRecording
from huidurep_hf.sorting.assigning import assign_spikes, keep_clusters
from huidurep_hf.sorting.learning import learn_units
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.spikes import DUPLICATE, NOISE, SMALL_UNIT, UNIT, Spikes
from huidurep_hf.workers import Workers

WORKERS = Workers(1)


def sort(spikes, clusters, peaks, prepared, parameters=None, whitened=None):
    """Events and waveforms, learned from some of the peaks."""
    parameters, whitened = parameters or SortingParameters(), whitened or prepared
    spikes = spikes.with_columns(cluster=clusters, aligned_sample=spikes["sample_index"])
    blocks = split_into_blocks(prepared.recording)
    units = learn_units(spikes, blocks, whitened, whitened, parameters, WORKERS)
    if units is None:
        return keep_clusters(spikes, prepared, whitened, parameters, WORKERS)
    return assign_spikes(units, peaks, prepared, whitened, parameters, WORKERS)


def check_columns(events):
    assert (events["probability"][events["unit_index"] < 0] == 0).all()
    assert set(events["outcome"]) <= {UNIT, DUPLICATE, SMALL_UNIT, NOISE}
    np.testing.assert_array_equal(events["outcome"] == UNIT, events["unit_index"] >= 0)
    np.testing.assert_array_equal(np.argsort(events["sample_index"], kind="stable"), np.arange(len(events)))


def test_units_of_clusters_that_miss_half_of_the_spikes(two_neurons):
    rng = np.random.default_rng(0)
    detected = np.flatnonzero(rng.random(len(two_neurons.samples)) < 0.5)
    peaks = two_neurons.peaks[detected]
    events, waveforms = sort(peaks, two_neurons.units[detected], peaks, two_neurons.prepared)
    check_columns(events)
    assert len(waveforms) == 2
    for unit in (0, 1):
        truth = two_neurons.samples[two_neurons.units == unit]
        times = events["sample_index"][events["unit_index"] == unit]
        assert np.mean([np.abs(times - sample).min() <= 6 for sample in truth]) > 0.97
    np.testing.assert_array_equal(events["is_detected"], events["peak"] >= 0)
    assert np.sum(events["peak"] == -1) > 300
    assert sorted(events["peak"][events["peak"] >= 0]) == list(range(len(peaks)))
    is_alone = np.isin(events["sample_index"], two_neurons.samples[two_neurons.is_alone])
    assert (events["probability"][is_alone] > 0.9).mean() > 0.97
    traces = two_neurons.prepared.recording.get_traces()
    alone = events[~events["is_detected"]]
    np.testing.assert_array_equal(alone["amplitude"], traces[alone["sample_index"], alone["channel_index"]])


def test_peaks_of_no_unit_are_noise(two_neurons):
    """Detected peaks that no template explains stay where they are, on their channel and with their amplitude."""
    far = np.arange(20_000, 580_000, 7001)
    far = far[np.abs(far[:, None] - two_neurons.samples[None]).min(axis=1) > 100]
    noise = Spikes(
        segment_index=np.zeros(len(far), dtype="int64"),
        sample_index=far,
        channel_index=np.full(len(far), 3),
        amplitude=np.full(len(far), -4.6, dtype="float32"),
    )
    peaks = Spikes.concatenate([two_neurons.peaks, noise]).in_order()
    events, _ = sort(two_neurons.peaks, two_neurons.units, peaks, two_neurons.prepared)
    check_columns(events)
    of_noise = events[np.isin(events["peak"], np.flatnonzero(peaks["channel_index"] == 3))]
    assert len(of_noise) == len(far) and set(of_noise["outcome"]) == {NOISE}
    assert of_noise["sample_index"].tolist() == far.tolist()
    assert set(of_noise["channel_index"]) == {3} and set(of_noise["amplitude"]) == {np.float32(-4.6)}


def test_small_units_are_none_and_the_others_are_numbered_anew(two_neurons):
    prepared, parameters = two_neurons.prepared, SortingParameters()
    spikes = two_neurons.peaks.with_columns(cluster=two_neurons.units, aligned_sample=two_neurons.samples)
    units = learn_units(spikes, split_into_blocks(prepared.recording), prepared, prepared, parameters, WORKERS)
    # The second neuron fires more often than the first in the first 2.5 s.
    short = dataclasses.replace(prepared, recording=prepared.recording.frame_slice(0, 75_000))
    peaks = two_neurons.peaks[two_neurons.samples < 74_900]
    counts = [np.sum((two_neurons.units == unit) & (two_neurons.samples < 74_900)) for unit in (0, 1)]
    assert counts[1] > counts[0] + 20
    for min_spikes, kept in ((20, [0, 1]), (int(np.mean(counts)), [1]), (1000, [])):
        parameters = SortingParameters(min_spikes_per_unit=min_spikes)
        events, waveforms = assign_spikes(units, peaks, short, short, parameters, WORKERS)
        check_columns(events)
        assert (events["outcome"] == SMALL_UNIT).any() == (len(kept) < 2)
        assert set(events["unit_index"]) - {-1} == set(range(len(kept)))
        np.testing.assert_array_equal(waveforms, units.waveforms[kept])
    # Of a number asked for none is too small.
    parameters = SortingParameters(min_spikes_per_unit=1000, num_units=2)
    assert len(assign_spikes(units, peaks, short, short, parameters, WORKERS)[1]) == 2


def test_workers_change_nothing(two_neurons):
    results = []
    for num_workers in (1, 3):
        workers, parameters, prepared = Workers(num_workers), SortingParameters(), two_neurons.prepared
        spikes = two_neurons.peaks.with_columns(cluster=two_neurons.units, aligned_sample=two_neurons.samples)
        units = learn_units(spikes, split_into_blocks(prepared.recording), prepared, prepared, parameters, workers)
        results.append(assign_spikes(units, two_neurons.peaks, prepared, prepared, parameters, workers))
    (first, waveforms), (second, same_waveforms) = results
    for name in first.names:
        np.testing.assert_array_equal(first[name], second[name])
    np.testing.assert_array_equal(waveforms, same_waveforms)


def test_without_matching_clusters_are_units(two_neurons):
    parameters = SortingParameters(template_matching="off")
    events, waveforms = sort(two_neurons.peaks, two_neurons.units, two_neurons.peaks, two_neurons.prepared, parameters)
    check_columns(events)
    assert len(events) == len(two_neurons.peaks) and events["is_detected"].all()
    assert (events["unit_index"] == two_neurons.units).all()
    error = np.square(waveforms - two_neurons.templates).sum(axis=(1, 2))
    # Averages hold a part of the spikes that overlap.
    assert (error < 0.1 * np.square(two_neurons.templates).sum(axis=(1, 2))).all()
    assert events["probability"].mean() > 0.97


def test_clusters_that_are_kept_lose_duplicates_and_small_ones(two_neurons):
    twice = two_neurons.peaks[:20].with_columns(sample_index=two_neurons.samples[:20] + 4)
    peaks = Spikes.concatenate([two_neurons.peaks, twice]).with_columns(
        cluster=np.r_[two_neurons.units, two_neurons.units[:20]]
    )
    peaks = peaks.in_order()
    # A third cluster of a few spikes, numbered first.
    few = np.flatnonzero(two_neurons.is_alone)[-5:]
    clusters = peaks["cluster"] + 1
    clusters[np.isin(peaks["sample_index"], two_neurons.samples[few])] = 0
    parameters = SortingParameters(template_matching="off")
    events, waveforms = sort(peaks, clusters, peaks, two_neurons.prepared, parameters)
    assert len(waveforms) == 2
    assert np.sum(events["outcome"] == DUPLICATE) == 20
    assert np.sum(events["outcome"] == SMALL_UNIT) == 5
    assert (events["probability"][events["unit_index"] < 0] == 0).all()


def test_spikes_of_a_moving_probe_are_where_they_were_recorded(moving):
    """Channels of spikes beside the detected peaks are those nearest to where the neuron was."""
    prepared = moving.whitened.as_recorded
    half = np.arange(len(moving.samples)) % 2 == 0
    peaks = moving.events[half]
    events, waveforms = sort(
        moving.events, moving.units, peaks, prepared, SortingParameters(), whitened=moving.whitened
    )
    assert len(waveforms) == 3
    alone = events[(events["peak"] < 0) & (events["unit_index"] >= 0)]
    assert len(alone) > 500
    depth = moving.rests_um[alone["unit_index"]] + moving.displacement_at(alone["sample_index"])
    nearest = np.round(depth / 20.0)
    assert (np.abs(alone["channel_index"] - nearest) <= 1).all()
    assert (alone["channel_index"] == nearest).mean() > 0.8
    # Without drift they would be where the neuron is at rest, and so would those that were detected.
    own = events[events["unit_index"] >= 0]
    assert own["rest_channel_index"].tolist() == np.array([6, 13, 17])[own["unit_index"]].tolist()
    for unit in range(3):
        found = events["sample_index"][events["unit_index"] == unit]
        true = moving.samples[moving.units == unit]
        assert np.mean([np.abs(found - sample).min() <= 6 for sample in true]) > 0.97


def test_each_sample_is_filtered_once(two_neurons):
    """Matching and the amplitudes of spikes without a peak come from one reading of the traces."""
    filtered = CountedRecording(two_neurons.prepared.recording)
    prepared = dataclasses.replace(two_neurons.prepared, recording=LastReadRecording(filtered))
    parameters, spikes = SortingParameters(), two_neurons.peaks
    spikes = spikes.with_columns(cluster=two_neurons.units, aligned_sample=spikes["sample_index"])
    units = learn_units(spikes, split_into_blocks(prepared.recording), prepared, prepared, parameters, WORKERS)
    filtered.num_read.clear()
    events, _ = assign_spikes(units, two_neurons.peaks[::2], prepared, prepared, parameters, WORKERS)
    assert np.sum(~events["is_detected"]) > 300
    # And the margins of blocks.
    assert 600_000 <= sum(filtered.num_read) < 1.03 * 600_000


class CountedRecording(BasePreprocessor):
    """A recording that counts the samples that are read."""

    def __init__(self, recording):
        super().__init__(recording)
        self.num_read = []
        for parent in recording.segments:
            self.add_recording_segment(CountedSegment(parent, self.num_read))
        self._kwargs = {"recording": recording}


class CountedSegment(BasePreprocessorSegment):
    def __init__(self, parent, num_read):
        super().__init__(parent)
        self.num_read = num_read

    def get_traces(self, start_frame, end_frame, channel_indices):
        self.num_read.append(end_frame - start_frame)
        return self.parent_recording_segment.get_traces(start_frame, end_frame, channel_indices)
