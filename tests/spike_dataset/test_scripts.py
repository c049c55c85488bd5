"""The two scripts, as they are called."""

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


@pytest.mark.slow
def test_spikes_with_and_without_a_sorting(saved, tmp_path):
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
    again = run("spikes_from_recording.py", *options, *sorting)
    assert again.returncode == 1 and "exists already" in again.stderr and "Traceback" not in again.stderr
    assert temporary_folders() == of_other_tests


@pytest.mark.slow
def test_raw_file_and_the_result_of_a_sort(generated, saved, tmp_path):
    recording, _ = generated
    traces = recording.get_traces()
    (10 * traces).astype("int16").tofile(tmp_path / "session.raw")
    write_probeinterface(tmp_path / "probe.json", recording.get_probegroup())
    result = tmp_path / "result"
    shutil.copytree(saved / "sorting", result / "sorting")
    options = ["--recording", tmp_path / "session.raw", "--sorting", result, "--output", tmp_path / "spikes", "--quiet"]
    bare = run("spikes_from_recording.py", *options)
    assert bare.returncode == 1 and "--num-channels" in bare.stderr
    rate = str(recording.get_sampling_frequency())
    layout = ["--sampling-rate", rate, "--num-channels", str(recording.get_num_channels()), "--dtype", "int16"]
    done = run("spikes_from_recording.py", *options, *layout, "--gain-uv", "0.1", "--probe", tmp_path / "probe.json")
    assert done.returncode == 0, done.stderr
    spikes = load_dataset(str(tmp_path / "spikes"), split="train")
    assert len(set(spikes["unit_id"])) == 4 and set(spikes["group"]) == {"session"}
    options[3] = saved / "recording"
    wrong = run("spikes_from_recording.py", *options, "--overwrite", *layout)
    assert wrong.returncode == 1 and "holds a " in wrong.stderr and "not a sorting" in wrong.stderr


def test_a_recording_without_spikes_makes_no_dataset(saved, tmp_path):
    options = ["--recording", saved / "recording", "--output", tmp_path / "none", "--detect-threshold", "1000"]
    done = run("spikes_from_recording.py", *options, "--quiet")
    assert done.returncode == 1 and "lower --detect-threshold (now 1000)" in done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_noise(saved, tmp_path):
    options = ["--recording", saved / "recording", "--output", tmp_path / "noise.npz", "--num-snippets", "50"]
    done = run("noise_from_recording.py", *options)
    assert done.returncode == 0, done.stderr
    assert len(NoiseSnippets.load(tmp_path / "noise.npz")) == 50
    missing = run("noise_from_recording.py", "--recording", tmp_path / "nothing", "--output", tmp_path / "x.npz")
    assert missing.returncode == 1 and missing.stderr.startswith("error: ")
