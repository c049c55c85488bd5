import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from spikeinterface.core import NumpyRecording, load
from spikeinterface.core.motion import Motion

from huidurep_hf.recording.sources.reading import read_sorting
from huidurep_hf.sorting.output.result import SortingResult


def test_save_and_load(tetrode_result, tmp_path):
    folder = tetrode_result.save(tmp_path / "deep" / "result")
    assert [path.name for path in folder.parent.iterdir()] == ["result"]
    loaded = SortingResult.load(folder)
    assert loaded.sorting.to_spike_vector().tolist() == tetrode_result.sorting.to_spike_vector().tolist()
    pd.testing.assert_frame_equal(loaded.events, tetrode_result.events)
    pd.testing.assert_frame_equal(loaded.channels, tetrode_result.channels)
    np.testing.assert_array_equal(loaded.embeddings, tetrode_result.embeddings)
    np.testing.assert_array_equal(loaded.templates, tetrode_result.templates)
    assert loaded.provenance == json.loads(json.dumps(tetrode_result.provenance))


def test_provenance_tells_how_to_repeat_the_run(tetrode_result):
    provenance = tetrode_result.provenance
    assert provenance["parameters"]["seed"] == 0
    assert provenance["model"]["name_or_path"]
    assert provenance["versions"]["torch"]
    assert provenance["recording"]["num_channels"] == 4
    assert any("band-pass" in step for step in provenance["preparation"]["steps"])
    assert provenance["counts"]["events"] == len(tetrode_result.events)


