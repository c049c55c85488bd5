import json
from pathlib import Path

import pytest
import torch

import huidurep_hf
from huidurep_hf.evaluation.records.run_record import (
    TRACKING_SOURCES,
    ResultFile,
    describe_environment,
    hash_sources,
    hash_weights,
    plain,
)


def test_rows_are_kept_and_continued(tmp_path):
    path = tmp_path / "deep" / "results.json"
    results = ResultFile(path, {"model": "a"})
    results.add_run({"command": "first"})
    results.add_row({"condition": "tetrode", "recording_seed": 1, "ari": 0.5})
    again = ResultFile(path, {"model": "a"})
    again.add_run({"command": "second"})
    assert again.has_row(condition="tetrode", recording_seed=1)
    assert not again.has_row(condition="tetrode", recording_seed=2)
    again.add_row({"condition": "tetrode", "recording_seed": 2, "ari": 0.6})
    assert [row["run"] for row in json.loads(path.read_text())["rows"]] == [0, 1]
    assert list(path.parent.iterdir()) == [path]


def test_figures_of_another_model_are_refused(tmp_path):
    path = tmp_path / "results.json"
    ResultFile(path, {"model": "a"}).write()
    with pytest.raises(ValueError, match="another model: a, not b"):
        ResultFile(path, {"model": "b"})


def test_environment_says_how_to_repeat_and_no_host_name():
    import platform

    environment = describe_environment()
    assert environment["command"].startswith("python ")
    assert environment["versions"]["torch"] == torch.__version__.split("+")[0] or environment["versions"]["torch"]
    assert "cores" in environment["machine"]["processor"]
    json.dumps(environment)
    assert platform.node() not in json.dumps(environment["machine"])


def test_hash_follows_weights_and_configuration(build_tiny):
    from huidurep_hf import HuiduRepModel

    model = build_tiny(HuiduRepModel)
    before = hash_weights(model)
    assert before == hash_weights(build_tiny(HuiduRepModel))
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1
    assert hash_weights(model) != before
    assert hash_weights(build_tiny(HuiduRepModel, position_scale_um=60.0)) != before


def test_hash_does_not_follow_the_library(build_tiny, monkeypatch):
    """Else a card would be of another model as soon as transformers is updated."""
    from transformers import configuration_utils

    from huidurep_hf import HuiduRepModel

    before = hash_weights(build_tiny(HuiduRepModel))
    monkeypatch.setattr(configuration_utils, "__version__", "5.99.0")
    assert build_tiny(HuiduRepModel).config.to_diff_dict()["transformers_version"] == "5.99.0"
    assert hash_weights(build_tiny(HuiduRepModel)) == before


def test_sources_have_a_hash_of_names_and_texts(tmp_path):
    folder = tmp_path / "sorting"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.py").write_text("A = 1")
    (folder / "deep" / "b.py").write_text("B = 2")
    (tmp_path / "workers.py").write_text("W = 1")

    def hashed():
        return hash_sources(["workers.py", "sorting"], tmp_path)

    first = hashed()
    (folder / "notes.txt").write_text("no source")
    assert hashed() == first
    (folder / "a.py").write_text("A = 3")
    changed = hashed()
    (folder / "a.py").rename(folder / "c.py")
    renamed = hashed()
    (tmp_path / "workers.py").write_text("W = 2")
    assert len({first, changed, renamed, hashed(), hash_sources([], tmp_path)}) == 5


def test_what_figures_rest_on_is_there():
    for name in TRACKING_SOURCES:
        assert (Path(huidurep_hf.__file__).parent / name).exists()


def test_recordings_described_before_a_field_was_added_are_the_same():
    from dataclasses import replace

    from huidurep_hf.simulation.recordings.firing import FiringPattern
    from huidurep_hf.simulation.recordings.recordings import RECORDING_CONDITIONS

    parameters = RECORDING_CONDITIONS["tetrode"]
    assert "pattern" not in plain(parameters) and plain(parameters)["drift_um"] is None
    assert plain(replace(parameters, pattern=FiringPattern()))["pattern"]["burst_spikes"] == [2, 6]
