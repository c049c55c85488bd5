import logging

import numpy as np
import pytest
from probeinterface import ProbeGroup
from spikeinterface.core import NumpyRecording, NumpySorting, append_recordings
from spikeinterface.preprocessing import scale

from huidurep_hf import SortingParameters, SpikeSorter
from huidurep_hf.evaluation.sorters.ground_truth import score_sorting


def noise_recording(num_samples=30000, num_channels=4, rate=30000.0):
    traces = np.random.default_rng(0).normal(size=(num_samples, num_channels)).astype("float32")
    recording = NumpyRecording([traces], sampling_frequency=rate)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(num_channels), 25.0 * np.arange(num_channels)], axis=1))
    return recording


def test_loud_units_are_found(tetrode, tetrode_result):
    _, scores = score_sorting(tetrode_result.sorting, tetrode[1])
    assert scores["accuracy"] > 0.8
    assert isinstance(tetrode_result.sorting, NumpySorting)


@pytest.mark.slow
def test_call_returns_the_sorting_and_repeats(sorter, tetrode, tetrode_result):
    sorting = sorter(tetrode[0])
    assert sorting.to_spike_vector().tolist() == tetrode_result.sorting.to_spike_vector().tolist()


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [7, 64])
def test_result_does_not_depend_on_the_batch(sorter, tetrode, tetrode_result, batch_size):
    result = sorter.sort(tetrode[0], batch_size=batch_size)
    np.testing.assert_allclose(result.embeddings, tetrode_result.embeddings, atol=1e-4)
    assert result.events["outcome"].tolist() == tetrode_result.events["outcome"].tolist()


def test_events_agree_with_the_sorting(tetrode, tetrode_result):
    events, sorting = tetrode_result.events, tetrode_result.sorting
    sorted_events = events[events["unit"] >= 0]
    assert len(sorted_events) == sorting.to_spike_vector().size
    for unit in sorting.unit_ids:
        times = sorted_events.loc[sorted_events["unit"] == unit, "sample"]
        assert times.tolist() == sorting.get_unit_spike_train(unit, segment_index=0).tolist()
    assert set(events["outcome"]) <= {"unit", "duplicate", "small unit", "noise"}
    assert (events.loc[events["unit"] < 0, "probability"] == 0).all()
    assert set(events["channel"]) <= set(tetrode[0].channel_ids)
    assert len(tetrode_result.embeddings) == len(events)


@pytest.mark.slow
def test_a_few_artifacts_and_a_silent_stretch_spoil_nothing(sorter, tetrode, tetrode_result):
    recording, truth = tetrode
    _, undisturbed = score_sorting(tetrode_result.sorting, truth)
    # Beyond the spikes that count.
    traces = np.concatenate([recording.get_traces(), np.zeros((90000, 4), dtype="float32")])
    for sample in (40000, 90000, 140000):
        traces[sample : sample + 15] -= 3000
    disturbed = NumpyRecording([traces], sampling_frequency=30000.0)
    disturbed.set_probegroup(recording.get_probegroup())
    result = sorter.sort(disturbed)
    _, scores = score_sorting(result.sorting, truth)
    assert scores["accuracy"] > undisturbed["accuracy"] - 0.05
    assert scores["num_false_positive_units"] <= undisturbed["num_false_positive_units"]
    steps = " ".join(result.provenance["preparation"]["steps"])
    assert "blanked" in steps and "silent stretches" in steps
    left = sorter.sort(disturbed, artifact_threshold=0)
    assert "blanked" not in " ".join(left.provenance["preparation"]["steps"])


@pytest.mark.slow
def test_a_turned_sign_is_warned_of(sorter, tetrode, caplog):
    recording, truth = tetrode
    turned = scale(recording, gain=-1.0)
    for peak_sign, given, is_right in (("neg", recording, True), ("neg", turned, False), ("pos", turned, True)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="huidurep_hf"):
            result = sorter.sort(given, peak_sign=peak_sign)
        assert ("sign of the recording" in caplog.text) != is_right
        if is_right:
            assert score_sorting(result.sorting, truth)[1]["accuracy"] > 0.8
            # Fingerprints are aligned at what was detected.
            trace = result.fingerprints.template[:, 0, :, 0] * (-1 if peak_sign == "neg" else 1)
            assert (trace.argmax(axis=1) == result.fingerprints.description["peak_sample"]).all()
            assert (trace.max(axis=1) > 3).all()
        else:
            assert "Sort with peak_sign='pos'" in caplog.text


@pytest.mark.slow
def test_segments_are_kept(sorter, make_ground_truth):
    recording, truth = make_ground_truth(durations=(5.0, 4.0))
    silent = NumpyRecording([np.zeros((10, 4), dtype="float32")], sampling_frequency=30000.0)
    silent.set_probegroup(recording.get_probegroup())
    result = sorter.sort(append_recordings([recording, silent.rename_channels(recording.channel_ids)]))
    assert result.sorting.get_num_segments() == 3
    assert set(result.events["segment"]) == {0, 1}
    for segment, seconds in enumerate((5.0, 4.0)):
        samples = result.events.loc[result.events["segment"] == segment, "sample"]
        assert samples.max() < seconds * 30000
    assert truth.get_num_segments() == 2


@pytest.mark.slow
def test_shanks_and_another_rate(sorter, make_ground_truth):
    recording, truth = make_ground_truth(num_channels=8, num_units=4, sampling_frequency=20000.0)
    recording.set_property("group", np.repeat([0, 1], 4))
    result = sorter.sort(recording)
    assert set(result.channels["shank"]) == {0, 1}
    assert len(result.sorting.unit_ids) >= 2
    assert result.sorting.sampling_frequency == 20000.0
    assert truth.sampling_frequency == 20000.0


