import numpy as np
import pytest

from huidurep_hf.recording.preprocessing.noise_sample import (
    NoiseSample,
    estimate_noise_levels,
    random_stretches,
    subtract_median,
)
from huidurep_hf.recording.preprocessing.whitening import whiten
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.settings import NoiseSettings
from huidurep_hf.workers import Workers

RATE = 30000
SETTINGS = NoiseSettings()


def traces_of(seconds, seed=0):
    """Noise that two channels share in part."""
    random = np.random.default_rng(seed)
    own = random.normal(size=(seconds * RATE, 4))
    own[:, 1] += 0.5 * own[:, 0]
    return own.astype("float32")


@pytest.mark.slow
@pytest.mark.parametrize("part", [(2, 5), (0, 8)])
def test_silent_stretches_are_no_noise(make_recording, part):
    traces = traces_of(10)
    whole = prepare(make_recording(traces=[traces.copy()]))
    traces[slice(*(RATE * second for second in part))] = 0
    blanked = prepare(make_recording(traces=[traces]))
    np.testing.assert_allclose(blanked.noise_levels, whole.noise_levels, rtol=0.05)
    assert any("silent stretches" in step for step in blanked.steps)
    # Noise of a whitened recording has an SD of 1 along any direction, and its channels are independent.
    heard = whiten(blanked).recording.get_traces(start_frame=int(8.5 * RATE))
    expected = whiten(whole).recording.get_traces(start_frame=int(8.5 * RATE))
    np.testing.assert_allclose(heard.std(axis=0), expected.std(axis=0), rtol=0.05)
    assert abs(np.corrcoef(heard.T)[0, 1]) < 0.05


def test_a_recording_without_silence_is_measured_as_it_is(make_recording):
    sample = NoiseSample.draw(prepare(make_recording(traces=[traces_of(2)])).recording, SETTINGS, 0)
    assert not sample.is_gated
    assert [len(stretch) for stretch in sample.stretches] == [RATE // 2] * 20


def test_short_and_single_channel_stillness_is_no_silence(make_recording):
    traces = traces_of(2)
    traces[20000:20150] = 0
    traces[:, 3] = 0
    sample = NoiseSample.draw(make_recording(traces=[traces]), SETTINGS, 0)
    assert not sample.is_gated
    assert [len(stretch) for stretch in sample.stretches] == [RATE // 2] * 20


def test_a_recording_of_nearly_nothing_is_measured_as_it_is(make_recording):
    traces = np.zeros((2 * RATE, 4), dtype="float32")
    traces[1000:1100] = 5.0
    assert (estimate_noise_levels(make_recording(traces=[traces]), SETTINGS, 0) == 0).all()


def test_stretches_lie_anywhere_in_any_segment(make_recording):
    recording = make_recording(traces=[np.zeros((seconds * RATE, 4), dtype="float32") for seconds in (10, 30)])
    stretches = [stretch for seed in range(50) for stretch in random_stretches(recording, SETTINGS, seed)]
    assert len(stretches) == 1000
    assert {stretch.stop - stretch.start for stretch in stretches} == {RATE // 2}
    of_first = [stretch.start for stretch in stretches if stretch.segment == 0]
    of_second = [stretch.start for stretch in stretches if stretch.segment == 1]
    # Of 9.5 and 29.5 s in which one may begin.
    assert len(of_first) / 1000 == pytest.approx(9.5 / 39, abs=0.05)
    for starts, seconds in ((of_first, 10), (of_second, 30)):
        assert 0 <= min(starts) < RATE and (seconds - 1.5) * RATE < max(starts) <= (seconds - 0.5) * RATE
    first, again, other = (random_stretches(recording, SETTINGS, seed) for seed in (3, 3, 4))
    assert first == again != other
    assert first == sorted(first)


def test_short_segments_are_stretches_of_their_own(make_recording):
    recording = make_recording(traces=[np.zeros((num_samples, 4), dtype="float32") for num_samples in (900, 15_000)])
    assert random_stretches(recording, SETTINGS, 0) == [(0, 0, 900), (1, 0, 15_000)]


def test_levels_are_those_of_the_noise(make_recording):
    traces = traces_of(10) * np.array([1, 2, 3, 4], dtype="float32")
    # Spikes count next to nothing.
    traces[::3000] -= 50
    recording = make_recording(traces=[traces])
    sample = NoiseSample.draw(recording, SETTINGS, 0)
    truth = np.array([1, 2 * np.sqrt(1.25), 3, 4])
    np.testing.assert_allclose(sample.levels, truth, rtol=0.02)
    np.testing.assert_array_equal(estimate_noise_levels(recording, SETTINGS, 0), sample.levels)
    np.testing.assert_array_equal(sample.of_channels(np.array([2, 0])).levels, sample.levels[[2, 0]])
    drawn = NoiseSample.draw(recording, SETTINGS, 0, Workers(3))
    np.testing.assert_array_equal(drawn.concatenated, sample.concatenated)


def test_the_median_is_that_of_each_shank():
    traces = traces_of(1)[:, [0, 1, 2, 3, 0, 2]]
    shanks = [np.array([0, 2, 4]), np.array([1, 3, 5])]
    referenced = subtract_median(traces, shanks)
    for channels in shanks:
        np.testing.assert_array_equal(
            referenced[:, channels], traces[:, channels] - np.median(traces[:, channels], axis=1)[:, None]
        )
    sample = NoiseSample([traces], RATE, SETTINGS).referenced(shanks)
    np.testing.assert_array_equal(sample.concatenated, referenced)


def test_integers_do_not_overflow(make_recording):
    traces = np.round(20_000 + 100 * traces_of(4)).astype("int16")
    sample = NoiseSample.draw(make_recording(traces=[traces]), SETTINGS, 0)
    np.testing.assert_allclose(
        sample.levels, NoiseSample.draw(make_recording(traces=[traces.astype("float32")]), SETTINGS, 0).levels
    )
    assert sample.levels.max() < 1000
