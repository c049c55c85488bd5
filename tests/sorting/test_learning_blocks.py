from types import SimpleNamespace

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.blocks import Block
from huidurep_hf.recording.preprocessing.noise_over_time import NoiseOverTime
from huidurep_hf.sorting.learning_blocks import (
    choose_learning_blocks,
    choose_trial_blocks,
    draw_over_time,
    in_blocks,
    what_is_learned_from,
)
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.spikes import Spikes

RATE = 1000
LEVELS = np.array([1.0, 2.0, 4.0, 1.0])
# Two segments of 60 and 40 s.
BLOCKS = [Block(segment, RATE * i, RATE * (i + 1)) for segment, num in ((0, 60), (1, 40)) for i in range(num)]


def choose(peaks, noise_levels, max_peaks, **settings):
    parameters = SortingParameters(max_learned_peaks=max_peaks, learned_peaks_per_channel=10, **settings)
    return choose_learning_blocks(peaks, prepared_of(noise_levels), BLOCKS, parameters)


def prepared_of(noise_levels, noise_over_time=None):
    """What is asked of a prepared recording here."""
    return SimpleNamespace(noise_levels=noise_levels, noise_over_time=noise_over_time)


def peaks_of(counts, channels, sizes, seed=0):
    """So many peaks of each channel and size in each block, `(num_blocks, num_kinds)`, in order."""
    rng = np.random.default_rng(seed)
    columns = [[], [], [], []]
    for block, of_kinds in zip(BLOCKS, counts):
        for number, channel, size in zip(of_kinds, channels, sizes):
            columns[0] += [block.segment] * number
            columns[1] += rng.integers(block.start, block.stop, number).tolist()
            columns[2] += [channel] * number
            columns[3] += [-size * LEVELS[channel]] * number
    segment, sample, channel, amplitude = map(np.array, columns)
    return Spikes(segment_index=segment, sample_index=sample, channel_index=channel, amplitude=amplitude).in_order()


def test_units_are_learned_where_the_noise_is_as_usual():
    factors = [np.ones((4 * num, 4), dtype="float32") for num in (60, 40)]
    factors[0][41:44, 2] = 1.5
    noise = NoiseOverTime(RATE, 4, factors)
    peaks = peaks_of(np.full((100, 1), 12), [0], [8.0])
    found = choose_learning_blocks(peaks, prepared_of(LEVELS, noise), BLOCKS, SortingParameters())
    assert found == BLOCKS[:10] + BLOCKS[11:]
    # Also where not all of them are needed.
    few = SortingParameters(max_learned_peaks=1000, learned_peaks_per_channel=10)
    found = choose_learning_blocks(peaks, prepared_of(LEVELS, noise), BLOCKS, few)
    assert 70 < len(found) < 90 and BLOCKS[10] not in found
    # All are needed where clusters are taken as they are, or little is quiet.
    off = SortingParameters(template_matching="off")
    assert choose_learning_blocks(peaks, prepared_of(LEVELS, noise), BLOCKS, off) == BLOCKS
    loud = NoiseOverTime(RATE, 4, [np.full_like(factors[0], 2.0), factors[1][:, :]])
    loud.factors[1][60:] = 2.0
    assert choose_learning_blocks(peaks, prepared_of(LEVELS, loud), BLOCKS, SortingParameters()) == BLOCKS


def test_few_peaks_are_all_taken():
    peaks = peaks_of(np.full((100, 1), 12), [0], [8.0])
    assert choose(peaks, LEVELS, 1200) == BLOCKS
    assert choose(peaks[:0], LEVELS, 1000) == BLOCKS
    assert choose(peaks, LEVELS, 1199) != BLOCKS
    # As many for each channel as the settings say, where that is more.
    assert len(LEVELS) == 4
    for per_channel, all_are_taken in ((299, False), (300, True)):
        parameters = SortingParameters(max_learned_peaks=1000, learned_peaks_per_channel=per_channel)
        assert (choose_learning_blocks(peaks, prepared_of(LEVELS), BLOCKS, parameters) == BLOCKS) == all_are_taken


def test_how_often_a_unit_must_fire_is_said():
    recording = NumpyRecording([np.zeros((60 * RATE, 4), "float32"), np.zeros((40 * RATE, 4), "float32")], RATE)
    sentence = what_is_learned_from(
        BLOCKS[:25], BLOCKS, 1234, SimpleNamespace(recording=recording), SortingParameters()
    )
    assert "learned from 1234 peaks, in 25 of 100 s" in sentence
    # 20 spikes in 25 s.
    assert "fires less than 0.8 times a second there is not found" in sentence


def test_where_clusters_are_units_every_peak_is_learned_from():
    peaks = peaks_of(np.full((100, 1), 50), [0], [8.0])
    assert choose(peaks, LEVELS, 1000) != BLOCKS
    assert choose(peaks, LEVELS, 1000, template_matching="off") == BLOCKS
    assert choose(peaks, LEVELS, 1000, num_units=3) == BLOCKS


