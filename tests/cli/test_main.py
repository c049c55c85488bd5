import json

import numpy as np
import pytest
from spikeinterface.core import generate_ground_truth_recording

from huidurep_hf import SortingParameters
from huidurep_hf.cli.main import main

RAW_FLAGS = ["--sampling-rate", "20000", "--num-channels", "4", "--dtype", "int16", "--probe", "tetrode"]


@pytest.fixture(scope="module")
def raw_file(tmp_path_factory):
    recording, _ = generate_ground_truth_recording(
        durations=[6.0], num_channels=4, num_units=3, sampling_frequency=20000.0, seed=2
    )
    path = tmp_path_factory.mktemp("raw") / "trial.raw"
    (2048 + 10 * recording.get_traces()).astype("int16").tofile(path)
    return path


@pytest.mark.slow
def test_sort_a_raw_file(raw_file, tiny_checkpoint, tmp_path, capsys):
    out = tmp_path / "result"
    arguments = ["sort", str(raw_file), str(out), "--model", str(tiny_checkpoint), *RAW_FLAGS, "--quiet"]
    assert main([*arguments, "--detect-threshold", "6", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    provenance = json.loads((out / "provenance.json").read_text())
    assert f"units     {provenance['counts']['units']}\n" in printed
    assert "gain is unknown" in printed
    assert "events.parquet" in printed
    assert provenance["parameters"]["detect_threshold"] == 6.0
    assert provenance["parameters"]["seed"] == 3
    assert provenance["counts"]["units"] >= 1

    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--gain-uv", "0.1"]) == 0
    assert "gain is unknown" not in capsys.readouterr().out


@pytest.mark.slow
def test_any_setting_is_set_by_its_name(raw_file, tiny_checkpoint, tmp_path):
    out = tmp_path / "result"
    arguments = ["sort", str(raw_file), str(out), "--model", str(tiny_checkpoint), *RAW_FLAGS, "--quiet"]
    given = ["--set", "min_gain=18", "whiten_in_time=off", "--set", "seed=3", "num_units=2", "--num-workers", "2"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert main([*arguments, *given, "--seed", "1", "--scratch-folder", str(scratch)]) == 0
    provenance = json.loads((out / "provenance.json").read_text())
    parameters = {"min_gain": 18.0, "whiten_in_time": "off", "seed": 3, "num_units": 2}
    assert {name: provenance["parameters"][name] for name in parameters} == parameters
    assert provenance["counts"]["units"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result", "scratch"] and not list(scratch.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--set", "min_gian=18"], "'min_gian'; did you mean 'min_gain'"),
        (["--set", "min_gain"], "--set 'min_gain'; NAME=VALUE is needed"),
        (["--set", "min_gain=much"], "--set min_gain=much; float is needed"),
        (["--set", "num_units=2.5"], "--set num_units=2.5; int is needed"),
        (["--set", "min_gain=0.5"], "min_gain=0.5; it must be at least 1"),
        (["--set", "whiten_in_time=no"], "choose from on, off"),
        (["--num-workers", "0"], "num_workers=0; at least 1"),
        (["--scratch-folder", "absent/folder"], "absent/folder"),
        (["--probe", "linear:8:20"], "8 contacts but the recording has 4 channels"),
        (["--num-channels", "7"], "no multiple of 14"),
        (["--clustering", "hdbscan", "--num-units", "3"], "clustering='gmm'"),
        (["--detect-threshold", "0"], "at least 1"),
        (["--model", "absent/folder/of/no/model"], "absent/folder"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(raw_file, tiny_checkpoint, tmp_path, capsys, change, message):
    out = tmp_path / "result"
    assert main(["sort", str(raw_file), str(out), "--model", str(tiny_checkpoint), *RAW_FLAGS, *change]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.splitlines()[-1].startswith("huidurep: ")
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_missing_probe_and_missing_file(raw_file, tiny_checkpoint, tmp_path, capsys):
    model = ["--model", str(tiny_checkpoint), "--quiet"]
    assert main(["sort", str(raw_file), str(tmp_path / "a"), *RAW_FLAGS[:-2], *model]) == 2
    assert "--probe" in capsys.readouterr().err
    assert main(["sort", str(tmp_path / "absent.raw"), str(tmp_path / "a"), *RAW_FLAGS, *model]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_silent_recording_is_an_empty_result(tiny_checkpoint, tmp_path, capsys):
    np.zeros((20000, 4), dtype="int16").tofile(tmp_path / "silent.raw")
    out = tmp_path / "result"
    model = ["--model", str(tiny_checkpoint), "--quiet"]
    assert main(["sort", str(tmp_path / "silent.raw"), str(out), *RAW_FLAGS, *model]) == 0
    assert "units     0" in capsys.readouterr().out


def fail(error):
    """A function that raises an error, in place of any other."""

    def raise_error(*arguments, **kwargs):
        raise error

    return raise_error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [(KeyboardInterrupt(), 130, "interrupted; the result"), (RuntimeError("no"), 2, "The page failed (no), but the")],
)
def test_what_fails_after_the_sort_says_that_it_is_saved(
    raw_file, tiny_checkpoint, tmp_path, monkeypatch, capsys, error, code, said
):
    out = tmp_path / "result"
    arguments = ["sort", str(raw_file), str(out), "--model", str(tiny_checkpoint), *RAW_FLAGS, "--quiet"]
    with monkeypatch.context() as patched:
        patched.setattr("huidurep_hf.report.page.write_report", fail(error))
        assert main(arguments) == code
        printed = capsys.readouterr().err.strip()
    assert said in printed and f"result is saved in {out}. `huidurep report {out}` writes its page." in printed
    assert "used: " in (out / "log.txt").read_text() and not (out / "report.html").exists()
    assert main(["report", str(out)]) == 0 and (out / "report.html").is_file()
    # An earlier result is not that of this run.
    monkeypatch.setattr("huidurep_hf.sorting.sorter.sort_recording", fail(KeyboardInterrupt()))
    assert main([*arguments, "--overwrite"]) == 130
    assert "interrupted; no result was written. The same command goes on from here." in capsys.readouterr().err


def test_other_commands_are_only_interrupted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("huidurep_hf.sorting.output.result.SortingResult.load", fail(KeyboardInterrupt()))
    assert main(["report", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "huidurep: interrupted\n"


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        main(["sort", str(tmp_path / "absent"), str(tmp_path / "out"), "--debug"])


def test_checkpoints(tmp_path, capsys):
    assert main(["checkpoints", "list"]) == 0
    assert main(["checkpoints", "install", "--cache-dir", str(tmp_path)]) == 0


def test_help_lists_every_parameter(capsys):
    with pytest.raises(SystemExit):
        main(["sort", "--help"])
    printed = capsys.readouterr().out
    for parameter in SortingParameters.list_settings():
        flag = f"--{parameter.name.replace('_', '-')} "
        assert (flag in printed) != parameter.metadata["expert"], parameter.name
    assert "--set NAME=VALUE" in printed and "--num-workers N" in printed and "--scratch-folder FOLDER" in printed
