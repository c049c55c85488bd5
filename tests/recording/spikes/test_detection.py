import numpy as np
import pytest

from huidurep_hf.recording.preprocessing.preparation import prepare
from huidurep_hf.recording.spikes.detection import detect

TROUGH = -40 * np.exp(-0.5 * (np.arange(-15, 16) / 3.0) ** 2)


def with_spikes(spikes, num_samples=30000, num_channels=4, sign=1.0):
    """Noise of SD 1 with a trough of 40 at each (sample, channel)."""
    traces = np.random.default_rng(0).normal(size=(num_samples, num_channels)).astype("float32")
    for sample, channel in spikes:
        traces[sample - 15 : sample + 16, channel] += sign * TROUGH
    return traces


def test_peaks_are_found_in_order(make_recording):
    spikes = [(9000, 2), (3000, 0), (20000, 3)]
    peaks = detect(prepare(make_recording(traces=[with_spikes(spikes)])), threshold=8)
    assert np.abs(peaks["sample_index"] - [3000, 9000, 20000]).max() <= 1
    assert peaks["channel_index"].tolist() == [0, 2, 3]


def test_one_peak_per_neighbourhood_and_time(make_recording):
    recording = make_recording(traces=[with_spikes([(5000, 0), (5003, 1), (5006, 3)])])
    assert len(detect(prepare(recording), threshold=8, radius_um=25)) == 2
    assert len(detect(prepare(recording), threshold=8, radius_um=200)) == 1


def test_shanks_do_not_suppress_each_other(make_recording):
    recording = make_recording(traces=[with_spikes([(5000, 0), (5003, 1)])], groups=[0, 1, 0, 1])
    assert len(detect(prepare(recording), threshold=8)) == 2


def test_segments_and_edges(make_recording):
    recording = make_recording(traces=[with_spikes([(16, 0), (29984, 1)]), with_spikes([(700, 2)])])
    peaks = detect(prepare(recording), threshold=8)
    assert [(int(p["segment_index"]), int(p["channel_index"])) for p in peaks][-1] == (1, 2)
    assert (np.diff(peaks["segment_index"]) >= 0).all()


def test_positive_peaks_on_request(make_recording):
    prepared = prepare(make_recording(traces=[with_spikes([(5000, 1)], sign=-1.0)]))
    assert len(detect(prepared, threshold=12, peak_sign="neg")) == 0
    assert len(detect(prepared, threshold=12, peak_sign="pos")) == 1


@pytest.mark.parametrize("num_samples", [0, 30000])
def test_nothing_in_nothing_out(make_recording, num_samples):
    peaks = detect(prepare(make_recording(traces=[np.zeros((num_samples, 4))])))
    assert len(peaks) == 0
    assert {"sample_index", "channel_index", "amplitude", "segment_index"} <= set(peaks.dtype.names)
