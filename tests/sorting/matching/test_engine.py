import dataclasses

import numpy as np
import pytest

from huidurep_hf.recording.spikes.neighborhood import find_neighborhoods
from huidurep_hf.sorting.clustering.clusters import Clusters
from huidurep_hf.sorting.matching.engine import match_templates
from huidurep_hf.sorting.matching.matched_events import pair_events
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.rejection.noise_units import is_supported
from huidurep_hf.sorting.templates.estimation import visible_part
from huidurep_hf.sorting.units import find_units, to_extremum


@pytest.fixture(scope="module")
def matched(two_neurons):
    return match_templates(two_neurons.prepared, two_neurons.unit_templates())


def share_found(matched, unit, samples):
    """Share of the given spikes of a unit that were matched with it within 0.2 ms."""
    times = matched["sample_index"][matched["cluster_index"] == unit]
    return np.mean([np.abs(times - sample).min() <= 6 for sample in samples])


def test_spikes_are_found_also_where_two_overlap(two_neurons, matched):
    for unit in (0, 1):
        assert share_found(matched, unit, two_neurons.samples[two_neurons.units == unit]) > 0.97
    first, second = (two_neurons.samples[two_neurons.units == unit] for unit in (0, 1))
    overlapping = second[np.isin(second, first + 9)]
    assert len(overlapping) == 80
    assert share_found(matched, 1, overlapping) > 0.95
    assert len(matched) < 1.02 * len(two_neurons.samples)
    assert matched["channel_index"].tolist() == np.array([0, 2])[matched["cluster_index"]].tolist()
    assert (np.diff(matched["sample_index"]) >= 0).all()


def test_channels_without_the_unit_are_left_out(two_neurons):
    neighborhoods = find_neighborhoods(two_neurons.prepared.positions, two_neurons.prepared.shanks, 2)
    rng = np.random.default_rng(0)
    noisy = two_neurons.templates + rng.normal(size=two_neurons.templates.shape) / np.sqrt(20)
    # Of two channels, the peak's own and its neighbour.
    kept = visible_part(noisy, np.array([20, 20]), neighborhoods)
    assert kept.any(axis=1).sum(axis=1).tolist() == [2, 2]
    assert visible_part(0.01 * noisy, np.array([20, 20]), neighborhoods).any(axis=1).sum(axis=1).tolist() == [1, 1]


def test_clusters_whose_templates_match_nothing_are_no_units(make_white_traces):
    noise = make_white_traces(np.zeros((1, 90, 4), dtype="float32"), [np.arange(200, 100_000, 300)], 110_000)
    clusters = Clusters(noise.units, noise.samples)
    units = find_units(clusters, noise.peaks, noise.prepared, noise.prepared, SortingParameters())
    assert len(units.templates) == 0
    assert (units.units == -1).all() and len(units.units) == len(noise.peaks)


def test_a_template_that_finds_noise_is_told(two_neurons, matched):
    assert is_supported(matched, two_neurons.unit_templates(), two_neurons.prepared).tolist() == [True, True]
    # The average of the few noise samples that look most like a spike of 5 SD: an average of selected noise.
    traces = two_neurons.prepared.recording.get_traces()[:, 3]
    deepest = np.flatnonzero((traces < -3.8) & (np.arange(len(traces)) > 100) & (np.arange(len(traces)) < 590_000))
    far = deepest[[np.abs(two_neurons.samples - sample).min() > 100 for sample in deepest]]
    noise = np.zeros((1, 90, 4), dtype="float32")
    noise[0, :, 3] = np.mean([traces[sample - 30 : sample + 60] for sample in far], axis=0)
    noise[0, 31:35, 3] = -1.8
    templates = two_neurons.unit_templates(np.concatenate([two_neurons.templates, noise]))
    found = match_templates(two_neurons.prepared, templates)
    assert is_supported(found, templates, two_neurons.prepared).tolist() == [True, True, False]


def test_units_of_clusters_that_miss_half_of_the_spikes(two_neurons):
    rng = np.random.default_rng(0)
    detected = np.flatnonzero(rng.random(len(two_neurons.samples)) < 0.5)
    clusters = Clusters(two_neurons.units[detected], two_neurons.samples[detected])
    prepared, peaks = two_neurons.prepared, two_neurons.peaks[detected]
    units = find_units(clusters, peaks, prepared, prepared, SortingParameters())
    assert len(units.templates) == 2
    for unit in (0, 1):
        truth = two_neurons.samples[two_neurons.units == unit]
        times = units.samples[units.units == unit]
        assert np.mean([np.abs(times - sample).min() <= 6 for sample in truth]) > 0.97
    assert (units.detected == -1).sum() > 300
    assert sorted(units.detected[units.detected >= 0]) == list(range(len(peaks)))
    is_alone = np.isin(units.samples, two_neurons.samples[two_neurons.is_alone])
    assert (units.probabilities[is_alone] > 0.9).mean() > 0.97
    assert (np.diff(units.peaks["sample_index"]) >= 0).all()


def test_without_matching_clusters_are_units(two_neurons):
    clusters = Clusters(two_neurons.units, two_neurons.samples)
    prepared = two_neurons.prepared
    units = find_units(clusters, two_neurons.peaks, prepared, prepared, SortingParameters(template_matching="off"))
    assert len(units.peaks) == len(two_neurons.peaks)
    assert (units.units == two_neurons.units).all()


@pytest.mark.parametrize(("sign", "sample"), [("neg", 0), ("pos", 12), ("both", 0)])
def test_times_are_at_the_extremum(two_neurons, sign, sample):
    late = two_neurons.samples + 5
    parameters = SortingParameters(peak_sign=sign)
    moved = to_extremum(
        late, np.where(two_neurons.units == 0, 0, -1), two_neurons.peaks, two_neurons.prepared, parameters
    )
    of_unit = two_neurons.units == 0
    assert np.abs(moved[of_unit] - two_neurons.samples[of_unit] - sample).max() <= 2
    assert (moved[~of_unit] == late[~of_unit]).all()


def test_each_peak_is_paired_once_and_only_nearby(two_neurons):
    neighborhoods = find_neighborhoods(np.array([[0.0, 0], [0, 20], [0, 900]]), np.zeros(3, dtype=int), 2)
    peaks = two_neurons.peaks[:4].copy()
    peaks["sample_index"], peaks["channel_index"] = [100, 108, 300, 500], [0, 0, 0, 2]
    matched = np.zeros(4, dtype=[(name, "int64") for name in ("sample_index", "segment_index", "channel_index")])
    # The nearest of two; the other one of the two; too late; the channel of another place.
    matched["sample_index"], matched["channel_index"] = [103, 109, 320, 500], [1, 0, 0, 0]
    found = pair_events(peaks, peaks["sample_index"].astype("int64"), matched, neighborhoods, max_gap=12)
    assert found.tolist() == [0, 1, -1, -1]
    later = dataclasses.replace(neighborhoods)
    assert pair_events(peaks[:0], np.zeros(0, dtype="int64"), matched, later, 12).tolist() == [-1] * 4
