"""A large spike that is detected twice makes two clusters; the one beside its trough goes, and a neuron stays."""

import numpy as np
import pytest

from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.rejection.reject_clusters import reject_clusters

LAG = 17


@pytest.fixture(scope="module")
def detected_twice(make_spike_template, make_white_traces):
    """A large neuron with a small trough on another channel 0.6 ms earlier; and a small neuron of its own."""
    rng = np.random.default_rng(0)
    large = make_spike_template(25.0, 0)
    large += np.roll(make_spike_template(5.0, 2), -LAG, axis=0)
    samples = rng.permutation(np.arange(600, 590_000, 300))
    trains = [samples[:100], samples[100:400] + rng.integers(0, 100, 300)]
    templates = np.stack([large, make_spike_template(6.0, 3)]).astype("float32")
    return make_white_traces(templates, trains, 600_000)


def clusters_of(traces, early, others):
    """Labels of the large neuron's spikes, of some of them at the early trough, and of others in that cluster."""
    large = np.flatnonzero(traces.units == 0)
    small = np.flatnonzero(traces.units == 1)
    at_trough = traces.peaks[large].with_columns(cluster=np.zeros(len(large), dtype="int64"))
    second = traces.peaks[large[:early]].with_columns(
        sample_index=traces.samples[large[:early]] - LAG, cluster=np.ones(early, dtype="int64")
    )
    foreign = traces.peaks[small[:others]].with_columns(cluster=np.ones(others, dtype="int64"))
    own = traces.peaks[small[others:]].with_columns(cluster=np.full(len(small) - others, 2))
    tables = [at_trough, second, foreign, own]
    spikes = type(traces.peaks).concatenate(tables).in_order()
    return spikes.with_columns(aligned_sample=spikes["sample_index"])


@pytest.mark.parametrize(("early", "others"), [(100, 0), (100, 60), (40, 10)])
def test_second_peaks_of_a_large_spike_are_no_unit(detected_twice, early, others):
    spikes = clusters_of(detected_twice, early, others)
    found = reject_clusters(spikes, detected_twice.prepared, SortingParameters())
    expected = np.array([0, -1, 1])[spikes["cluster"]]
    np.testing.assert_array_equal(found["cluster"], expected)


def test_each_setting_counts(detected_twice):
    # As many of them as there are troughs: no cluster fires more often, and none is a collision of others.
    spikes = clusters_of(detected_twice, 100, 60)
    for given in ({"min_secondary_share": 1.0}, {"max_extremum_offset_ms": 0.7}):
        found = reject_clusters(spikes, detected_twice.prepared, SortingParameters(**given))
        assert found["cluster"].max() == 2


def test_a_small_neuron_that_sometimes_fires_before_a_large_one_stays(make_spike_template, make_white_traces):
    rng = np.random.default_rng(1)
    samples = rng.permutation(np.arange(600, 590_000, 300))
    small = np.sort(np.r_[samples[:40] - LAG, samples[300:400]])
    templates = np.stack([make_spike_template(25.0, 0), make_spike_template(6.0, 2)]).astype("float32")
    traces = make_white_traces(templates, [samples[:300], small], 600_000)
    spikes = traces.peaks.with_columns(cluster=traces.units, aligned_sample=traces.samples)
    found = reject_clusters(spikes, traces.prepared, SortingParameters())
    assert found["cluster"].max() == 1
