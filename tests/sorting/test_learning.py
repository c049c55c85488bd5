import dataclasses
from functools import partial

import numpy as np
import pytest

from huidurep_hf.recording.blocks import Block, split_into_blocks
from huidurep_hf.sorting import learning
from huidurep_hf.sorting.learning import (
    align,
    aligned_averages,
    learn_clusters,
    learn_units,
    mark_duplicates,
    order_along_probe,
)
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.spikes import Spikes
from huidurep_hf.workers import Workers

RATE = 30000.0
WORKERS = Workers(1)


def learn(spikes, clusters, prepared, parameters=None, blocks=None):
    spikes = spikes.with_columns(cluster=clusters, aligned_sample=spikes["sample_index"])
    blocks = split_into_blocks(prepared.recording) if blocks is None else blocks
    return learn_units(spikes, blocks, prepared, prepared, parameters or SortingParameters(), WORKERS)


def test_units_are_those_of_the_neurons(two_neurons):
    units = learn(two_neurons.peaks, two_neurons.units, two_neurons.prepared)
    assert units.num_units == 2
    assert units.unit_of_template.tolist() == [0, 1]
    # The second's trough is wide, and its average holds some of the first's spikes.
    assert units.shift_of_template[0] == 0 and abs(units.shift_of_template[1]) <= 1
    assert units.bursting.tolist() == []
    check_waveforms(units, two_neurons)


def check_waveforms(units, two_neurons):
    for waveform, shift, truth in zip(units.waveforms, units.shift_of_template, two_neurons.templates):
        assert np.square(waveform - np.roll(truth, -shift, axis=0)).sum() < 0.07 * np.square(truth).sum()


def test_some_blocks_are_enough(two_neurons):
    blocks = [Block(0, 150_000, 300_000), Block(0, 420_000, 510_000)]
    inside = np.any([(two_neurons.samples >= b.start) & (two_neurons.samples < b.stop) for b in blocks], axis=0)
    units = learn(two_neurons.peaks[inside], two_neurons.units[inside], two_neurons.prepared, blocks=blocks)
    assert units.num_units == 2
    check_waveforms(units, two_neurons)


def test_units_are_numbered_along_the_probe(two_neurons):
    units = learn(two_neurons.peaks, 1 - two_neurons.units, two_neurons.prepared)
    assert units.unit_of_template.tolist() == [1, 0]
    assert np.ptp(units.waveforms, axis=1).argmax(axis=1).tolist() == [0, 2]
    turned = dataclasses.replace(two_neurons.prepared, positions=two_neurons.prepared.positions[::-1])
    assert learn(two_neurons.peaks, two_neurons.units, turned).unit_of_template.tolist() == [1, 0]


def test_shanks_come_first():
    """Then depth, then the place across."""

    class Placed:
        shanks = np.array([1, 0, 0, 0])
        positions = np.array([[0.0, 0.0], [0.0, 90.0], [40.0, 50.0], [10.0, 50.0]])

    units, channels = np.array([0, 0, 1, 2, 3, -1]), np.array([0, 0, 1, 2, 3, 0])
    assert order_along_probe(units, channels, Placed).tolist() == [3, 2, 1, 0]
    assert order_along_probe(np.full(2, -1), channels[:2], Placed).tolist() == []


def test_clusters_whose_templates_match_nothing_are_no_units(make_white_traces):
    noise = make_white_traces(np.zeros((1, 90, 4), dtype="float32"), [np.arange(200, 100_000, 300)], 110_000)
    units = learn(noise.peaks, noise.units, noise.prepared)
    assert units.num_units == 0 and units.waveforms.shape[0] == 0
    assert set(units.unit_of_template.tolist()) <= {-1}


def test_without_clusters_and_without_matching_nothing_is_learned(two_neurons):
    none = np.full(len(two_neurons.units), -1)
    assert learn(two_neurons.peaks, none, two_neurons.prepared) is None
    parameters = SortingParameters(template_matching="off")
    assert learn(two_neurons.peaks, two_neurons.units, two_neurons.prepared, parameters) is None


def test_of_a_number_asked_for_every_unit_is_found_or_clusters_stay(two_neurons):
    parameters = SortingParameters(num_units=2)
    units = learn(two_neurons.peaks, two_neurons.units, two_neurons.prepared, parameters)
    assert units.unit_of_template.tolist() == [0, 1]
    # One unit of three is of noise alone, and its template finds nothing.
    noise = np.arange(1000, 590_000, 9000)
    gaps = np.abs(noise[:, None] - two_neurons.samples[None]).min(axis=1)
    noise = noise[gaps > 200]
    added = Spikes(
        segment_index=np.zeros(len(noise), dtype="int64"),
        sample_index=noise,
        channel_index=np.full(len(noise), 3),
        amplitude=np.zeros(len(noise), dtype="float32"),
    )
    both = Spikes.concatenate([two_neurons.peaks, added]).with_columns(
        cluster=np.r_[two_neurons.units, np.full(len(noise), 2)]
    )
    both = both.in_order()
    assert learn(both, both["cluster"], two_neurons.prepared, SortingParameters(num_units=3)) is None