def test_as_many_peaks_as_asked_for_all_over_the_recording():
    peaks = peaks_of(np.random.default_rng(1).poisson(50, (100, 2)), [0, 2], [8.0, 12.0])
    chosen = choose(peaks, LEVELS, 2000)
    assert chosen == sorted(set(chosen)) and set(chosen) <= set(BLOCKS)
    num_peaks = in_blocks(peaks, chosen).sum()
    assert 1700 < num_peaks <= 2000
    # Something of each ten seconds of both segments, and of each half more or less the same.
    tenths = {(block.segment, block.start // (20 * RATE)) for block in chosen}
    assert len(tenths) == 3 + 2
    assert choose(peaks, LEVELS, 2000) == chosen


@pytest.mark.parametrize("place", [7, 43, 88])
def test_what_is_found_in_one_stretch_only_is_learned_from(place):
    counts = np.random.default_rng(1).poisson(50, (100, 3))
    counts[:, 2] = 0
    # Six seconds of another neuron: of a channel, or of a size, that nothing else has.
    counts[place : place + 6, 2] = 5
    for channel, size in ((3, 8.0), (0, 30.0)):
        peaks = peaks_of(counts, [0, 1, channel], [8.0, 8.0, size])
        chosen = choose(peaks, LEVELS, 2000)
        is_rare = (peaks["channel_index"] == channel) & (np.abs(peaks["amplitude"]) == size * LEVELS[channel])
        assert is_rare.sum() == 30
        assert np.sum(is_rare & in_blocks(peaks, chosen)) == 30
        assert in_blocks(peaks, chosen).sum() <= 2000


def test_size_is_in_noise_and_of_whatever_sign():
    counts = np.random.default_rng(1).poisson(40, (100, 4))
    peaks = peaks_of(counts, [0, 1, 2, 3], [8.0] * 4)
    chosen = choose(peaks, LEVELS, 3000)
    scaled = peaks.with_columns(amplitude=peaks["amplitude"] / LEVELS[peaks["channel_index"]])
    assert choose(scaled, np.ones(4), 3000) == chosen
    turned = peaks.with_columns(amplitude=-peaks["amplitude"])
    assert choose(turned, LEVELS, 3000) == chosen


def test_spikes_in_blocks():
    spikes = Spikes(segment_index=np.array([0, 0, 0, 0, 1, 1]), sample_index=np.array([0, 999, 1000, 2500, 999, 1000]))
    assert in_blocks(spikes, [Block(0, 0, 1000), Block(1, 1000, 2000)]).tolist() == [1, 1, 0, 0, 0, 1]
    assert not in_blocks(spikes, []).any()
    assert len(in_blocks(spikes[:0], BLOCKS)) == 0


def test_peaks_for_motion_are_drawn_from_the_whole_recording():
    peaks = peaks_of(np.full((100, 1), 50), [0], [8.0])

    recording = NumpyRecording([np.zeros((60_000, 1)), np.zeros((40_000, 1))], sampling_frequency=RATE)
    prepared, parameters = SimpleNamespace(recording=recording), SortingParameters(motion_peaks_per_s=20)
    rows = draw_over_time(peaks, prepared, parameters)
    drawn = peaks[rows]
    assert len(set(rows.tolist())) == len(drawn) == 2000
    np.testing.assert_array_equal(drawn["sample_index"], drawn.in_order()["sample_index"])
    assert len(set(zip(drawn["segment_index"], drawn["sample_index"], drawn["amplitude"]))) > 1900
    per_second = [in_blocks(drawn, [block]).sum() for block in BLOCKS]
    assert set(per_second) == {20}
    # Successive ones, from anywhere in the second.
    firsts = rows.reshape(100, 20)[:, 0]
    np.testing.assert_array_equal(rows.reshape(100, 20), firsts[:, None] + np.arange(20))
    assert len(np.unique(firsts % 50)) > 15
    np.testing.assert_array_equal(draw_over_time(peaks, prepared, parameters), rows)
    assert len(draw_over_time(peaks, prepared, SortingParameters(motion_peaks_per_s=100))) == len(peaks)


def clustered(counts):
    """Spikes of clusters, so many in each block, and some of none."""
    channels = list(range(counts.shape[1])) + [3]
    with_others = np.concatenate([counts, np.full((len(counts), 1), 2)], axis=1)
    spikes = peaks_of(with_others, channels, [8.0] * len(channels))
    return spikes.with_columns(cluster=np.where(spikes["channel_index"] == 3, -1, spikes["channel_index"]))


def test_templates_are_tried_in_blocks_spread_evenly():
    spikes = clustered(np.full((100, 2), 20))
    assert choose_trial_blocks(spikes, BLOCKS, 100, 60) == BLOCKS
    chosen = choose_trial_blocks(spikes, BLOCKS, 10, 60)
    assert chosen == [BLOCKS[i] for i in range(5, 100, 10)]
    assert choose_trial_blocks(spikes[:0], BLOCKS, 10, 60) == chosen


def test_rare_clusters_have_blocks_added():
    counts = np.full((100, 2), 20)
    counts[:, 1] = 0
    # None of these is among the blocks that are spread evenly.
    counts[[1, 2, 42, 77], 1] = [10, 30, 20, 25]
    spikes = clustered(counts)
    chosen = choose_trial_blocks(spikes, BLOCKS, 10, 60)
    added = set(chosen) - {BLOCKS[i] for i in range(5, 100, 10)}
    assert chosen == sorted(chosen)
    # 30, 25 and one of the others.
    assert {BLOCKS[2], BLOCKS[77]} < added and len(added) == 3
    inside = spikes[in_blocks(spikes, chosen)]
    assert np.sum(inside["cluster"] == 1) >= 60
    # All that there are; and never more than twice as many blocks.
    assert len(choose_trial_blocks(spikes, BLOCKS, 10, 1000)) == 20
    few = choose_trial_blocks(spikes, BLOCKS, 2, 1000)
    assert len(few) == 4
