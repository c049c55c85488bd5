import numpy as np

from huidurep_hf.sorting.merging.merge_clusters import merge_over_split
from huidurep_hf.sorting.merging.refractoriness import fire_as_one, fire_independently
from huidurep_hf.sorting.parameters import RefractorySettings, SortingParameters
from huidurep_hf.sorting.templates.spike_waveforms import SpikeWaveforms

RATE = 30000.0
SETTINGS = RefractorySettings()


def train(rate_hz, duration_s, seed, dead_time_s=0.003):
    rng = np.random.default_rng(seed)
    intervals = dead_time_s + rng.exponential(1 / rate_hz - dead_time_s, int(2 * rate_hz * duration_s))
    times = np.cumsum(intervals)
    return np.round(times[times < duration_s] * RATE).astype("int64")


def test_two_neurons_and_one():
    first, second = train(15.0, 120.0, 0), train(15.0, 120.0, 1)
    assert fire_independently(first, second, RATE, SETTINGS)
    assert fire_independently(second, first, RATE, SETTINGS)
    is_early = np.random.default_rng(2).random(len(first)) < 0.5
    assert not fire_independently(first[is_early], first[~is_early], RATE, SETTINGS)
    # Too few spikes to tell.
    assert not fire_independently(first[:100], second[:100], RATE, SETTINGS)
    assert not fire_independently(first[:0], second, RATE, SETTINGS)


def test_parts_of_one_train_fire_as_one():
    first, second = train(15.0, 120.0, 0), train(15.0, 120.0, 1)
    is_early = np.random.default_rng(2).random(len(first)) < 0.5
    assert fire_as_one(first[is_early], first[~is_early], RATE, SETTINGS)
    assert not fire_as_one(first, second, RATE, SETTINGS)
    # One part with a twentieth of another neuron's spikes in it.
    mixed = np.sort(np.concatenate([first[~is_early], second[::20]]))
    assert not fire_as_one(first[is_early], mixed, RATE, RefractorySettings(max_coincidence_ratio_of_one=0.0))
    assert fire_as_one(first[is_early], mixed, RATE, RefractorySettings(max_coincidence_ratio_of_one=0.3))
    # Too few spikes to tell.
    assert not fire_as_one(first[is_early][:100], first[~is_early][:100], RATE, SETTINGS)


def test_rates_that_change_together_are_not_coincidences():
    # One neuron that is active in one second of ten.
    times = train(100.0, 120.0, 3)
    times = times[(times // RATE) % 10 == 0]
    half = np.random.default_rng(0).random(len(times)) < 0.5
    assert not fire_independently(times[half], times[~half], RATE, SETTINGS)


def test_alike_neurons_stay_apart_where_both_fire_at_once(make_spike_template, make_white_traces):
    templates = np.stack([make_spike_template(8.0, 1, decay=decay) for decay in (1.5, 1.75)])

    def number_of_units(trains):
        traces = make_white_traces(templates, trains, 600_000)
        parameters = SortingParameters()
        waveforms = SpikeWaveforms.cut(traces.prepared, traces.peaks, parameters.waveforms)
        found, _ = merge_over_split(traces.units, traces.samples, waveforms, RATE, parameters)
        return found.max() + 1

    first, second = (times[(times > 200) & (times < 590_000)] for times in (train(40.0, 20.0, 5), train(40.0, 20.0, 6)))
    assert number_of_units([first, second]) == 2
    # The same waveforms in the train of one neuron: it changes its shape, and no valley shows two.
    is_early = np.random.default_rng(0).random(len(first)) < 0.5
    assert number_of_units([first[is_early], first[~is_early]]) == 1
