import numpy as np
import pytest

from huidurep_hf.sorting.matching.bursts import add_weakened_spikes, find_bursting_units
from huidurep_hf.sorting.matching.engine import match_templates

RATE = 30000.0
NUM_SAMPLES = 600_000


@pytest.fixture(scope="module")
def bursting(make_spike_template, make_white_traces):
    """A neuron of SNR 6 in doublets whose second spikes are weak, and another neuron: `(traces, templates, weak)`."""
    rng = np.random.default_rng(3)
    first = make_spike_template(6.0, 0)
    other = make_spike_template(8.0, 3, width=3.0)
    starts = np.arange(300, NUM_SAMPLES - 1000, 2000) + rng.integers(0, 300, 300)[: len(range(300, 599_000, 2000))]
    weak = starts[::2] + rng.integers(100, 240, len(starts[::2]))
    others = starts + 1000
    traces = make_white_traces(np.stack([first, 0.6 * first, other]), [starts, weak, others], NUM_SAMPLES)
    return traces, traces.unit_templates(np.stack([first, other])), weak


def share_found(matched, samples):
    times = matched["sample_index"][matched["cluster_index"] == 0]
    return np.mean([np.abs(times - sample).min() <= 6 for sample in samples])


def test_spikes_that_a_burst_weakened_are_found(bursting):
    traces, templates, weak = bursting
    matched = match_templates(traces.prepared, templates)
    more = add_weakened_spikes(matched, templates, traces.prepared)
    assert share_found(more, weak) > share_found(matched, weak) + 0.1
    assert share_found(more, weak) > 0.97
    # What was found before stays as it was; what is new is a burst's and nothing else.
    new = np.setdiff1d(more, matched)
    assert len(more) == len(matched) + len(new)
    assert set(new["cluster_index"]) == {0}
    assert np.mean([np.abs(weak - sample).min() <= 6 for sample in new["sample_index"]]) > 0.97
    assert (np.diff(more["sample_index"]) >= 0).all()


def test_without_bursts_nothing_is_looked_for(two_neurons):
    templates = two_neurons.unit_templates()
    matched = match_templates(two_neurons.prepared, templates)
    assert add_weakened_spikes(matched, templates, two_neurons.prepared) is matched


def test_chance_intervals_are_no_bursts():
    rng = np.random.default_rng(0)
    fast = np.unique(rng.integers(0, NUM_SAMPLES, 1000))  # 50 spikes/s: a third of its intervals are below 12 ms
    starts = np.arange(0, NUM_SAMPLES - 500, 10_000)
    doublets = np.sort(np.concatenate([starts, starts + 150]))
    spikes = np.zeros(len(fast) + len(doublets), dtype=[(name, "int64") for name in ("sample_index", "cluster_index")])
    spikes["sample_index"] = np.concatenate([fast, doublets])
    spikes["cluster_index"] = np.repeat([0, 1], [len(fast), len(doublets)])
    matched = np.zeros(len(spikes), dtype=[*spikes.dtype.descr, ("segment_index", "int64")])
    for name in spikes.dtype.names:
        matched[name] = spikes[name]
    matched = matched[np.argsort(matched["sample_index"])]
    assert find_bursting_units(matched, 3, [NUM_SAMPLES], RATE).tolist() == [1]
    assert find_bursting_units(matched[:0], 1, [NUM_SAMPLES], RATE).tolist() == []
