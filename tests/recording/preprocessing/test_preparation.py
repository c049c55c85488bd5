import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.scan import prepare


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


@pytest.mark.slow
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
    traces[5000:20000, 4] = np.inf
    recording = make_recording(num_channels=5, traces=[traces])
    prepared = prepare(recording)
    assert prepared.excluded_channels == {"non-finite": ["4"], "silent": ["1"]}
    assert prepared.channel_indices.tolist() == [0, 2, 3]
    assert "interpolated samples that were NaN or infinite, by channel: 3 (10)" in prepared.steps
    assert np.isfinite(prepared.recording.get_traces()).all()


@pytest.mark.slow
@pytest.mark.parametrize("gap", [slice(15_000, 15_001), slice(0, 3), slice(14_990, 15_700), slice(29_990, 30_000)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_cost_themselves(make_recording, gap, value):
    """Whatever stretch is read, and on all channels at once or on one."""
    clean, spoilt = noise(60000, 5), noise(60000, 5)
    spoilt[gap, :3] = value
    expected, found = (prepare(make_recording(num_channels=5, traces=[each])) for each in (clean, spoilt))
    assert found.excluded_channels == {}
    np.testing.assert_allclose(found.noise_levels, expected.noise_levels, rtol=0.02)
    away = np.ones(60000, dtype=bool)
    away[max(gap.start - 600, 0) : gap.stop + 600] = False
    np.testing.assert_allclose(found.recording.get_traces()[away], expected.recording.get_traces()[away], atol=0.05)
    part = found.recording.get_traces(0, max(gap.start - 50, 0), gap.stop + 50)
    assert np.isfinite(part).all() and np.abs(part).max() < 6


def test_recordings_of_nothing_finite_are_refused(make_recording):
    traces = noise(30000, 4)
    traces[5000:20000] = np.nan
    with pytest.raises(ValueError, match="All 4 channels have more than 20 %.*frame_slice"):
        prepare(make_recording(traces=[traces]))


def test_channels_of_no_gain_are_named_as_that(make_recording):
    recording = make_recording(num_channels=5, num_samples=60000)
    recording.set_channel_gains([0.2, 0.2, np.nan, 0.2, 0.2])
    recording.set_channel_offsets(0.0)
    prepared = prepare(recording)
    assert prepared.excluded_channels == {"their gain or offset is not a number": ["2"]}
    assert prepared.unit == "uV" and np.isfinite(prepared.noise_levels).all()


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 30.0])
def test_copies_of_a_channel_are_left_out_and_what_all_share_is_not_a_copy(make_recording, shared):
    traces = noise(60000, 6)
    # Two wires that touch.
    traces[:, 4] = traces[:, 1] + 0.02 * traces[:, 4]
    traces += shared * noise(60000, 1, seed=1)
    traces[20_000:20_300] += 5000
    prepared = prepare(make_recording(num_channels=6, traces=[traces]))
    assert prepared.excluded_channels == {"copies": ["4"]}
    # Three of four are one.
    traces = noise(60000, 4)
    traces[:, 1:] = traces[:, :1] if shared else traces[:, 1:2]
    prepared = prepare(make_recording(num_channels=4, traces=[traces]))
    assert prepared.excluded_channels == {"copies": ["1", "2", "3"] if shared else ["2", "3"]}


@pytest.mark.slow
def test_a_fragment_among_long_segments_is_left_out(make_recording):
    prepared = prepare(make_recording(num_channels=64, traces=[noise(60000, 64), noise(50, 64), noise(60000, 64)]))
    assert prepared.segment_indices.tolist() == [0, 2]
    with pytest.raises(ValueError, match="swapped"):
        prepare(make_recording(num_channels=64, traces=[noise(50, 64)]))


@pytest.mark.slow
@pytest.mark.parametrize("pitch_um, is_referenced", [(6.0, False), (20.0, False), (60.0, True)])
def test_the_reference_is_for_probes_wider_than_a_spike(pitch_um, is_referenced):
    recording = NumpyRecording([noise(60000, 16)], 30000.0)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(16), pitch_um * np.arange(16)], axis=1))
    steps = prepare(recording).steps
    assert any(step.startswith("common median reference") for step in steps) == is_referenced
    assert any(step.startswith("no common median reference") for step in steps) != is_referenced


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
        prepare(make_recording(), PreparationParameters(freq_min_hz=5000, freq_max_hz=400))
    # Of a band that is possible at other rates.
    with pytest.raises(ValueError, match="500-450 Hz at a sampling rate of 1000 Hz; freq_min_hz must"):
        prepare(make_recording(rate=1000.0), PreparationParameters(freq_min_hz=500))


def test_same_seed_same_noise(make_recording):
    recording = make_recording(num_samples=60000)
    np.testing.assert_array_equal(prepare(recording, seed=3).noise_levels, prepare(recording, seed=3).noise_levels)
