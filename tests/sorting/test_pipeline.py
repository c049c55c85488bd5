"""The whole method: what does not depend on workers, copies and the sample that is learned from."""

import numpy as np
import pytest
from spikeinterface.comparison import compare_sorter_to_ground_truth, compare_two_sorters
from spikeinterface.core import NumpyRecording, NumpySorting

from huidurep_hf.recording import scan, trace_copy
from huidurep_hf.sorting import pipeline
from huidurep_hf.sorting import sorter as sorter_module

STAGES = {"scan", "embed", "motion", "learn clusters", "learn units", "assign", "embed events"}
RATE = 30000.0
# So many of 2500 peaks.
PART = {"max_learned_peaks": 1000, "learned_peaks_per_channel": 10}


def spikes_of(result):
    return result.events[["segment", "sample", "channel", "unit", "outcome", "detected"]].values.tolist()


@pytest.fixture(scope="module")
def two_shanks(make_ground_truth):
    """Two segments, two shanks."""
    recording, _ = make_ground_truth(durations=(4.0, 2.0), num_channels=8, num_units=5)
    recording.set_property("group", np.repeat([0, 1], 4))
    return recording


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same(sorter, two_shanks):
    first, second = (sorter.sort(two_shanks, num_workers=num_workers) for num_workers in (1, 3))
    assert len(first.sorting.unit_ids) >= 2
    assert spikes_of(first) == spikes_of(second)
    np.testing.assert_array_equal(first.events["probability"], second.events["probability"])
    np.testing.assert_array_equal(first.embeddings, second.embeddings)
    np.testing.assert_array_equal(first.templates, second.templates)


@pytest.mark.slow
def test_traces_in_the_scratch_folder_give_the_same(sorter, tetrode, tetrode_result, tmp_path, monkeypatch):
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", 0)
    on_disk = sorter.sort(tetrode[0], scratch_folder=tmp_path)
    # Traces there are rounded to steps of 1/32 SD: a spike may move by a sample.
    comparison = compare_two_sorters(tetrode_result.sorting, on_disk.sorting, delta_time=0.1)
    assert len(on_disk.sorting.unit_ids) == len(tetrode_result.sorting.unit_ids)
    assert comparison.agreement_scores.max(axis=1).min() > 0.99


@pytest.mark.slow
def test_without_a_copy_traces_are_filtered_again_and_give_the_same(sorter, tetrode, tetrode_result, monkeypatch):
    monkeypatch.setattr(trace_copy, "make_copy", lambda *arguments, **kwargs: None)
    monkeypatch.setattr(scan, "make_copy", lambda *arguments, **kwargs: None)
    filtered_again = sorter.sort(tetrode[0])
    assert spikes_of(filtered_again) == spikes_of(tetrode_result)
    np.testing.assert_allclose(filtered_again.templates, tetrode_result.templates, atol=0.01)


@pytest.fixture
def seen_in_scratch(monkeypatch):
    """Names of the files in which traces were kept while a sort ran."""
    seen = []
    make = pipeline.learn_clusters

    def spy(*arguments):
        seen.extend(path.name for folder in folders for path in folder.glob("*.int16"))
        return make(*arguments)

    folders = []
    make_folder = sorter_module.sort_recording

    def with_folder(*arguments, scratch_folder, **kwargs):
        folders.append(scratch_folder)
        return make_folder(*arguments, scratch_folder=scratch_folder, **kwargs)

    monkeypatch.setattr(pipeline, "learn_clusters", spy)
    monkeypatch.setattr(sorter_module, "sort_recording", with_folder)
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", 0)
    return seen


