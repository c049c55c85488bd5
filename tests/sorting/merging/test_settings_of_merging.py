"""Each setting of merging changes what is merged: an extreme value gives another result on a small case."""

import numpy as np
import pytest

from huidurep_hf.sorting.matching.engine import Matcher
from huidurep_hf.sorting.merging.drift_exclusivity import replace_each_other
from huidurep_hf.sorting.merging.drift_fragments import merge_fragments
from huidurep_hf.sorting.merging.merge_clusters import merge_over_split
from huidurep_hf.sorting.merging.merge_units import merge_units
from huidurep_hf.sorting.merging.refractoriness import fire_as_one, fire_independently
from huidurep_hf.sorting.merging.scatter import unexplained_share
from huidurep_hf.sorting.parameters import (
    DriftFragmentSettings,
    DriftMergingSettings,
    RefractorySettings,
    ScatterSettings,
    SortingParameters,
)
from huidurep_hf.sorting.templates.find_templates import find_templates
from huidurep_hf.sorting.templates.spike_waveforms import SpikeWaveforms

RATE = 30000.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_refractory_lag_ms", 1.5),
        ("max_refractory_lag_ms", 0.8),
        ("min_baseline_lag_ms", 40.0),
        ("max_baseline_lag_ms", 25.0),
        ("min_coincidence_ratio_of_two", 1.0),
        ("min_expected_coincidences_of_two", 1000.0),
        ("max_coincidence_ratio_of_one", 1.0),
        ("min_expected_coincidences_of_one", 1000.0),
    ],
)
def test_refractoriness(name, value):
    # One fires 30 ms after the other; in a second pair some of the spikes come after 0.9 ms.
    first = 3000 * np.arange(1, 3001)
    alone, early = first + 900, np.where(np.arange(3000) % 50 == 0, first + 27, first + 900)

    def decisions(**values):
        settings = RefractorySettings(**values)
        return [
            decide(first, other, RATE, settings)
            for decide in (fire_independently, fire_as_one)
            for other in (alone, early)
        ]

    assert decisions() == [False, True, True, False]
    assert decisions(**{name: value}) != decisions()


@pytest.mark.parametrize(
    ("name", "value"), [("shape_variability", 10.0), ("max_scatter_norm", 0.0), ("min_scatter_spikes", 1000)]
)
def test_scatter(name, value):
    shapes = np.linalg.qr(np.random.default_rng(0).normal(size=(51, 10)))[0].T
    rng = np.random.default_rng(1)
    first, second = (
        shapes[0][:, None] * np.array(weights) + rng.normal(size=(200, 51, 2)) for weights in ([5.0, 0.0], [1.0, 5.0])
    )
    assert unexplained_share(first, second, shapes, ScatterSettings()) > 0.3
    assert unexplained_share(first, second, shapes, ScatterSettings(**{name: value})) == 0


@pytest.fixture(scope="module")
def sizes(make_spike_template, make_white_traces):
    """Spikes of small and of large sizes, with a valley between them, and the cluster of each."""
    scales = np.append(np.linspace(3.0, 7.0, 20), np.linspace(8.0, 19.0, 20))
    times = np.random.default_rng(0).permutation(np.arange(200, 590_000, 600))[:800].reshape(40, 20)
    templates = (scales[:, None, None] * make_spike_template(1.0, 1)).astype("float32")
    traces = make_white_traces(templates, np.sort(times), 600_000)
    return traces, (traces.units >= 20).astype("int64")


def merged(traces, labels, spikes=None, **values):
    parameters = SortingParameters(**values)
    waveforms = SpikeWaveforms.cut(traces.prepared, traces.peaks if spikes is None else spikes, parameters.waveforms)
    return merge_over_split(labels, traces.samples, waveforms, RATE, parameters, is_corrected=True)


@pytest.mark.parametrize(
    ("name", "value", "others"),
    [
        ("min_valley", 0.0, {"min_valley": 1.0}),
        ("max_cluster_distance", 0.0, {"min_valley": 1.0}),
        ("max_merging_rounds", 0, {"min_valley": 1.0}),
        ("different_size_factor", 100.0, {"min_valley": 1.0}),
        ("min_relative_size", 0.0, {"min_valley": 1.0, "different_size_factor": 100.0}),
        ("min_standard_errors", 1e6, {}),
        ("max_spikes_per_test", 10, {"min_valley": 0.5}),
    ],
)
def test_clusters_of_two_sizes(sizes, name, value, others):
    traces, labels = sizes
    numbers = [merged(traces, labels, **given)[0].max() + 1 for given in (others, {**others, name: value})]
    assert sorted(numbers) == [1, 2]


