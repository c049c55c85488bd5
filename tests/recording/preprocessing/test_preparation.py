import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.settings import PreprocessingSettings


def noise(num_samples, num_channels, seed=0):
    return np.random.default_rng(seed).normal(size=(num_samples, num_channels)).astype("float32")


def test_noise_is_measured_and_steps_are_reported(make_recording):
    prepared = prepare(make_recording(num_samples=60000))
    traces = prepared.recording.get_traces()
    np.testing.assert_allclose(prepared.noise_levels, traces.std(axis=0), rtol=0.05)
    assert prepared.unit == "raw"
    assert any("band-pass 300-6000 Hz" in step for step in prepared.steps)
    assert not any("reference" in step for step in prepared.steps)  # four channels are too few


def test_gains_and_unsigned_offsets_end_in_microvolts(make_recording):
    counts = (2000 + 50 * noise(60000, 4)).astype("uint16")
    recording = make_recording(traces=[counts])
    recording.set_channel_gains(0.2)
    recording.set_channel_offsets(-400.0)
    prepared = prepare(recording)
    assert prepared.unit == "uV"
    assert abs(prepared.recording.get_traces().mean()) < 0.1
    # 6 of 15 kHz pass.
    np.testing.assert_allclose(prepared.noise_levels, 10 * np.sqrt(5.7 / 15), rtol=0.1)


def test_large_offset_does_not_ring_at_the_edges(make_recording):
    prepared = prepare(make_recording(traces=[2056 + noise(30000, 4)]))
    assert np.abs(prepared.recording.get_traces()[:100]).max() < 8


def test_upper_frequency_is_lowered_below_nyquist(make_recording):
    prepared = prepare(make_recording(rate=10000.0))
    assert "band-pass 300-4500 Hz" in prepared.steps


def test_reference_only_where_every_shank_is_large(make_recording):
    shared = 5 * noise(30000, 1, seed=1)
    recording = make_recording(num_channels=32, traces=[noise(30000, 32) + shared])
    referenced = prepare(recording)
    assert any("reference" in step for step in referenced.steps)
    assert referenced.noise_levels.max() < 1.0
    recording.set_property("group", np.repeat([0, 1], [28, 4]))
    assert not any("reference" in step for step in prepare(recording).steps)


def test_unusable_channels_are_left_out_and_named(make_recording):
    traces = noise(30000, 5)
    traces[:, 1] = 7.0
    traces[100:110, 3] = np.nan
    recording = make_recording(num_channels=5, traces=[traces])
    prepared = prepare(recording)
    assert prepared.excluded_channels == {"non-finite": ["3"], "silent": ["1"]}
    assert prepared.channel_indices.tolist() == [0, 2, 4]
    assert np.isfinite(prepared.recording.get_traces()).all()


def test_nan_everywhere_is_refused(make_recording):
    traces = noise(30000, 4)
    traces[500] = np.nan
    with pytest.raises(ValueError, match="segment 0 at sample 500.*frame_slice"):
        prepare(make_recording(traces=[traces]))


@pytest.mark.parametrize("traces", [np.zeros((30000, 4)), np.zeros((0, 4)), noise(50, 4)])
def test_silent_empty_and_short_recordings_leave_nothing(make_recording, traces):
    prepared = prepare(make_recording(traces=[traces]))
    assert prepared.recording is None
    assert prepared.noise_levels.shape == (0,)
    assert prepared.steps


def test_short_segments_are_skipped_and_the_others_keep_their_index(make_recording):
    prepared = prepare(make_recording(traces=[noise(20, 4), noise(30000, 4)]))
    assert prepared.segment_indices.tolist() == [1]


def test_missing_probe_is_refused(make_recording):
    with pytest.raises(ValueError, match="4 channels and no probe.*set_probe.*--probe"):
        prepare(make_recording(probe=False))


def test_one_channel_needs_no_probe():
    recording = NumpyRecording([noise(30000, 1)], sampling_frequency=30000)
    assert prepare(recording).positions.tolist() == [[0.0, 0.0]]
    assert not recording.has_probe()


def test_wrong_kinds_and_shapes_are_refused(make_recording):
    with pytest.raises(TypeError, match="ndarray.*NumpyRecording"):
        prepare(noise(100, 4))
    with pytest.raises(ValueError, match="swapped"):
        prepare(make_recording(num_samples=4, num_channels=300))
    with pytest.raises(ValueError, match="freq_min_hz"):
        prepare(make_recording(), PreprocessingSettings(freq_min_hz=5000, freq_max_hz=400))
    # Of a band that is possible at other rates.
    with pytest.raises(ValueError, match="500-450 Hz at a sampling rate of 1000 Hz; freq_min_hz must"):
        prepare(make_recording(rate=1000.0), PreprocessingSettings(freq_min_hz=500))


def test_same_seed_same_noise(make_recording):
    recording = make_recording(num_samples=60000)
    np.testing.assert_array_equal(prepare(recording, seed=3).noise_levels, prepare(recording, seed=3).noise_levels)
