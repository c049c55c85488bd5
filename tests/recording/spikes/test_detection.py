import numpy as np
import pytest
from spikeinterface.sortingcomponents.peak_detection import detect_peaks

from huidurep_hf.recording.blocks import Block, split_into_blocks
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.settings import DetectionSettings
from huidurep_hf.recording.spikes.detection import detect
from huidurep_hf.workers import Workers

TROUGH = -40 * np.exp(-0.5 * (np.arange(-15, 16) / 3.0) ** 2)


def with_spikes(spikes, num_samples=30000, num_channels=4, sign=1.0):
    """Noise of SD 1 with a trough of 40 at each (sample, channel)."""
    traces = np.random.default_rng(0).normal(size=(num_samples, num_channels)).astype("float32")
    for sample, channel in spikes:
        traces[sample - 15 : sample + 16, channel] += sign * TROUGH
    return traces


def test_peaks_are_found_in_order(make_recording):
    spikes = [(9000, 2), (3000, 0), (20000, 3)]
    peaks = detect(prepare(make_recording(traces=[with_spikes(spikes)])), DetectionSettings(detect_threshold=8))
    assert np.abs(peaks["sample_index"] - [3000, 9000, 20000]).max() <= 1
    assert peaks["channel_index"].tolist() == [0, 2, 3]


def test_one_peak_per_neighbourhood_and_time(make_recording):
    recording = make_recording(traces=[with_spikes([(5000, 0), (5003, 1), (5006, 3)])])
    assert len(detect(prepare(recording), DetectionSettings(detect_threshold=8, detect_radius_um=25))) == 2
    assert len(detect(prepare(recording), DetectionSettings(detect_threshold=8, detect_radius_um=200))) == 1


def test_shanks_do_not_suppress_each_other(make_recording):
    recording = make_recording(traces=[with_spikes([(5000, 0), (5003, 1)])], groups=[0, 1, 0, 1])
    assert len(detect(prepare(recording), DetectionSettings(detect_threshold=8))) == 2


def test_segments_and_edges(make_recording):
    recording = make_recording(traces=[with_spikes([(16, 0), (29984, 1)]), with_spikes([(700, 2)])])
    peaks = detect(prepare(recording), DetectionSettings(detect_threshold=8))
    assert [(int(p["segment_index"]), int(p["channel_index"])) for p in peaks][-1] == (1, 2)
    assert (np.diff(peaks["segment_index"]) >= 0).all()


def test_positive_peaks_on_request(make_recording):
    prepared = prepare(make_recording(traces=[with_spikes([(5000, 1)], sign=-1.0)]))
    assert len(detect(prepared, DetectionSettings(detect_threshold=12, peak_sign="neg"))) == 0
    assert len(detect(prepared, DetectionSettings(detect_threshold=12, peak_sign="pos"))) == 1


@pytest.mark.parametrize("num_samples", [0, 30000])
def test_nothing_in_nothing_out(make_recording, num_samples):
    peaks = detect(prepare(make_recording(traces=[np.zeros((num_samples, 4))])))
    assert len(peaks) == 0
    assert {"sample_index", "channel_index", "amplitude", "segment_index"} <= set(peaks.dtype.names)


@pytest.fixture
def prepared(make_recording):
    """Peaks of noise at a low threshold, so that some lie at any edge; one shank, two segments."""
    rng = np.random.default_rng(2)
    traces = [rng.normal(size=(num_samples, 4)).astype("float32") for num_samples in (70_000, 45_000)]
    return prepare(make_recording(traces=traces))


LOW = DetectionSettings(detect_threshold=3.0)


def test_blocks_and_workers_give_what_one_pass_gives(prepared):
    expected = detect_peaks(
        prepared.recording,
        method="locally_exclusive",
        method_kwargs={
            "peak_sign": "neg",
            "detect_threshold": 3.0,
            "exclude_sweep_ms": LOW.exclude_sweep_ms,
            "radius_um": LOW.detect_radius_um,
            "noise_levels": prepared.noise_levels,
        },
        job_kwargs={"n_jobs": 1, "chunk_duration": "10s", "progress_bar": False},
    )
    expected = expected[np.lexsort([expected[name] for name in ("channel_index", "sample_index", "segment_index")])]
    # So close to the ends of a segment nothing is looked for.
    ends = np.array([70_000, 45_000])[expected["segment_index"]]
    expected = expected[(expected["sample_index"] >= 16) & (expected["sample_index"] < ends - 16)]
    assert len(expected) > 400
    for num_workers in (1, 3):
        np.testing.assert_array_equal(detect(prepared, LOW, workers=Workers(num_workers)), expected)
    for seconds in (0.037, 0.5, 100.0):
        blocks = split_into_blocks(prepared.recording, seconds)
        np.testing.assert_array_equal(detect(prepared, LOW, blocks=blocks), expected)


def test_some_blocks_give_their_own_peaks(prepared):
    whole = detect(prepared, LOW)
    blocks = [Block(0, 30_000, 60_000), Block(1, 0, 30_000)]
    inside = [
        (whole["segment_index"] == block.segment)
        & (whole["sample_index"] >= block.start)
        & (whole["sample_index"] < block.stop)
        for block in blocks
    ]
    np.testing.assert_array_equal(detect(prepared, LOW, blocks=blocks), whole[inside[0] | inside[1]])
    assert len(detect(prepared, LOW, blocks=[])) == 0
