import numpy as np
import pytest

from huidurep_hf.sorting.merging.merge_clusters import merge_over_split
from huidurep_hf.sorting.merging.scatter import unexplained_share
from huidurep_hf.sorting.merging.valley import valley_depth_on_line
from huidurep_hf.sorting.parameters import ScatterSettings, SortingParameters
from huidurep_hf.sorting.templates.spike_waveforms import SpikeWaveforms

RATE = 30000.0
NUM_SAMPLES, NUM_CHANNELS = 51, 4
SETTINGS = ScatterSettings()
SHAPES = np.linalg.qr(np.random.default_rng(0).normal(size=(NUM_SAMPLES, 10)))[0].T
SIZE = 6.0


def template(*weights):
    """Of one shape on all channels, `SIZE` times the noise but for the weights."""
    weights = np.array(weights) * SIZE / np.linalg.norm(weights)
    return SHAPES[0][:, None] * weights[None, :]


FIRST = template(1.0, 0.7, 0.2, 0.1)
SECOND = FIRST + 1.1 * (template(0.7, 1.0, 0.3, 0.5) - FIRST)


def spikes(mean, num_spikes, seed, scales=(1.0, 1.0)):
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(*scales, size=(num_spikes, 1, 1))
    return sizes * mean + rng.normal(size=(num_spikes, NUM_SAMPLES, NUM_CHANNELS))


def test_two_faint_neurons_with_a_shallow_valley():
    distance = np.linalg.norm(SECOND - FIRST)
    assert 2.9 < distance < 3.0
    shares, valleys = [], []
    for seed in range(10):
        first, second = spikes(FIRST, 200, seed), spikes(SECOND, 200, 100 + seed)
        shares.append(unexplained_share(first, second, SHAPES, SETTINGS))
        line = (SECOND - FIRST) / distance
        valleys.append(valley_depth_on_line(*(np.tensordot(own, line, axes=2) for own in (first, second))))
    # The spread tells more than the valley does even along the line that is known to be the best.
    assert min(shares) > 0.3
    assert np.mean(shares) > np.mean(valleys) + 0.1


def test_halves_of_one_neuron_cut_where_its_noise_differs_most():
    shares = []
    for seed in range(10):
        cut = spikes(FIRST, 400, seed)
        is_first = cut[:, :, 2].sum(axis=1) > 0
        shares.append(unexplained_share(cut[is_first], cut[~is_first], SHAPES, SETTINGS))
    assert max(shares) < 0.1


@pytest.mark.parametrize("sizes", [(1.0, 1.0), (0.7, 1.3)])
def test_one_neuron_also_where_its_size_changes(sizes):
    for seed in range(10):
        first, second = spikes(FIRST, 60, seed, sizes), spikes(FIRST, 60, 100 + seed, sizes)
        assert unexplained_share(first, second, SHAPES, SETTINGS) < 0.1
        larger, smaller = spikes(1.3 * FIRST, 60, seed), spikes(0.8 * FIRST, 60, 100 + seed)
        assert unexplained_share(larger, smaller, SHAPES, SETTINGS) < 0.1


def test_a_shift_in_time_is_one_neuron():
    slope = np.gradient(FIRST, axis=0)
    early, late = (spikes(FIRST + shift * slope, 60, seed) for seed, shift in enumerate((-0.7, 0.7)))
    assert np.linalg.norm(1.4 * slope) > 2.9
    shapes = np.linalg.svd(np.concatenate([SHAPES, np.gradient(SHAPES, axis=1)]), full_matrices=False)[2]
    assert unexplained_share(early, late, shapes, SETTINGS) < 0.1


def test_a_cluster_that_holds_two_things_tells_nothing():
    far = FIRST + 2 * (SECOND - FIRST)
    assert unexplained_share(spikes(FIRST, 200, 0), spikes(far, 200, 1), SHAPES, SETTINGS) > 0.5
    mixed = np.concatenate([spikes(FIRST, 100, 1), spikes(far, 100, 2)])[np.random.default_rng(0).permutation(200)]
    assert unexplained_share(spikes(FIRST, 200, 0), mixed, SHAPES, SETTINGS) == 0


def test_large_neurons_and_few_spikes_tell_nothing():
    # Of the same distance from each other, and larger than the limit by a half.
    larger = np.zeros_like(FIRST)
    larger[:, 3] = 10.5 * SHAPES[1]
    first, second = FIRST + larger, SECOND + larger
    assert unexplained_share(spikes(first, 200, 0), spikes(second, 200, 1), SHAPES, SETTINGS) == 0
    assert unexplained_share(spikes(FIRST, 200, 0), spikes(SECOND, 7, 1), SHAPES, SETTINGS) == 0


def test_neither_cluster_comes_first():
    first, second = spikes(FIRST, 200, 0), spikes(SECOND, 240, 1)
    share = unexplained_share(first, second, SHAPES, SETTINGS)
    assert share > 0.3
    assert unexplained_share(second, first, SHAPES, SETTINGS) == pytest.approx(share)


@pytest.mark.parametrize("seed", range(4))
def test_faint_neurons_stay_two_by_their_scatter_alone(seed):
    num_spikes, margin = 200, 15
    rng = np.random.default_rng(seed)
    waveforms = rng.normal(size=(2 * num_spikes, NUM_SAMPLES + 2 * margin, NUM_CHANNELS)).astype("float32")
    units = np.repeat([0, 1], num_spikes)
    waveforms[:, margin:-margin] += np.stack([FIRST, SECOND])[units]
    neighbors = np.tile(np.arange(NUM_CHANNELS), (NUM_CHANNELS, 1))
    cut = SpikeWaveforms(waveforms, np.zeros(len(units), dtype="int64"), neighbors, 15, NUM_SAMPLES, margin)
    times = np.sort(rng.permutation(1_000_000)[: len(units)])
    # The merge threshold is that of the valley, and of nothing else.
    apart, _ = merge_over_split(units, times, cut, RATE, SortingParameters(min_valley=1.0))
    assert (apart == units).mean() > 0.85
    merged, _ = merge_over_split(units, times, cut, RATE, SortingParameters(min_valley=1.0, max_unexplained_share=1.0))
    assert merged.max() == 0
