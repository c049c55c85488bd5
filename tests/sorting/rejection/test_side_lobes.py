"""Units made of what a very large spike leaves some milliseconds before and after it, and small neurons, which stay."""

import numpy as np
import pytest

from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.rejection.side_lobes import is_side_lobe_unit
from huidurep_hf.sorting.spikes import Spikes
from huidurep_hf.workers import Workers

from ..conftest import prepared_white

LOBE_LAG, LARGE, SMALL = 75, 40.0, 5.0
TROUGH = -np.hanning(31)


def made(lobe, num_large=200, share=0.6, burst_lag=None, num_small=200):
    """A neuron of 40 SDs with lobes on both sides, and a second unit at the lobes or anywhere."""
    rng = np.random.default_rng(0)
    traces = rng.normal(size=(400_000, 4)).astype("float32")
    large = np.arange(2000, 2000 + 900 * num_large, 900)
    shape = np.array([1.0, 0.8, 0.6, 0.5])
    for sample in large:
        traces[sample - 15 : sample + 16] += LARGE * np.outer(TROUGH, shape)
        for lag in (-LOBE_LAG, LOBE_LAG):
            traces[sample + lag - 15 : sample + lag + 16] += lobe * np.outer(TROUGH, shape)
    if burst_lag is not None:
        small = rng.choice(large, round(share * num_large), replace=False) + burst_lag
    elif lobe:
        small = rng.choice(large, round(share * num_large), replace=False) + rng.choice([-LOBE_LAG, LOBE_LAG])
    else:
        small = rng.choice(np.arange(1000, 399_000), num_small, replace=False)
    if burst_lag is not None or not lobe:
        for sample in small:
            traces[sample - 15 : sample + 16] += SMALL * np.outer(TROUGH, shape)
    samples = np.concatenate([large, small])
    units = np.repeat([0, 1], [len(large), len(small)])
    matched = Spikes(
        segment_index=np.zeros(len(samples), dtype="int64"),
        sample_index=samples,
        channel_index=np.zeros(len(samples), dtype="int64"),
        unit_index=units,
    ).in_order()
    samples, units = matched["sample_index"], matched["unit_index"]
    averages = np.stack([np.mean([traces[s - 30 : s + 60] for s in samples[units == unit]], axis=0) for unit in (0, 1)])
    return matched, averages, prepared_white(traces)


def found(*args, **kwargs):
    return is_side_lobe_unit(*made(*args, **kwargs), SortingParameters(), Workers()).tolist()


@pytest.mark.parametrize("lobe", [4.0, 8.0])
def test_a_unit_at_the_lobes_of_a_large_one_is_one(lobe):
    assert found(lobe, share=0.6) == [False, True]
    # Lobes that every spike has are lobes as well.
    assert found(lobe, share=1.0) == [False, True]


def test_a_small_neuron_beside_a_large_one_is_none():
    assert found(0.0) == [False, False]


def test_a_small_neuron_that_often_follows_a_large_one_is_none():
    assert found(0.0, burst_lag=LOBE_LAG, share=0.3) == [False, False]


def test_nothing_is_none():
    matched, averages, prepared = made(4.0)
    none = is_side_lobe_unit(matched[:0], averages[:0], prepared, SortingParameters(), Workers())
    assert none.shape == (0,)
    # Units without a spike, as when nothing was matched.
    assert not is_side_lobe_unit(matched[:0], averages[:, :0], prepared, SortingParameters(), Workers()).any()
