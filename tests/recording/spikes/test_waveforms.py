import numpy as np
import pytest
from spikeinterface.core.base import base_peak_dtype

from huidurep_hf.recording.spikes import waveforms as module
from huidurep_hf.recording.spikes.neighborhood import find_neighborhoods
from huidurep_hf.recording.spikes.waveforms import iterate_waveforms


def make_peaks(rows):
    peaks = np.zeros(len(rows), dtype=base_peak_dtype)
    for row, (segment, sample, channel) in zip(peaks, rows):
        row["segment_index"], row["sample_index"], row["channel_index"] = segment, sample, channel
    return peaks


def cut_slowly(recording, peaks, neighborhoods, num_before, num_after):
    cut = []
    for peak in peaks:
        traces = recording.get_traces(segment_index=int(peak["segment_index"]))
        padded = np.pad(traces, ((100, 100), (0, 0)))
        start = peak["sample_index"] + 100 - num_before
        channels = neighborhoods.channel_indices[peak["channel_index"]]
        waveform = padded[start : start + num_before + num_after][:, channels]
        cut.append(np.where(channels >= 0, waveform, 0))
    return np.stack(cut)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("max_span", [500, 10**6])
def test_equals_cutting_one_by_one(make_recording, monkeypatch, batch_size, max_span):
    monkeypatch.setattr(module, "chunk_size_of", lambda recording: max_span)
    rng = np.random.default_rng(1)
    recording = make_recording(traces=[rng.normal(size=(2000, 4)).astype("float32") for _ in range(2)])
    rows = [(0, 0, 0), (0, 3, 1), (0, 900, 2), (0, 1999, 3), (1, 5, 0), (1, 1990, 2)]
    peaks = make_peaks(rows)
    neighborhoods = find_neighborhoods(recording.get_channel_locations(), [0, 0, 0, 1], 3)
    noise_levels = np.array([1.0, 2.0, 3.0, 4.0])
    batches = list(
        iterate_waveforms(
            recording, peaks, neighborhoods, noise_levels, num_before=20, num_after=40, batch_size=batch_size
        )
    )
    assert max(len(batch.waveforms) for batch in batches) <= batch_size
    assert [batch.first for batch in batches] == list(np.cumsum([0] + [len(b.waveforms) for b in batches[:-1]]))
    waveforms = np.concatenate([batch.waveforms for batch in batches])
    np.testing.assert_array_equal(waveforms, cut_slowly(recording, peaks, neighborhoods, 20, 40))
    noise = np.concatenate([batch.noise_levels for batch in batches])
    assert noise[3].tolist() == [4.0, 1.0, 1.0]  # alone on its shank


def test_no_peaks_no_batches(make_recording):
    recording = make_recording()
    neighborhoods = find_neighborhoods(recording.get_channel_locations(), np.zeros(4), 3)
    assert not list(
        iterate_waveforms(recording, make_peaks([]), neighborhoods, np.ones(4), num_before=20, num_after=40)
    )
