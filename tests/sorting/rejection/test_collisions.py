import numpy as np
import pytest

from huidurep_hf.recording.spikes.neighborhood import find_neighborhoods
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.rejection.collisions import find_collisions
from huidurep_hf.sorting.rejection.reject_clusters import reject_clusters


@pytest.fixture(scope="module")
def colliding(make_spike_template, make_white_traces):
    """Three neurons; 60 of the spikes of the second and of the third are 0.17 to 0.5 ms after one of the first."""
    rng = np.random.default_rng(0)
    first = rng.permutation(np.arange(300, 590_000, 300))[:600]
    second = np.r_[first[:60] + rng.integers(5, 15, 60), rng.permutation(np.arange(450, 590_000, 300))[:500]]
    third = np.r_[first[60:120] + rng.integers(5, 15, 60), rng.permutation(np.arange(375, 590_000, 300))[:90]]
    templates = [
        make_spike_template(20.0, 0),
        make_spike_template(15.0, 2, width=6.0),
        make_spike_template(9.0, 3, width=2.5),
    ]
    return make_white_traces(np.stack(templates).astype("float32"), [first, second, third], 600_000)


def found(labels, traces):
    """Collisions among clusters of spikes whose templates are their averages."""
    recording = traces.prepared.recording.get_traces()
    templates = np.zeros((labels.max() + 1, 90, 4), dtype="float32")
    for unit in range(len(templates)):
        templates[unit] = np.mean(
            [recording[sample - 30 : sample + 60] for sample in traces.samples[labels == unit]], axis=0
        )
    neighborhoods = find_neighborhoods(traces.prepared.positions, traces.prepared.shanks, 4)
    spikes = traces.peaks.with_columns(cluster=labels, aligned_sample=traces.samples)
    is_collision = find_collisions(spikes, templates, neighborhoods, traces.prepared, SortingParameters()).tolist()
    if not is_collision:
        return is_collision
    # What finds the templates itself dissolves the same.
    rejected = reject_clusters(spikes, traces.prepared, SortingParameters())
    rank = np.append(np.where(is_collision, -1, np.cumsum(~np.array(is_collision)) - 1), -1)
    np.testing.assert_array_equal(rejected["cluster"], rank[labels])
    return is_collision


def follows(traces, unit):
    """Spikes of the first neuron that one of another follows, and those of the other that do."""
    of_first, of_other = np.flatnonzero(traces.units == 0), np.flatnonzero(traces.units == unit)
    gaps = traces.samples[of_other][None] - traces.samples[of_first][:, None]
    is_close = (gaps > 0) & (gaps < 20)
    return of_first[is_close.any(axis=1)], of_other[is_close.any(axis=0)]


def test_a_cluster_of_two_neurons_that_fire_together_is_a_collision(colliding):
    led, following = follows(colliding, 1)
    assert len(led) >= 60
    labels = np.where(colliding.units == 2, 3, colliding.units)
    labels[led], labels[following] = 2, -1
    assert found(labels, colliding) == [False, False, True, False]


def test_what_fires_as_often_as_its_parts_is_none(colliding):
    led, following = follows(colliding, 1)
    labels = np.where(colliding.units == 2, 3, colliding.units)
    labels[led], labels[following] = 2, -1
    # Leave no more of the parts than there are collisions.
    for unit in (0, 1):
        labels[np.flatnonzero(labels == unit)[len(led) :]] = -1
    assert found(labels, colliding) == [False, False, False, False]


def test_a_rare_neuron_is_none_though_most_of_its_template_is_like_another(make_spike_template, make_white_traces):
    frequent = make_spike_template(14.0, 1)
    own = make_spike_template(1.0, 2, width=9.0)
    own -= (own * frequent).sum() / np.square(frequent).sum() * frequent
    rare = 0.84 * frequent + own * np.sqrt(0.3 * np.square(frequent).sum() / np.square(own).sum())
    times = np.random.default_rng(1).permutation(np.arange(300, 590_000, 300))
    traces = make_white_traces(np.stack([frequent, rare]).astype("float32"), [times[:600], times[600:680]], 600_000)
    assert found(traces.units, traces) == [False, False]


def test_no_clusters_and_one_cluster(colliding):
    assert found(np.full(len(colliding.units), -1), colliding) == []
    assert found(np.where(colliding.units == 0, 0, -1), colliding) == [False]
