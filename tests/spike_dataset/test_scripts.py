"""The two scripts, as they are called."""

import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_dataset
from datasets.config import HF_DATASETS_CACHE

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


def test_noise(saved, tmp_path):
    options = ["--recording", saved / "recording", "--output", tmp_path / "noise.npz", "--num-snippets", "50"]
    done = run("noise_from_recording.py", *options)
    assert done.returncode == 0, done.stderr
    assert len(NoiseSnippets.load(tmp_path / "noise.npz")) == 50
    missing = run("noise_from_recording.py", "--recording", tmp_path / "nothing", "--output", tmp_path / "x.npz")
    assert missing.returncode == 1 and missing.stderr.startswith("error: ")
