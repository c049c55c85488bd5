import numpy as np

from huidurep_hf.recording.spikes.neighborhood import find_neighborhoods
from huidurep_hf.sorting.matching.pairing import pair_with_peaks
from huidurep_hf.sorting.spikes import Spikes


def table(samples, channels, segments=0):
    samples = np.asarray(samples, dtype="int64")
    segments = np.broadcast_to(np.asarray(segments, dtype="int64"), samples.shape)
    return Spikes(segment_index=segments, sample_index=samples, channel_index=np.asarray(channels, dtype="int64"))


NEIGHBORHOODS = find_neighborhoods(np.array([[0.0, 0], [0, 20], [0, 900]]), np.zeros(3, dtype=int), 2)


def test_each_peak_is_paired_once_and_only_nearby():
    peaks = table([100, 108, 300, 500], [0, 0, 0, 2])
    # The nearest of two; the other one of the two; too late; the channel of another place.
    matched = table([103, 109, 320, 500], [1, 0, 0, 0])
    found = pair_with_peaks(matched, peaks, peaks["sample_index"], NEIGHBORHOODS, max_gap=12)
    assert found.tolist() == [0, 1, -1, -1]
    nothing = pair_with_peaks(matched, peaks[:0], np.zeros(0, dtype="int64"), NEIGHBORHOODS, 12)
    assert nothing.tolist() == [-1] * 4
    assert pair_with_peaks(matched[:0], peaks, peaks["sample_index"], NEIGHBORHOODS, 12).tolist() == []


def test_segments_are_apart_and_aligned_times_count():
    peaks = table([100, 400, 100], [0, 0, 0], [0, 0, 1])
    matched = table([102, 102, 430], [0, 0, 0], [0, 1, 1])
    assert pair_with_peaks(matched, peaks, peaks["sample_index"], NEIGHBORHOODS, 12).tolist() == [0, 2, -1]
    # Alignment may turn the order of peaks.
    aligned = np.array([410, 390, 100])
    assert pair_with_peaks(table([391, 408], [0, 0]), peaks, aligned, NEIGHBORHOODS, 5).tolist() == [1, 0]


def test_as_pairs_taken_one_by_one():
    rng = np.random.default_rng(0)
    peaks, matched = (
        table(np.sort(rng.integers(0, 3000, n)), rng.integers(0, 3, n), np.sort(rng.integers(0, 2, n)))
        for n in (300, 260)
    )
    peaks, matched = (one[np.lexsort((one["sample_index"], one["segment_index"]))] for one in (peaks, matched))
    samples = peaks["sample_index"] + rng.integers(-6, 7, len(peaks))
    found = pair_with_peaks(matched, peaks, samples, NEIGHBORHOODS, max_gap=12)
    candidates = []
    for spike in range(len(matched)):
        for peak in range(len(peaks)):
            near = NEIGHBORHOODS.channel_indices[matched["channel_index"][spike]]
            gap = abs(matched["sample_index"][spike] - samples[peak])
            same = matched["segment_index"][spike] == peaks["segment_index"][peak]
            if same and gap <= 12 and peaks["channel_index"][peak] in near:
                candidates.append((gap, spike, peak))
    gap_of = {(spike, peak): gap for gap, spike, peak in candidates}
    pairs = [(spike, peak) for spike, peak in enumerate(found) if peak >= 0]
    assert len(pairs) > 100 and len({peak for _, peak in pairs}) == len(pairs)
    assert set(pairs) <= set(gap_of)
    # Each candidate that was not taken has a partner that was at least as near.
    gap_of_spike = {spike: gap_of[spike, peak] for spike, peak in pairs}
    gap_of_peak = {peak: gap_of[spike, peak] for spike, peak in pairs}
    for gap, spike, peak in candidates:
        assert min(gap_of_spike.get(spike, 99), gap_of_peak.get(peak, 99)) <= gap
