import logging

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.blocks import split_into_blocks
from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.preprocessing.artifacts import choose_blanking, find_artifact_samples
from huidurep_hf.recording.scan import prepare, scan

RATE = 30000
ONES = np.ones(4, dtype="float32")


def noise(num_samples=2 * RATE, num_channels=4, seed=0):
    return np.random.default_rng(seed).normal(size=(num_samples, num_channels)).astype("float32")


def find(recording, noise_levels, threshold):
    """Periods and step, from the samples of each block."""
    parameters = PreparationParameters(artifact_threshold=threshold)
    samples = [[] for _ in range(recording.get_num_segments())]
    for block in split_into_blocks(recording):
        traces = recording.get_traces(block.segment, block.start, block.stop)
        samples[block.segment].append(block.start + find_artifact_samples(traces, noise_levels, parameters.artifacts))
    none = [[] for _ in samples]
    blanking = choose_blanking(recording, samples, none, [], parameters)
    return blanking.periods, next(iter(blanking.steps), None)


def test_what_is_large_everywhere_is_found_with_its_surroundings(make_recording):
    first, second = noise(), noise()
    first[10000:10030] -= 200
    first[10400] += 200  # within 20 ms: one stretch
    first[0] = first[-1] = 200
    second[29990:30010] = -200  # at the edge of two blocks
    periods, step = find(make_recording(traces=[first, second]), ONES, 50.0)
    found = [tuple(int(value) for value in period) for period in periods]
    assert found == [(0, 0, 301), (0, 9700, 10701), (0, 2 * RATE - 301, 2 * RATE), (1, 29690, 30310)]
    assert step.startswith("blanked 4 artifacts (above 50 SDs")


@pytest.mark.parametrize("num_channels", [1, 3])
def test_few_channels_cannot_tell_artifacts_from_neurons(num_channels):
    traces = noise(num_channels=num_channels)
    traces[10000] = 1000
    periods, step = find(NumpyRecording([traces], RATE), np.ones(num_channels), 50.0)
    assert len(periods) == 0 and step is None


def test_large_neurons_and_large_channels_stay(make_recording):
    traces = noise()
    traces[10000:10030, :3] -= 200
    traces[20000:20030] -= 45
    recording = make_recording(traces=[traces])
    assert find(recording, ONES, 50.0)[1] is None
    traces[10000:10030, 3] -= 200
    assert find(make_recording(traces=[traces]), ONES, 50.0)[1] is not None
    assert find(make_recording(traces=[traces]), ONES, 0.0)[1] is None


def test_many_are_left_with_a_warning(make_recording, caplog):
    traces = noise()
    traces[::3000] = 200
    recording = make_recording(traces=[traces])
    with caplog.at_level(logging.WARNING, logger="huidurep_hf"):
        periods, step = find(recording, ONES, 50.0)
    assert len(periods) == 0 and step is None
    assert "20 artifacts" in caplog.text and "none is blanked" in caplog.text


def test_blanked_traces_are_zero_there_and_the_same_elsewhere(make_recording):
    traces = noise()
    plain = prepare(make_recording(traces=[traces.copy()])).recording.get_traces()
    traces[10000:10015] -= 1000
    prepared = prepare(make_recording(traces=[traces]))
    blanked = prepared.recording.get_traces()
    is_blank = (blanked == 0).all(axis=1)
    assert 600 < is_blank.sum() < 900 and is_blank[9750:10250].all()
    # The filter still rings there, with less than the noise.
    assert np.abs(blanked - plain)[~is_blank].max() < prepared.noise_levels.min()
    assert any("blanked 1 artifacts" in step for step in prepared.steps)


def test_peaks_of_an_artifact_are_none(make_recording):
    traces = noise()
    traces[10000:10015] -= 1000
    # A spike beside it, and one far away.
    for sample in (10200, 40000):
        traces[sample : sample + 15, 1] -= 30
    recording = make_recording(traces=[traces])
    _, peaks = scan(recording, PreparationParameters(detect_threshold=8))
    assert np.abs(peaks["sample_index"] - 40007).max() < 15 and len(peaks) >= 1
    _, peaks = scan(recording, PreparationParameters(detect_threshold=8, artifact_threshold=0))
    assert np.abs(peaks["sample_index"] - 10007).min() < 15


def test_what_channels_share_is_seen_before_the_reference(make_recording):
    traces = noise(num_channels=16)
    traces[10000:10015] -= np.linspace(800, 1200, 16)
    prepared = prepare(make_recording(traces=[traces], num_channels=16))
    assert any("blanked 1 artifacts" in step for step in prepared.steps)


def with_steps(step_uv, places, shape, length=15_000):
    """Twenty seconds of four wires with slow potentials, neurons seen on all wires, and steps that decay."""
    rng, num_samples = np.random.default_rng(0), 20 * RATE
    times = np.arange(num_samples) / RATE
    slow = 200 * np.sin(2 * np.pi * 8 * times) + 40 * np.sin(2 * np.pi * 40.3 * times)
    traces = 8 * noise(num_samples) + slow[:, None]
    spikes = np.sort(rng.integers(100, num_samples - 100, 400))
    # A trough of 0.5 ms, and a long after-potential of a sixth of it.
    spike = -120 * np.hanning(20)
    after = 20 * np.hanning(180)
    for sample in spikes:
        traces[sample : sample + 20] += spike[:, None] * np.array([1.0, 0.9, 0.8, 0.9], dtype="float32")
        part = traces[sample + 20 : sample + 200]
        part += after[: len(part), None]
    for place in places:
        traces[place : place + length] += (step_uv * shape)[:length, None] * np.linspace(0.6, 1, 4)
    return traces.astype("float32"), spikes