@pytest.mark.slow
def test_nothing_is_left_in_the_scratch_folder(sorter, tetrode, tmp_path, seen_in_scratch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    sorter.sort(tetrode[0], scratch_folder=scratch, output_folder=tmp_path / "result")
    assert len(seen_in_scratch) == 1 and seen_in_scratch[0].endswith(".int16")
    assert not list(scratch.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result", "scratch"]


@pytest.mark.slow
def test_traces_lie_beside_the_result_for_the_time_of_the_run(sorter, tetrode, tmp_path, seen_in_scratch, monkeypatch):
    sorter.sort(tetrode[0], output_folder=tmp_path / "result")
    assert len(seen_in_scratch) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["learn_units", "assign_spikes"])
def test_an_exception_leaves_nothing(sorter, tetrode, tmp_path, seen_in_scratch, monkeypatch, stage):
    def fail(*arguments, **kwargs):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(pipeline, stage, fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        sorter.sort(tetrode[0], scratch_folder=tmp_path, output_folder=tmp_path / "result")
    assert len(seen_in_scratch) == 1
    assert not list(tmp_path.iterdir())


def test_the_time_of_each_stage_is_reported(tetrode_result):
    seconds = tetrode_result.provenance["seconds"]
    assert set(seconds) == STAGES and all(value >= 0 for value in seconds.values())


@pytest.fixture(scope="module")
def long(make_spike_template):
    """A minute of six channels before three neurons that fire all the time, and one that fires for 6 s."""
    rng = np.random.default_rng(0)
    num_samples = int(60 * RATE)
    traces = rng.normal(size=(num_samples, 6)).astype("float32")
    shapes = [(14.0, 0, 3.0), (11.0, 2, 5.0), (16.0, 5, 4.0), (13.0, 4, 2.5)]
    trains = {}
    for unit, (size, channel, width) in enumerate(shapes):
        start, stop, rate_hz = (0, 60, 14.0) if unit < 3 else (41, 47, 12.0)
        intervals = 0.004 + rng.exponential(1 / rate_hz - 0.004, int(2 * rate_hz * (stop - start)))
        times = (RATE * (start + np.cumsum(intervals))).astype("int64")
        trains[unit] = times[(times > 100) & (times < min(RATE * stop, num_samples - 100))]
        template = make_spike_template(size, channel, 6, width)
        for sample in trains[unit]:
            traces[sample - 30 : sample + 60] += template
    recording = NumpyRecording([traces], sampling_frequency=RATE)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(6), 20.0 * np.arange(6)], axis=1))
    return recording, NumpySorting.from_unit_dict([trains], RATE)


@pytest.fixture(scope="module")
def learned_from_a_part(sorter, long):
    return sorter.sort(long[0], **PART, max_embedded_events=0)


@pytest.mark.slow
def test_a_part_of_the_recording_is_enough_to_find_its_units(long, learned_from_a_part):
    """The one that fires for 6 s as well."""
    _, truth = long
    num_learned = len(learned_from_a_part.embeddings)
    assert np.isfinite(learned_from_a_part.embeddings).all() and 700 < num_learned <= 1000 < 0.5 * len(
        truth.to_spike_vector()
    )
    comparison = compare_sorter_to_ground_truth(truth, learned_from_a_part.sorting, exhaustive_gt=True)
    accuracy = comparison.get_performance(method="by_unit")["accuracy"].astype(float)
    assert (accuracy > 0.9).all(), accuracy
    assert len(learned_from_a_part.sorting.unit_ids) == 4
    # All over the recording.
    for unit in range(3):
        matched = comparison.hungarian_match_12[unit]
        times = learned_from_a_part.sorting.get_unit_spike_train(matched) / RATE
        per_second = np.bincount(times.astype(int), minlength=60)
        assert (per_second > 0).mean() > 0.97


@pytest.mark.slow
def test_events_that_are_not_embedded_have_the_place_of_their_channel(long, learned_from_a_part):
    recording, _ = long
    events = learned_from_a_part.events
    is_embedded = events["embedded"].to_numpy()
    assert is_embedded.sum() == len(learned_from_a_part.embeddings)
    positions = dict(zip(recording.channel_ids.astype(str), recording.get_channel_locations()))
    places = np.stack([positions[channel] for channel in events["channel"][~is_embedded]])
    np.testing.assert_array_equal(events[["x_um", "y_um"]][~is_embedded], places)
    assert np.isfinite(learned_from_a_part.events[["x_um", "y_um"]].to_numpy()).all()


@pytest.mark.slow
def test_all_events_are_embedded_where_they_are_few_enough(sorter, long, learned_from_a_part):
    result = sorter.sort(long[0], **PART)
    assert np.isfinite(result.embeddings).all() and result.events["embedded"].all()
    assert len(result.embeddings) == len(result.events)
    assert spikes_of(result) == spikes_of(learned_from_a_part)
    is_learned = learned_from_a_part.events["embedded"].to_numpy()
    np.testing.assert_array_equal(result.embeddings[is_learned], learned_from_a_part.embeddings)