def test_two_parts_of_one_neuron_are_one_unit_of_one_alignment(make_spike_template, make_white_traces):
    """The parts keep each other's refractory period, and are aligned on different samples."""
    alike = np.stack([make_spike_template(9.0, 1, decay=decay) for decay in (1.3, 2.0)]).astype("float32")
    rng = np.random.default_rng(0)
    whole = 200 + np.cumsum(90 + rng.exponential(400, 1200)).astype("int64")
    whole = whole[whole < 590_000]
    is_first = rng.random(len(whole)) < 0.5
    traces = make_white_traces(alike, [whole[is_first], whole[~is_first]], 600_000)
    shifted = traces.samples + np.where(traces.units == 1, 4, 0)
    late = traces.peaks.with_columns(sample_index=shifted, cluster=traces.units).in_order()
    learned = learn(late, late["cluster"], traces.prepared)
    assert learned.num_units == 1
    assert learned.unit_of_template.tolist() == [0, 0]
    assert learned.shift_of_template.tolist() == [0, -4]
    # The extremum of the average lies at the time of the spike, 1 ms after its start.
    assert np.abs(learned.waveforms[0]).max(axis=1).argmax() == 30


def test_bursting_units_are_found(make_spike_template, make_white_traces):
    rng = np.random.default_rng(3)
    first = make_spike_template(9.0, 0)
    starts = np.arange(300, 599_000, 2000)
    burst = np.sort(np.concatenate([starts, starts + rng.integers(100, 240, len(starts))]))
    traces = make_white_traces(
        np.stack([first, make_spike_template(8.0, 3, width=3.0)]).astype("float32"), [burst, starts + 1000], 600_000
    )
    assert learn(traces.peaks, traces.units, traces.prepared).bursting.tolist() == [0]


@pytest.fixture
def false_units(make_prepared):
    """Function that tells which units are no neurons."""
    return partial(find_false_units, make_prepared)


def find_false_units(make_prepared, sizes, detected, parameters):
    """Which of units with so large troughs, of whose spikes so many in a hundred were detected, are none."""
    num_samples, num_units = 30_000, len(sizes)
    rng = np.random.default_rng(0)
    traces = 0.3 * rng.normal(size=(num_samples * num_units, 2 * num_units)).astype("float32")
    samples, units = [], []
    for unit, size in enumerate(sizes):
        times = np.arange(100, num_samples - 200, 290)[:100] + num_samples * unit
        traces[times, 2 * unit] += size
        samples.append(times)
        units += [unit] * len(times)
    samples, units = np.concatenate(samples), np.array(units)
    prepared = make_prepared(traces)
    waveforms = np.zeros((num_units, 90, 2 * num_units), dtype="float32")
    waveforms[np.arange(num_units), 30, 2 * np.arange(num_units)] = sizes
    templates = learning.UnitTemplates.at_rest(waveforms, 30, prepared.recording)
    matched = Spikes(
        segment_index=np.zeros(len(samples), dtype="int64"),
        sample_index=samples,
        channel_index=2 * units,
        unit_index=units,
        gain=np.full(len(samples), 50.0, dtype="float32"),
        is_detected=np.arange(len(samples)) % 100 < np.repeat(detected, 100),
    )
    none = np.zeros(0, dtype="int64")
    alone, no_shift = np.arange(num_units), np.zeros(num_units, dtype="int64")
    learned = learning._final_units(templates, alone, no_shift, none, matched, prepared, parameters, WORKERS)
    assert learned.num_units == np.sum(learned.unit_of_template >= 0)
    return (learned.unit_of_template < 0).tolist()


def test_faint_units_and_residuals_are_false(false_units):
    parameters = SortingParameters(detect_threshold=4.0)
    # A clear unit, a faint one, a large one that detection hardly saw, and one as hardly seen but below the threshold.
    assert false_units([-12.0, -1.5, -12.0, -3.5], [90, 90, 20, 20], parameters) == [False, True, True, False]


@pytest.mark.parametrize(("sign", "is_false"), [("neg", False), ("pos", True), ("both", True)])
def test_depth_is_that_of_the_sign_that_is_detected(false_units, sign, is_false):
    """A tall positive peak is not looked for where troughs are, so that its spikes need not have been detected."""
    parameters = SortingParameters(detect_threshold=4.0, peak_sign=sign)
    assert false_units([12.0], [20], parameters) == [is_false]