def as_tetrode(traces):
    recording = NumpyRecording([traces], float(RATE))
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    recording.set_dummy_probe_from_locations(np.array([[0, 0], [25, 0], [0, 25], [25, 25]], dtype="float64"))
    return recording


@pytest.mark.slow
@pytest.mark.parametrize("step_uv", [400, -400, 1500])
@pytest.mark.parametrize("decay_s", [0.2, np.inf])
def test_steps_on_all_wires_are_blanked_and_spikes_are_not(step_uv, decay_s):
    places = np.arange(1, 19) * RATE
    shape = np.exp(-np.arange(15_000) / RATE / decay_s)
    traces, spikes = with_steps(step_uv, places, shape)
    prepared, peaks = scan(as_tetrode(traces), PreparationParameters())
    blanked = np.array([(start, stop) for _, start, stop, _ in prepared.blanked])
    assert {reason for *_, reason in prepared.blanked} <= {"baseline step", "artifact"}
    edges = np.r_[places, places + 15_000] if np.isinf(decay_s) else places
    is_inside = ((edges[:, None] >= blanked[:, 0]) & (edges[:, None] < blanked[:, 1])).any(axis=1)
    assert is_inside.all()
    # Nothing else is blanked, and no spike is made of an edge.
    assert len(blanked) <= len(places) * 2
    near = np.abs(peaks["sample_index"][:, None] - np.r_[places, places + 15_000]).min(axis=1)
    own = np.abs(peaks["sample_index"][:, None] - (spikes + 10)).min(axis=1)
    # The small steps at the end of those that decay are seen by few wires.
    assert np.sum((near < 300) & (own > 15)) <= (2 if np.isinf(decay_s) else len(places))
    assert np.sum(own <= 15) > 0.9 * len(spikes)


@pytest.mark.slow
def test_without_steps_nothing_is_blanked():
    traces, spikes = with_steps(0, [], np.zeros(15_000))
    prepared, peaks = scan(as_tetrode(traces), PreparationParameters())
    assert prepared.blanked == [] and len(peaks) > 0.9 * len(spikes)
    traces, _ = with_steps(1500, [5 * RATE], np.ones(15_000))
    prepared = prepare(as_tetrode(traces), PreparationParameters(blank_steps="off"))
    assert prepared.blanked == []


@pytest.mark.slow
@pytest.mark.parametrize("lag_ms", [1.6, 2.0, 2.5, 3.5, 5.0])
def test_a_large_spike_beside_a_small_one_is_no_step(lag_ms):
    traces, spikes = with_steps(0, [], np.zeros(15_000))
    # Wide-band, with an after-potential of a sixth of the spike for 4 ms.
    large = np.r_[-900 * np.hanning(36), 150 * np.hanning(120)].astype("float32")
    for sample in spikes[::3]:
        for lag in (-lag_ms, -2 * lag_ms):
            start = max(sample + round(lag * RATE / 1000), 0)
            part = traces[start : start + len(large)]
            part += large[: len(part), None]
    prepared, _ = scan(as_tetrode(traces), PreparationParameters())
    assert [reason for *_, reason in prepared.blanked] == []


def test_periods_and_times_that_are_given_are_blanked(make_recording, tmp_path):
    (tmp_path / "times.txt").write_text("0.5\n1.25\n")
    np.save(tmp_path / "times.npy", [0.5, 1.25])
    recording = make_recording(traces=[noise(), noise()])
    for name in ("times.txt", "times.npy"):
        given = {"exclude": "0.1-0.2, 1:1.5-9", "artifact_times": str(tmp_path / name)}
        prepared, peaks = scan(recording, PreparationParameters(detect_threshold=3.0, **given))
        assert [(segment, start, stop, reason) for segment, start, stop, reason in prepared.blanked] == [
            (0, 3000, 6000, "excluded"),
            (0, 14_970, 15_150, "artifact time"),
            (0, 37_470, 37_650, "artifact time"),
            (1, 45_000, 60_000, "excluded"),
        ]
        traces = [prepared.recording.get_traces(segment) for segment in range(2)]
        for segment, start, stop, _ in prepared.blanked:
            assert (traces[segment][start:stop] == 0).all()
            own = peaks[peaks["segment_index"] == segment]["sample_index"]
            assert not ((own >= start) & (own < stop)).any()
        assert len(peaks) > 100


def test_times_of_any_segment_are_blanked(make_recording, tmp_path):
    (tmp_path / "times.txt").write_text("0 0.5\n1 1.25\n")
    recording = make_recording(traces=[noise(), noise()])
    settings = {"artifact_times": str(tmp_path / "times.txt")}
    prepared, _ = scan(recording, PreparationParameters(**settings))
    assert [period[:3] for period in prepared.blanked] == [(0, 14_970, 15_150), (1, 37_470, 37_650)]
    (tmp_path / "times.txt").write_text("0.5 0.7 0.9\n1.25 1.5 1.7\n")
    with pytest.raises(ValueError, match="has 3 columns.*give one column of times in s, or two"):
        scan(recording, PreparationParameters(**settings))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"exclude": "five to six"}, "write periods in s as 12.5-13.0"),
        ({"exclude": "3-2"}, "within the segment"),
        ({"exclude": "100-200"}, "lasts 2 s"),
        ({"exclude": "4:0-1"}, "no segment 4"),
        ({"artifact_times": "nowhere.txt"}, "Cannot read artifact_times"),
    ],
)
def test_periods_that_cannot_be_are_refused(make_recording, settings, message):
    with pytest.raises(ValueError, match=message):
        prepare(make_recording(traces=[noise()]), PreparationParameters(**settings))
