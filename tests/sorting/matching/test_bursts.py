import numpy as np
import pytest

from huidurep_hf.sorting.matching.bursts import find_bursting_units, without_isolated
from huidurep_hf.sorting.matching.engine import Matcher
from huidurep_hf.sorting.parameters import BurstSettings, SortingParameters
from huidurep_hf.sorting.spikes import Spikes

RATE = 30000.0
NUM_SAMPLES = 600_000
SETTINGS = BurstSettings()


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
    times = matched["sample_index"][matched["unit_index"] == 0]
    return np.mean([np.abs(times - sample).min() <= 6 for sample in samples])


def places_of(spikes):
    return set(zip(spikes["sample_index"].tolist(), spikes["unit_index"].tolist()))


def test_spikes_that_a_burst_weakened_are_found(bursting):
    traces, templates, weak = bursting
    matched = Matcher(traces.prepared, templates, SortingParameters()).match()
    found = find_bursting_units(matched, 2, NUM_SAMPLES, RATE, SETTINGS)
    assert found.tolist() == [0]
    more = Matcher(traces.prepared, templates, SortingParameters(), bursting=found).match()
    more = without_isolated(more, RATE, SETTINGS)
    assert share_found(more, weak) > share_found(matched, weak) + 0.1
    assert share_found(more, weak) > 0.97
    # What was found before stays as it was; what is new is a burst's and nothing else.
    assert places_of(matched) == places_of(more[~more["is_weakened"]])
    np.testing.assert_allclose(more["gain"][~more["is_weakened"]], matched["gain"], rtol=1e-5)
    new = more[more["is_weakened"]]
    assert len(more) == len(matched) + len(new)
    assert set(new["unit_index"]) == {0}
    assert np.mean([np.abs(weak - sample).min() <= 6 for sample in new["sample_index"]]) > 0.97
    assert (np.diff(more["sample_index"]) >= 0).all()
    assert ((new["probability"] > 0.5) & (new["probability"] <= 1)).all()
    assert (new["gain"] > SortingParameters().min_gain_in_burst).all()


def test_without_bursts_nothing_is_looked_for(two_neurons):
    templates = two_neurons.unit_templates()
    matched = Matcher(two_neurons.prepared, templates, SortingParameters()).match()
    found = find_bursting_units(matched, 2, NUM_SAMPLES, RATE, SETTINGS)
    assert found.tolist() == []
    again = Matcher(two_neurons.prepared, templates, SortingParameters(), bursting=found).match()
    assert places_of(again) == places_of(matched) and not again["is_weakened"].any()


def table(samples, units, is_weakened=False, segments=0):
    samples = np.asarray(samples)
    return Spikes(
        segment_index=np.broadcast_to(segments, samples.shape).astype("int64"),
        sample_index=samples.astype("int64"),
        unit_index=np.broadcast_to(units, samples.shape).astype("int64"),
        is_weakened=np.broadcast_to(is_weakened, samples.shape).astype(bool),
    ).in_order()


def test_chance_intervals_are_no_bursts():
    rng = np.random.default_rng(0)
    fast = np.unique(rng.integers(0, NUM_SAMPLES, 1000))  # 50 spikes/s: a third of its intervals are below 12 ms
    starts = np.arange(0, NUM_SAMPLES - 500, 10_000)
    doublets = np.sort(np.concatenate([starts, starts + 150]))
    matched = table(np.concatenate([fast, doublets]), np.repeat([0, 1], [len(fast), len(doublets)]))
    assert find_bursting_units(matched, 3, NUM_SAMPLES, RATE, SETTINGS).tolist() == [1]
    assert find_bursting_units(matched[:0], 1, NUM_SAMPLES, RATE, SETTINGS).tolist() == []


def test_intervals_do_not_cross_segments():
    segments = np.arange(200)
    matched = table(np.tile([599_900, 150], 200), 0, segments=np.repeat(segments, 2) + np.tile([0, 1], 200))
    assert find_bursting_units(matched, 1, 200 * NUM_SAMPLES, RATE, SETTINGS).tolist() == []


def test_a_weakened_spike_follows_one_that_stays():
    # 1.5 to 12 ms are 45 to 360 samples.
    times = np.array([1000, 1200, 1500, 1900, 2000, 2040, 3000, 3100, 5000])
    weak = np.array([False, True, True, True, False, True, True, True, False])
    # 1900 comes 13 ms after the last that stays, 2040 within the dead time, 3000 after nothing, and 3100 after 3000.
    kept = without_isolated(table(times, 0, weak), RATE, SETTINGS)
    assert kept["sample_index"].tolist() == [1000, 1200, 1500, 2000, 5000]
    # A spike of another unit, and of the segment before, is none to follow.
    assert without_isolated(table([1000, 1200], [1, 0], [False, True]), RATE, SETTINGS)["sample_index"].tolist() == [
        1000
    ]
    assert len(without_isolated(table([1000, 1200], 0, [False, True], [0, 1]), RATE, SETTINGS)) == 1
    assert len(without_isolated(table(np.zeros(0), 0), RATE, SETTINGS)) == 0
