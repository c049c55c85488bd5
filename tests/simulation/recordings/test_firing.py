from dataclasses import replace

import numpy as np
import pytest

from huidurep_hf.simulation.recordings.firing import FiringPattern, patterned_times, poisson_times
from huidurep_hf.simulation.recordings.injection import RecordingChain, record_units

LONE = FiringPattern(burst_probability=0.0, synchrony=0.0)
RATES, DEPTHS = np.array([10.0, 6.0, 8.0, 10.0]), np.array([0.0, 100.0, 20.0, 120.0])


def _trains(pattern, duration_s=200.0, rates=RATES):
    return patterned_times(rates, DEPTHS, duration_s, pattern, np.random.default_rng(3))


def _share_near(train, other, distance_s):
    return (np.abs(train[:, None] - other).min(axis=1) <= distance_s).mean()


def test_without_bursts_and_synchrony_trains_are_poisson():
    trains, amplitudes = _trains(LONE)
    for train, factors, rate in zip(trains, amplitudes, RATES):
        assert len(train) / train[-1] == pytest.approx(rate, rel=0.1)
        assert (factors == 1).all()
        assert np.diff(train).min() >= 0.0025
        # By chance alone 2 x 0.8 ms x rate of another unit's spikes are so near.
        assert all(_share_near(train, other, 0.0008) < 0.03 for other in trains if other is not train)


def test_neighbours_fire_together():
    trains, _ = _trains(replace(LONE, synchrony=0.5, group_size=2))
    # Depths 0 and 20 are a group, 100 and 120 another; a unit takes the common events in the ratio of the rates.
    assert _share_near(trains[2], trains[0], 0.0008) == pytest.approx(0.5, abs=0.07)
    assert _share_near(trains[0], trains[2], 0.0008) == pytest.approx(0.5 * 0.8, abs=0.07)
    assert _share_near(trains[0], trains[1], 0.0008) < 0.03
    for train, rate in zip(trains, RATES):
        assert len(train) / 200 == pytest.approx(rate, rel=0.1)


def test_bursts():
    pattern = replace(LONE, burst_probability=1.0)
    trains, amplitudes = _trains(pattern, duration_s=5000.0, rates=np.full(4, 0.02))
    times, factors = trains[0], amplitudes[0]
    starts = np.flatnonzero(factors == 1)
    lengths = np.diff(np.append(starts, len(times)))
    assert set(lengths) == {2, 3, 4, 5, 6}
    within = np.diff(times)[factors[1:] < 1]
    # Rare events hardly ever meet, so that nearly all intervals are the pattern's.
    assert np.quantile(within, [0.01, 0.99]) == pytest.approx([0.003, 0.008], abs=2e-4)
    last = factors[np.append(starts[1:], len(times)) - 1]
    assert last.min() >= 0.6 and last.max() <= 0.8


def test_no_spike_in_the_dead_time():
    for train in _trains(FiringPattern(burst_probability=0.8), rates=np.full(4, 40.0))[0]:
        assert np.diff(train).min() >= 0.0025


def test_a_train_of_nothing():
    assert len(poisson_times(1e-6, 1.0, np.random.default_rng(0))) > 0
    trains, amplitudes = patterned_times(np.empty(0), np.empty(0), 1.0, FiringPattern(), np.random.default_rng(0))
    assert trains == [] and amplitudes == []


def test_traces_hold_the_amplitudes_of_bursts(made_templates):
    templates, probe = made_templates
    pattern = FiringPattern(burst_probability=1.0, burst_end_amplitude=(0.5, 0.5), synchrony=0.0)
    chain = RecordingChain(20.0, noise_level_uv=0.01, firing_rate_range_hz=(3.0, 3.0), pattern=pattern, seed=1)
    truth = record_units(templates, probe, chain)
    samples, others = (truth.sorting.get_unit_spike_train(unit) for unit in (0, 1))
    lone = np.abs(samples[:, None] - others).min(axis=1) > 120
    is_last = np.append(np.diff(samples) > 0.05 * 30_000, True)
    is_first = np.append(True, np.diff(samples) > 0.05 * 30_000)
    traces = truth.recording.get_traces()
    depth = np.array([-traces[sample - 10 : sample + 11, 1].sum() for sample in samples])
    ratio = depth[lone & is_last].mean() / depth[lone & is_first].mean()
    assert ratio == pytest.approx(0.5, abs=0.04)