@pytest.mark.slow
def test_several_probes(sorter, tetrode, tetrode_result):
    recording = tetrode[0]
    probes = ProbeGroup()
    for first in (0, 4):
        probe = recording.get_probe().copy()
        probe.set_device_channel_indices(first + np.arange(4))
        probe.move([0.0, 1000.0 * first])
        probes.add_probe(probe)
    traces = recording.get_traces()
    both = NumpyRecording([np.hstack([traces, np.roll(traces, 100_000, axis=0)])], sampling_frequency=30000.0)
    both.set_probegroup(probes)
    result = sorter.sort(both)
    assert set(result.channels["shank"]) == {0, 1}
    num_units = len(tetrode_result.sorting.unit_ids)
    assert num_units >= 2
    assert len(result.sorting.unit_ids) == 2 * num_units


def test_one_channel_without_probe(sorter, tetrode):
    traces = tetrode[0].get_traces()[:, :1]
    result = sorter.sort(NumpyRecording([traces], sampling_frequency=30000.0))
    assert len(result.channels) == 1
    assert len(result.events) > 0


@pytest.mark.slow
def test_exact_number_of_units(sorter, tetrode, tetrode_result):
    by_means = sorter.sort(tetrode[0], num_units=3)
    as_published = sorter.sort(tetrode[0], clustering="gmm", num_units=3)
    assert len(by_means.sorting.unit_ids) == len(as_published.sorting.unit_ids) == 3
    assert not by_means.events.equals(as_published.events)
    assert SortingParameters().clustering == "auto" and len(tetrode_result.sorting.unit_ids) >= 1
    assert tetrode_result.events.equals(sorter.sort(tetrode[0], clustering="gmm").events)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "empty", "short", "no spikes", "few spikes"])
def test_nothing_to_sort_is_a_valid_empty_result(sorter, tetrode, kind, tmp_path):
    recording = noise_recording()
    if kind == "silent":
        recording = NumpyRecording([np.zeros((30000, 4), dtype="int16")], sampling_frequency=30000.0)
        recording.set_probegroup(tetrode[0].get_probegroup())
    elif kind in ("empty", "short"):
        recording = noise_recording(num_samples=0 if kind == "empty" else 40)
    elif kind == "few spikes":
        recording = tetrode[0].frame_slice(0, 9000)
    threshold = 30.0 if kind == "no spikes" else 5.0
    result = sorter.sort(recording, output_folder=tmp_path / "result", detect_threshold=threshold)
    assert len(result.sorting.unit_ids) == 0
    assert result.sorting.get_num_segments() == 1
    assert (result.events["unit"] == -1).all()
    assert (tmp_path / "result" / "units.csv").is_file()


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"detect_treshold": 4}, ValueError, "did you mean 'detect_threshold'"),
        ({"parameters": SortingParameters(), "seed": 3}, TypeError, "not both"),
        ({"freq_min_hz": 14000, "freq_max_hz": 15000}, ValueError, "freq_min_hz"),
    ],
)
def test_wrong_arguments_are_refused(sorter, tetrode, kwargs, error, message):
    with pytest.raises(error, match=message):
        sorter.sort(tetrode[0], **kwargs)


def test_nan_recording_is_refused_and_leaves_nothing(sorter, tmp_path):
    recording = NumpyRecording([np.full((9000, 1), np.nan, dtype="float32")], sampling_frequency=30000.0)
    with pytest.raises(ValueError, match="NaN"):
        sorter.sort(recording, output_folder=tmp_path / "result")
    assert not list(tmp_path.iterdir())


def test_a_recording_is_needed(sorter):
    with pytest.raises(TypeError, match="ndarray.*SpikeInterface recording"):
        sorter(np.zeros((100, 4)))


def test_unknown_checkpoint_is_refused(tmp_path):
    with pytest.raises((OSError, ValueError)):
        SpikeSorter.from_pretrained(tmp_path / "absent")


@pytest.mark.slow
def test_traces_in_volts_have_amplitudes_and_a_wrong_gain_is_warned_of(sorter, tetrode, tetrode_result, caplog):
    recording, _ = tetrode
    volts = NumpyRecording([recording.get_traces() * np.float32(1e-6)], 30000.0)
    volts.set_probegroup(recording.get_probegroup())
    result = sorter.sort(volts)
    expected = 1e-6 * tetrode_result.sorting.get_property("amplitude")
    np.testing.assert_allclose(result.sorting.get_property("amplitude"), expected, rtol=0.01)
    assert 2e-6 < min(result.provenance["preparation"]["noise_levels"]) < 5e-6
    assert not any("gain" in record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)
    volts.set_channel_gains(1.0)
    volts.set_channel_offsets(0.0)
    sorter.sort(volts)
    assert "the gain of the recording must be wrong" in caplog.text


@pytest.mark.slow
def test_unsigned_samples_read_as_signed_are_warned_of(sorter, tetrode, caplog):
    recording, _ = tetrode
    traces = (recording.get_traces() + 32768).astype("uint16")
    for given, is_right in ((traces, True), (traces.view("int16"), False)):
        caplog.clear()
        misread = NumpyRecording([given], 30000.0)
        misread.set_probegroup(recording.get_probegroup())
        sorter.sort(misread)
        assert ("--dtype uint16" in caplog.text) != is_right
