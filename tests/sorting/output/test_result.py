import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from spikeinterface.core.motion import Motion

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
    names = [field.name for field in dataclasses.fields(tetrode_result) if field.name != "sorting"]
    tables = {name: getattr(tetrode_result, name) for name in names}
    noisy = SortingResult.from_tables(**{**tables, "events": events})
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