def test_of_a_number_asked_for_none_is_false(false_units):
    assert false_units([-12.0, -1.5], [20, 90], SortingParameters(detect_threshold=4.0, num_units=2)) == [False] * 2


@pytest.mark.parametrize(("sign", "sample"), [("neg", 0), ("pos", 12), ("both", 0)])
def test_times_are_at_the_extremum(two_neurons, sign, sample):
    late = two_neurons.samples + 5
    of_first = np.where(two_neurons.units == 0, 0, -1)
    averages, shifts = aligned_averages(
        of_first, late, two_neurons.peaks, two_neurons.prepared, SortingParameters(peak_sign=sign), WORKERS
    )
    assert shifts.shape == (1,) and averages.shape == (1, 90, 4)
    assert abs(5 + shifts[0] - sample) <= 2
    largest = {"neg": -averages, "pos": averages, "both": np.abs(averages)}[sign][0].max(axis=1)
    assert largest.argmax() == 30
    none, shifts = aligned_averages(
        np.full(len(late), -1), late, two_neurons.peaks, two_neurons.prepared, SortingParameters(), WORKERS
    )
    assert len(none) == len(shifts) == 0


def test_spikes_stay_within_their_segment(two_neurons):
    spikes = Spikes(
        segment_index=np.zeros(3, dtype="int64"),
        sample_index=np.array([2, 300, 599_998]),
        unit_index=np.array([1, 0, 1]),
    )
    placed = align(spikes, np.array([4, 5]), np.array([7, -5]), two_neurons.prepared)
    assert placed["sample_index"].tolist() == [0, 307, 599_993] and placed["unit_index"].tolist() == [5, 4, 5]
    placed = align(spikes, np.array([4, 5]), np.array([0, 5]), two_neurons.prepared)
    assert placed["sample_index"].tolist() == [7, 300, 599_999]


def test_a_spike_found_twice_is_one_in_its_segment():
    spikes = Spikes(
        segment_index=np.array([0, 0, 0, 0, 1, 1]),
        sample_index=np.array([100, 105, 105, 300, 106, 300]),
        unit_index=np.array([0, 0, 1, -1, 0, -1]),
        amplitude=np.array([-5.0, -9.0, -7.0, -7.0, -3.0, -9.0]),
    )
    assert mark_duplicates(spikes, 0.3, RATE).tolist() == [True, False, False, False, False, False]
    # The likelier one stays where matching tells.
    likelier = spikes.with_columns(gain=np.array([90.0, 50.0, 1.0, 1.0, 1.0, 1.0]))
    assert mark_duplicates(likelier, 0.3, RATE).tolist() == [False, True, False, False, False, False]
    assert not mark_duplicates(spikes, 0.1, RATE).any()
    assert len(mark_duplicates(spikes[:0], 0.3, RATE)) == 0


def embedded(two_neurons, spread):
    """Embeddings that differ between the neurons, and places at their channels."""
    rng = np.random.default_rng(0)
    units = two_neurons.units
    embedding = rng.normal(size=(len(units), 8)).astype("float32") + spread * units[:, None].astype("float32")
    location = two_neurons.prepared.positions[two_neurons.peaks["channel_index"]] + rng.normal(size=(len(units), 2))
    size = np.where(units == 0, 9.0, 8.0) * np.exp(0.05 * rng.normal(size=len(units)))
    return two_neurons.peaks.with_columns(
        embedding=embedding, location_um=location.astype("float32"), size=size.astype("float32")
    )


def test_clusters_of_embedded_spikes(two_neurons):
    spikes = learn_clusters(embedded(two_neurons, 10.0), two_neurons.prepared, SortingParameters(), WORKERS)
    alone = two_neurons.is_alone
    first, second = (
        np.bincount(spikes["cluster"][alone & (two_neurons.units == unit)] + 1).argmax() for unit in (0, 1)
    )
    assert first != second
    assert (spikes["cluster"] + 1 == np.where(two_neurons.units == 0, first, second))[alone].mean() > 0.98
    assert np.abs(spikes["aligned_sample"] - spikes["sample_index"])[alone].mean() < 3


def test_as_many_clusters_as_asked_for(two_neurons):
    given = embedded(two_neurons, 10.0)
    for clustering in ("auto", "gmm"):
        parameters = SortingParameters(num_units=4, clustering=clustering)
        spikes = learn_clusters(given, two_neurons.prepared, parameters, WORKERS)
        assert np.unique(spikes["cluster"]).tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(spikes["aligned_sample"], given["sample_index"])