def test_existing_output_is_refused_or_replaced(tetrode_result, tmp_path):
    folder = tetrode_result.save(tmp_path / "result")
    (folder / "stray").touch()
    with pytest.raises(FileExistsError, match="--overwrite"):
        tetrode_result.save(folder)
    tetrode_result.save(folder, overwrite=True)
    assert not (folder / "stray").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_link_to_another_disk_stays_one(tetrode_result, tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "result"
    link.symlink_to(tmp_path / "disk" / "of_today")
    for overwrite in (False, True):
        tetrode_result.save(link, overwrite=overwrite)
        assert link.is_symlink() and len(SortingResult.load(link).units) == len(tetrode_result.units)
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["of_today"]
    with pytest.raises(FileExistsError, match="--overwrite"):
        tetrode_result.save(link)


def test_what_is_no_result_is_never_replaced(tetrode_result, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(FileExistsError, match="not a sorting result"):
        tetrode_result.save(tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").exists()


@pytest.mark.parametrize("is_earlier", [False, True])
def test_failure_leaves_nothing_half_written(tetrode_result, tmp_path, monkeypatch, is_earlier):
    folder = tmp_path / "result"
    if is_earlier:
        tetrode_result.save(folder)

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(KeyboardInterrupt):
        tetrode_result.save(folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == (["result"] if is_earlier else [])
    if is_earlier:
        SortingResult.load(folder)


def test_spread_noise_and_motion_are_kept(tetrode_result, tmp_path):
    assert tetrode_result.spread.shape == tetrode_result.templates.shape
    # Single spikes vary by the noise, and by spikes that overlap with them.
    assert 0.7 < np.nanmin(tetrode_result.spread) < 1.5
    noise = tetrode_result.noise
    assert len(noise) == 8 and list(noise.columns) == ["segment", "time_s", "0", "1", "2", "3"]
    np.testing.assert_allclose(noise[["0", "1", "2", "3"]].median(), tetrode_result.channels["noise_level"], rtol=0.1)
    times = np.arange(4.0)
    motion = Motion([np.zeros((4, 1))], [times], np.array([0.0]))
    moved = dataclasses.replace(tetrode_result, motion=motion)
    assert SortingResult.load(moved.save(tmp_path / "moved")).motion == motion
    loaded = SortingResult.load(tetrode_result.save(tmp_path / "still"))
    assert loaded.motion is None
    np.testing.assert_array_equal(loaded.spread, tetrode_result.spread)
    pd.testing.assert_frame_equal(loaded.units, tetrode_result.units)


def test_load_from_elsewhere_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no sorting result"):
        SortingResult.load(tmp_path)


def test_noise_units_are_events_of_no_unit(tetrode_result, tmp_path):
    events = tetrode_result.events.copy()
    is_second = (events["unit"] == 1).to_numpy()
    events.loc[is_second, "probability"] = 0.3
    # As a small one; of a large unit low probabilities mean that another has its spikes as well.
    templates = tetrode_result.templates.copy()
    templates[1] *= 4.0 / np.abs(templates[1]).max()
    names = [field.name for field in dataclasses.fields(tetrode_result) if field.name != "sorting"]
    tables = {name: getattr(tetrode_result, name) for name in names}
    noisy = SortingResult.from_tables(**{**tables, "events": events, "templates": templates})
    assert noisy.units["label"][1] == "noise"
    kept = noisy.without_noise()
    assert kept.provenance["counts"]["units"] == len(kept.templates) == len(noisy.templates) - 1
    assert (kept.events.loc[is_second, "outcome"] == "noise unit").all() and len(kept.events) == len(events)
    assert (kept.events.loc[is_second, ["unit", "probability"]] == [-1, 0]).all(axis=None)
    for unit, before in enumerate((0, *range(2, len(noisy.templates)))):
        trains = [one.sorting.get_unit_spike_train(at, segment_index=0) for one, at in ((kept, unit), (noisy, before))]
        np.testing.assert_array_equal(*trains)
        np.testing.assert_array_equal(kept.templates[unit], noisy.templates[before])
    loaded = SortingResult.load(kept.save(tmp_path / "kept"))
    pd.testing.assert_frame_equal(loaded.events, kept.events)
    assert tetrode_result.without_noise() is tetrode_result


def test_every_file_is_explained(tetrode_result, tmp_path):
    folder = tetrode_result.save(tmp_path / "result")
    explained = (folder / "README.md").read_text()
    for path in folder.iterdir():
        name = path.name + "/" * path.is_dir()
        assert f"| `{name}` |" in explained or name == "README.md"


def timed(recording, kind):
    """The recording in two segments that start at 100 s and 500 s, or with a clock that runs unevenly."""
    traces = recording.get_traces()
    parts = [traces[:120000], traces[120000:]]
    if kind == "t_starts":
        timed = NumpyRecording(parts, 30000.0, t_starts=[100.0, 500.0])
    else:
        timed = NumpyRecording(parts, 30000.0)
        for segment, part in enumerate(parts):
            times = 100.0 + 400.0 * segment + np.arange(len(part)) / 29990.0
            times[len(part) // 2 :] += 7.0
            timed.set_times(times, segment_index=segment)
    timed.set_probegroup(recording.get_probegroup())
    timed.set_channel_groups(np.array(["left", "left", "right", "right"]))
    return timed


def spike_times(sorting):
    return [
        sorting.get_unit_spike_train(unit, segment_index=segment, return_times=True).tolist()
        for unit in sorting.unit_ids
        for segment in range(sorting.get_num_segments())
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t_starts", "set_times"])
def test_times_of_the_recordings_clock_are_kept(sorter, tetrode, tmp_path, kind):
    recording = timed(tetrode[0], kind)
    result = sorter.sort(recording, output_folder=tmp_path / "result")
    expected = spike_times(result.sorting)
    assert 100 < min(expected[0]) < 111 and min(expected[1]) > 500
    loaded, in_folder = SortingResult.load(tmp_path / "result"), load(tmp_path / "result" / "sorting")
    for sorting in (loaded.sorting, in_folder, read_sorting(tmp_path / "result")):
        assert [sorting.get_start_time(segment) for segment in (0, 1)] == [100.0, 500.0]
        assert spike_times(sorting) == expected
    for unit in in_folder.unit_ids:
        train = in_folder.get_unit_spike_train(unit, segment_index=1)
        assert train.tolist() == result.sorting.get_unit_spike_train(unit, segment_index=1).tolist()
        some = in_folder.get_unit_spike_train_in_seconds(unit, segment_index=1, start_time=501.0, end_time=502.0)
        assert len(some) and some.min() >= 501 and some.max() <= 502
    events = loaded.events[loaded.events["unit"] == 0]
    assert events["time_s"].tolist() == expected[0] + expected[1]
    assert loaded.provenance["recording"]["start_times_s"] == [100.0, 500.0]


def test_a_recording_without_start_times_leaves_a_plain_folder(tetrode_result, tmp_path):
    tetrode_result.save(tmp_path / "result")
    folder = tmp_path / "result" / "sorting"
    for file in folder.rglob("*.npy"):
        assert np.load(file, allow_pickle=False).dtype != object
    assert not (folder / "times.npz").exists() and "huidurep" not in (folder / "si_folder.json").read_text()


@pytest.mark.slow
def test_units_keep_their_properties_and_name_their_group(sorter, tetrode, tmp_path):
    result = sorter.sort(timed(tetrode[0], "t_starts"), output_folder=tmp_path / "result")
    loaded, in_folder = SortingResult.load(tmp_path / "result").sorting, load(tmp_path / "result" / "sorting")
    assert {"label", "channel", "group", "snr", "amplitude"} <= set(result.sorting.get_property_keys())
    for name in result.sorting.get_property_keys():
        for sorting in (loaded, in_folder):
            np.testing.assert_array_equal(sorting.get_property(name), result.sorting.get_property(name))
    group_of_channel = dict(zip(["0", "1", "2", "3"], ["left", "left", "right", "right"]))
    channels, groups = (loaded.get_property(name).tolist() for name in ("channel", "group"))
    assert groups == [group_of_channel[channel] for channel in channels] and len(groups)


def test_results_of_earlier_versions_are_loaded(tetrode_result, tmp_path):
    folder = tetrode_result.save(tmp_path / "result")
    pd.read_parquet(folder / "channels.parquet").drop(columns="group").to_parquet(folder / "channels.parquet")
    provenance = json.loads((folder / "provenance.json").read_text())
    del provenance["recording"]["start_times_s"]
    (folder / "provenance.json").write_text(json.dumps(provenance))
    sorting = SortingResult.load(folder).sorting
    assert set(sorting.get_property("group")) == {0}
    assert spike_times(sorting) == spike_times(tetrode_result.sorting)


@pytest.mark.parametrize("place", ["file/result", "file/deep/result", "x" * 300])
def test_an_output_that_cannot_be_made_is_refused_before_the_work(sorter, tetrode, tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("a file where a folder is meant to be")
    monkeypatch.setattr("huidurep_hf.sorting.sorter.sort_recording", None)
    with pytest.raises(OSError, match=r"cannot be made \(.*\); give another place"):
        sorter.sort(tetrode[0], output_folder=tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
