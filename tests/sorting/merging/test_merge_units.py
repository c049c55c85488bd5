import numpy as np
import pytest

from huidurep_hf.sorting.learning import align
from huidurep_hf.sorting.matching.engine import Matcher
from huidurep_hf.sorting.merging.drift_exclusivity import count_in_states
from huidurep_hf.sorting.merging.drift_fragments import explained_share
from huidurep_hf.sorting.merging.merge_units import link_pairs, merge_units
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.templates.find_templates import find_templates

PARAMETERS = SortingParameters()


@pytest.fixture(scope="module")
def neighbours(make_moving_traces):
    """Two neurons 12 um apart, and one far away."""
    return make_moving_traces((120.0, 132.0, 341.0), (9.0, 9.0, 9.0))


def match(recorded, templates):
    return Matcher(recorded, templates, PARAMETERS).match()


def matched_with(labels, moving):
    templates = find_templates(labels, moving.samples, moving.events, moving.whitened, PARAMETERS)
    return match(moving.whitened.uncorrected, templates), templates


def merged_units(matched, templates, recorded, **values):
    """Unit of each template; none is shifted that is merged with none."""
    units, shifts = merge_units(matched, templates, recorded, SortingParameters(**values))
    assert sorted(set(units.tolist())) == list(range(len(set(units.tolist()))))
    assert not shifts[np.bincount(units, minlength=len(units))[units] == 1].any()
    return units.tolist()


def test_a_neuron_in_two_parts_is_one_unit(moving):
    # Each part holds the spikes at some displacements, and so knows the neuron from there.
    is_far = moving.displacement_at(moving.samples) > 0
    labels = np.where((moving.units == 1) & is_far, 3, moving.units)
    # The parts are aligned on different samples of the spike.
    shifted = moving.samples + np.where(labels == 3, 4, 0)
    templates = find_templates(labels, shifted, moving.events, moving.whitened, PARAMETERS)
    recorded = moving.whitened.uncorrected
    matched = match(recorded, templates)
    units, shifts = merge_units(matched, templates, recorded, PARAMETERS)
    assert len(np.unique(matched["unit_index"])) == 4
    assert units.tolist() == [0, 1, 2, 1]
    assert shifts[[0, 1, 2]].tolist() == [0, 0, 0] and abs(shifts[3] + 4) <= 1
    merged = align(matched, units, shifts, recorded)
    assert len(merged) == len(matched)
    assert (np.diff(merged["sample_index"]) >= 0).all()
    found = merged["sample_index"][merged["unit_index"] == 1]
    gaps = np.array([found[np.abs(found - sample).argmin()] - sample for sample in moving.samples[moving.units == 1]])
    assert (np.abs(gaps) <= 2).mean() > 0.95


@pytest.mark.slow
def test_neighbours_stay_two(neighbours):
    matched, templates = matched_with(neighbours.units, neighbours)
    assert merged_units(matched, templates, neighbours.whitened.uncorrected) == [0, 1, 2]


def test_min_valley_decides_whether_neighbours_are_merged(neighbours):
    matched, templates = matched_with(neighbours.units, neighbours)
    assert merged_units(matched, templates, neighbours.whitened.uncorrected, min_valley=1.0) == [0, 0, 1]


def where(matched, moving, is_there):
    """Matched spikes of the neurons' spikes that are there, and all of the third neuron."""
    gaps = np.abs(matched["sample_index"][:, None] - moving.samples[~is_there][None]).min(axis=1)
    return matched[(matched["unit_index"] == 2) | (gaps > 10)]


@pytest.mark.slow
@pytest.mark.parametrize(("min_share", "units"), [(0.3, [0, 0, 1]), (0.99, [0, 1, 2])])
def test_neighbours_that_replace_each_other_are_one(neighbours, min_share, units):
    # One at some displacements, the other at others: a neuron that looks like two on its way past the contacts.
    is_up = neighbours.displacement_at(neighbours.samples) > 0
    matched, templates = matched_with(neighbours.units, neighbours)
    kept = where(matched, neighbours, is_up == (neighbours.units == 1))
    assert merged_units(kept, templates, neighbours.whitened.uncorrected, min_exclusive_share=min_share) == units


