"""The later spikes of regular bursts are their neuron's, though a valley lies between large and small ones."""

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.sorting.merging.burst_parts import continue_bursts
from huidurep_hf.sorting.merging.settings import UnitMergingSettings
from huidurep_hf.sorting.parameters import SortingParameters

RATE = 30000.0
BURSTS = SortingParameters().bursts


def decide(larger, smaller, cosine=0.99):
    return continue_bursts(np.sort(larger), np.sort(smaller), cosine, RATE, BURSTS, UnitMergingSettings())


def test_what_follows_within_bursts_is_a_part():
    larger = np.arange(200) * 6000
    assert decide(larger, larger + 90)
    assert decide(larger, np.r_[larger + 180, larger + 270])
    # Alone, or before the larger ones, or too late, or of another shape.
    assert not decide(larger, larger + 3000)
    assert not decide(larger, larger - 90)
    assert not decide(larger, larger + 600)
    assert not decide(larger, larger + 90, cosine=0.8)
    assert not decide(larger, np.r_[larger[:80] + 90, larger[80:] + 3000])


def test_no_spikes_are_no_part():
    assert not decide(np.zeros(0, dtype="int64"), np.arange(5))
    assert not decide(np.arange(5), np.zeros(0, dtype="int64"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_neuron_with_regular_bursts_is_one_unit(seed):
    from huidurep_hf import SpikeSorter

    rng = np.random.default_rng(seed)
    starts = np.sort(rng.choice(np.arange(10, 590), 120, replace=False)) * 1500
    spikes = (starts[:, None] + 90 * np.arange(5)).ravel()
    amplitudes = np.tile([1.0, 0.83, 0.65, 0.48, 0.3], len(starts)) * rng.normal(1, 0.05, len(spikes))
    times = np.arange(-20, 40) / 30
    shape = -np.exp(-np.square(times / 0.12)) + 0.3 * np.exp(-np.square((times - 0.45) / 0.25))
    traces = rng.normal(size=(900_000, 4)).astype("float32") * 10
    for sample, amplitude in zip(spikes, amplitudes):
        traces[sample - 20 : sample + 40] += 240 * amplitude * np.outer(shape, [1.0, 0.7, 0.5, 0.35])
    recording = NumpyRecording([traces], RATE)
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    recording.set_dummy_probe_from_locations(np.array([[0, 0], [25, 0], [0, 25], [25, 25]], dtype="float64"))
    sorting = SpikeSorter.from_pretrained("huidurep/base").sort(recording).sorting
    assert len(sorting.unit_ids) == 1
    assert len(sorting.to_spike_vector()) > 0.9 * len(spikes)