@pytest.fixture(scope="module")
def one_neuron(make_spike_template, make_white_traces):
    times = np.random.default_rng(0).permutation(np.arange(200, 590_000, 600))[:400]
    return make_white_traces(make_spike_template(9.0, 1)[None].astype("float32"), [np.sort(times)], 600_000)


def test_clusters_that_differ_by_little_energy(one_neuron):
    halves, alike = np.arange(400) % 2, {"max_cluster_distance": 0.0}
    assert merged(one_neuron, halves, **alike)[0].max() == 0
    assert merged(one_neuron, halves, **alike, max_cluster_distance_energy=0.0)[0].max() == 1


def test_clusters_of_two_alignments(one_neuron):
    halves = np.arange(400) % 2
    late = one_neuron.peaks.with_columns(sample_index=one_neuron.samples + 8 * halves)
    assert merged(one_neuron, halves, late)[0].max() == 0
    assert merged(one_neuron, halves, late, max_cluster_misalignment_ms=0.0)[0].max() == 1


def test_small_clusters(make_spike_template, make_white_traces):
    few = make_white_traces(make_spike_template(9.0, 1)[None], [np.arange(200, 12_200, 1000)], 13_000)
    labels = np.zeros(12, dtype="int64")
    assert merged(few, labels)[0].max() == -1
    assert merged(few, labels, min_size_while_merging=0.5)[0].max() == 0


def test_further_fits(two_neurons):
    # A template of both neurons and one of the second: spikes go to the nearest, and templates follow them.
    mixed = np.where(np.arange(len(two_neurons.units)) % 3 == 0, 1, 0)
    fits = [merged(two_neurons, mixed, num_final_fits=number, max_merging_rounds=0)[0] for number in (0, 10)]
    assert (fits[0] != fits[1]).any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_displacement_bins", 2),
        ("max_fragment_distance", 0.0),
        ("min_fragment_share", 1.0),
        ("max_fragment_misalignment_ms", 0.0),
    ],
)
def test_fragments(make_spike_template, name, value):
    # A neuron in two fragments, the second 8 samples late and seen at both ends of the displacements.
    displacements = np.random.default_rng(0).uniform(-20, 20, 1200)
    labels = (np.abs(displacements) > 10).astype("int64")
    templates = np.stack([make_spike_template(10.0, 1, decay=decay) for decay in (1.4, 1.6)]).astype("float32")
    templates[1] = np.roll(templates[1], 8, axis=0)
    numbers = [
        merge_fragments(labels, displacements, templates, RATE, DriftFragmentSettings(**given))[0].max() + 1
        for given in ({"sure_fragment_share": 1.0}, {"sure_fragment_share": 1.0, name: value})
    ]
    assert numbers == [1, 2]


def test_no_share_merges_all_that_are_alike(make_spike_template):
    templates = np.stack([make_spike_template(10.0, 1, decay=decay) for decay in (1.4, 1.6)]).astype("float32")
    labels, displacements = np.arange(1200) % 2, np.linspace(-20, 20, 1200)
    numbers = [
        merge_fragments(labels, displacements, templates, RATE, DriftFragmentSettings(min_fragment_share=share))[
            0
        ].max()
        + 1
        for share in (0.1, 0.0)
    ]
    assert numbers == [2, 1]


@pytest.mark.parametrize(("sure_share", "merged_with"), [(0.45, 1), (1.0, 2)])
def test_the_order_of_fragments(make_spike_template, sure_share, merged_with):
    # The first is at one end; the second is more like it, and the third replaces it more fully.
    displacements = np.linspace(-20, 20, 1200)
    labels = np.where(displacements < 0, 0, 1 + np.arange(1200) % 2)
    labels[:600:12] = 1
    templates = np.stack([make_spike_template(10.0, 1, decay=decay) for decay in (1.4, 1.5, 1.9)]).astype("float32")
    settings = DriftFragmentSettings(sure_fragment_share=sure_share, min_fragment_share=0.45)
    found, _ = merge_fragments(labels, displacements, templates, RATE, settings)
    assert found.max() == 1
    assert found[labels == 0][0] == found[labels == merged_with][0]