def test_a_neuron_that_is_active_at_times_is_no_part_of_another(neighbours):
    # For 10 s in which the tissue is where it was in the first 10 s, when the neuron was silent.
    is_active = (neighbours.samples > 20 * 30000) & (neighbours.samples < 30 * 30000)
    matched, templates = matched_with(neighbours.units, neighbours)
    kept = where(matched, neighbours, (neighbours.units != 1) | is_active)
    counts = count_in_states(kept, kept["unit_index"], 3, templates.states, PARAMETERS.drift_merging).sum(axis=2)
    assert explained_share(counts[0], counts[1]) > 0.3
    assert merged_units(kept, templates, neighbours.whitened.uncorrected) == [0, 1, 2]


def test_a_unit_without_spikes_is_merged_with_none(neighbours):
    matched, templates = matched_with(neighbours.units, neighbours)
    kept = matched[matched["unit_index"] != 1]
    assert merged_units(kept, templates, neighbours.whitened.uncorrected, min_valley=1.0) == [0, 1, 2]


@pytest.mark.slow
def test_two_that_fire_as_two_are_not_merged(make_moving_traces):
    # At any time within each other's refractory period.
    independent = make_moving_traces((120.0, 132.0), (9.0, 9.0), num_spikes=700, delay=30)
    matched, templates = matched_with(independent.units, independent)
    assert merged_units(matched, templates, independent.whitened.uncorrected, min_valley=1.0) == [0, 1]


def test_at_rest_the_times_tell(make_spike_template, make_white_traces):
    alike = np.stack([make_spike_template(9.0, 1, decay=decay) for decay in (1.3, 2.0)]).astype("float32")
    rng = np.random.default_rng(0)

    def train(num_spikes, mean_interval):
        times = 200 + np.cumsum(90 + rng.exponential(mean_interval, num_spikes)).astype("int64")
        return times[times < 590_000]

    def number_of_units(trains, **values):
        traces = make_white_traces(alike, trains, 600_000)
        templates = traces.unit_templates()
        matched = match(traces.prepared, templates)
        assert len(np.unique(matched["unit_index"])) == 2
        return max(merged_units(matched, templates, traces.prepared, **values)) + 1

    whole, other = train(1_200, 400), train(600, 800)
    is_first = rng.random(len(whole)) < 0.5
    # A neuron that changes its shape from spike to spike.
    assert number_of_units([whole[is_first], whole[~is_first]]) == 1
    assert number_of_units([whole[is_first], whole[~is_first]], max_coincidence_ratio_of_one=0.0) == 2
    assert number_of_units([whole[is_first], other]) == 2


@pytest.mark.parametrize("num_units", [0, 1])
def test_fewer_than_two_units_stay(two_neurons, num_units):
    templates = two_neurons.unit_templates(two_neurons.templates[:num_units])
    matched = match(two_neurons.prepared, templates)
    assert merged_units(matched, templates, two_neurons.prepared) == list(range(num_units))


def test_groups_hold_only_units_of_which_each_two_are_one():
    is_one = np.zeros((4, 4), dtype=bool)
    for first, second in ((0, 1), (1, 2), (2, 3), (1, 3)):
        is_one[first, second] = is_one[second, first] = True
    pairs = np.array([[0, 1], [1, 2], [2, 3], [1, 3], [0, 3]])
    # 0 and 2 are two, so that 2 does not come to 0 and 1; 3 is one with 1, but not with 0.
    assert link_pairs(pairs, is_one).tolist() == [[0, 1], [2, 3]]
    assert link_pairs(np.zeros((0, 2), dtype=int), is_one).shape == (0, 2)
