"""The two scripts, as they are called."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_dataset
from datasets.config import HF_DATASETS_CACHE
from probeinterface import write_probeinterface

from huidurep_hf.spike_dataset.noise_snippets import NoiseSnippets

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def saved(tmp_path_factory, generated):
    """Folders of the recording and of the sorting, as SpikeInterface saves them."""
    folder = tmp_path_factory.mktemp("saved")
    recording, sorting = generated
    recording.save(folder=folder / "recording", progress_bar=False, verbose=False)
    sorting.save(folder=folder / "sorting")
    return folder


def temporary_folders():
    return set(Path(HF_DATASETS_CACHE).glob("huidurep_spikes*"))


def run(script, *options):
    return subprocess.run([sys.executable, SCRIPTS / script, *options], capture_output=True, text=True)


@pytest.fixture
def refuse(monkeypatch):
    """Function that runs a script that is to end with an error, without a process of its own, and returns what it says.

    The scripts' imports take seconds in each process. A text that Python is ended with goes to stderr, and the exit
    code is 1.
    """

    def run_here(script, *options):
        monkeypatch.setattr(sys, "argv", [script, *map(str, options)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        assert ended.value.code.startswith("error: ")
        return ended.value.code

    return run_here


@pytest.mark.slow
def test_spikes_with_and_without_a_sorting(saved, refuse, tmp_path):
    of_other_tests = temporary_folders()
    options = ["--recording", saved / "recording", "--quiet"]
    done = run("spikes_from_recording.py", *options, "--output", tmp_path / "peaks", "--max-spikes", "40")
    assert done.returncode == 0, done.stderr
    assert len(load_dataset(str(tmp_path / "peaks"), split="train")) == 40
    sorting = ["--sorting", saved / "sorting", "--output", tmp_path / "sorted", "--license", "cc0-1.0"]
    done = run("spikes_from_recording.py", *options, *sorting)
    assert done.returncode == 0, done.stderr
    assert len(set(load_dataset(str(tmp_path / "sorted"), split="train")["unit_id"])) == 4
    assert "license: cc0-1.0" in (tmp_path / "sorted" / "README.md").read_text()
    assert "exists already" in refuse("spikes_from_recording.py", *options, *sorting)
    assert temporary_folders() == of_other_tests


@pytest.mark.slow
def test_raw_file_and_the_result_of_a_sort(generated, saved, refuse, tmp_path):
    recording, _ = generated
    traces = recording.get_traces()
    (10 * traces).astype("int16").tofile(tmp_path / "session.raw")
    write_probeinterface(tmp_path / "probe.json", recording.get_probegroup())
    result = tmp_path / "result"
    shutil.copytree(saved / "sorting", result / "sorting")
    options = ["--recording", tmp_path / "session.raw", "--sorting", result, "--output", tmp_path / "spikes", "--quiet"]
    assert "--num-channels" in refuse("spikes_from_recording.py", *options)
    rate = str(recording.get_sampling_frequency())
    layout = ["--sampling-rate", rate, "--num-channels", str(recording.get_num_channels()), "--dtype", "int16"]
    done = run("spikes_from_recording.py", *options, *layout, "--gain-uv", "0.1", "--probe", tmp_path / "probe.json")
    assert done.returncode == 0, done.stderr
    spikes = load_dataset(str(tmp_path / "spikes"), split="train")
    assert len(set(spikes["unit_id"])) == 4 and set(spikes["group"]) == {"session"}
    options[3] = saved / "recording"
    wrong = refuse("spikes_from_recording.py", *options, "--overwrite", *layout)
    assert "holds a " in wrong and "not a sorting" in wrong


@pytest.mark.slow
def test_a_recording_without_spikes_makes_no_dataset(saved, refuse, tmp_path):
    options = ["--recording", saved / "recording", "--output", tmp_path / "none", "--detect-threshold", "1000"]
    assert "lower --detect-threshold (now 1000)" in refuse("spikes_from_recording.py", *options, "--quiet")
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_noise(saved, refuse, tmp_path):
    options = ["--recording", saved / "recording", "--output", tmp_path / "noise.npz", "--num-snippets", "50"]
    done = run("noise_from_recording.py", *options)
    assert done.returncode == 0, done.stderr
    assert len(NoiseSnippets.load(tmp_path / "noise.npz")) == 50
    refuse("noise_from_recording.py", "--recording", tmp_path / "nothing", "--output", tmp_path / "x.npz")