@pytest.mark.parametrize(
    ("name", "value"), [("min_exclusive_share", 0.99), ("max_time_share", 0.0), ("min_exclusive_spikes", 1000)]
)
def test_units_that_replace_each_other(name, value):
    # Twice as fast in one half of the time as in the other.
    up, down = (np.outer(spikes, [0.33, 0.33, 0.17, 0.17]) for spikes in ((60, 10, 0), (0, 10, 60)))
    assert replace_each_other(up, down, 0.3, DriftMergingSettings())
    assert not replace_each_other(up, down, 0.3, DriftMergingSettings(**{name: value}))


@pytest.fixture(scope="module")
def parts(moving):
    """Units of which two are one neuron at other displacements, aligned on other samples of the spike."""
    is_far = moving.displacement_at(moving.samples) > 0
    labels = np.where((moving.units == 1) & is_far, 3, moving.units)
    shifted = moving.samples + np.where(labels == 3, 4, 0)
    templates = find_templates(labels, shifted, moving.events, moving.whitened, SortingParameters())
    recorded = moving.whitened.uncorrected
    return Matcher(recorded, templates, SortingParameters()).match(), templates, recorded


# They are merged on several grounds; so that only the valley is left:
BY_VALLEY = {"min_exclusive_share": 1.0, "max_unit_distance_by_times": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "others"),
    [
        ("max_unit_distance", 0.0, {}),
        ("max_unit_misalignment_ms", 0.0, {}),
        ("min_valley", 0.0, BY_VALLEY),
        ("compared_time_share", 0.0, BY_VALLEY),
        ("min_compared_spikes", 10_000, BY_VALLEY),
    ],
)
def test_parts_of_a_unit(parts, name, value, others):
    numbers = [
        merge_units(*parts, SortingParameters(**given))[0].max() + 1 for given in (others, {**others, name: value})
    ]
    assert numbers == [3, 4]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("max_time_share", 1.0), ("num_time_parts", 400)])
def test_a_neuron_that_is_active_at_times(make_moving_traces, name, value):
    traces = make_moving_traces((120.0, 132.0), (9.0, 9.0))
    templates = find_templates(traces.units, traces.samples, traces.events, traces.whitened, SortingParameters())
    recorded = traces.whitened.uncorrected
    matched = Matcher(recorded, templates, SortingParameters()).match()
    # For 10 s in which the tissue is where it was in the first 10 s, when the neuron was silent.
    is_active = (matched["sample_index"] > 20 * RATE) & (matched["sample_index"] < 30 * RATE)
    kept = matched[(matched["unit_index"] == 0) | is_active]
    numbers = [
        merge_units(kept, templates, recorded, SortingParameters(**given))[0].max() + 1 for given in ({}, {name: value})
    ]
    assert numbers == [2, 1]


@pytest.mark.parametrize("name", ["max_unit_distance_by_times", "max_coincidence_ratio_of_one"])
def test_units_at_rest_are_merged_by_their_times(make_spike_template, make_white_traces, name):
    # A neuron that changes its shape from spike to spike.
    alike = np.stack([make_spike_template(9.0, 1, decay=decay) for decay in (1.3, 2.0)]).astype("float32")
    rng = np.random.default_rng(0)
    times = 200 + np.cumsum(90 + rng.exponential(400, 1_200)).astype("int64")
    times = times[times < 590_000]
    is_first = rng.random(len(times)) < 0.5
    traces = make_white_traces(alike, [times[is_first], times[~is_first]], 600_000)
    templates = traces.unit_templates()
    matched = Matcher(traces.prepared, templates, SortingParameters()).match()
    numbers = [
        merge_units(matched, templates, traces.prepared, SortingParameters(**given))[0].max() + 1
        for given in ({}, {"min_valley": 0.0}, {name: 0.0})
    ]
    # The merge threshold is that of the valley, and of nothing else.
    assert numbers == [1, 1, 2]
