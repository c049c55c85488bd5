"""A spike dataset goes to a hub on localhost and comes back, through real HTTP and empty caches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from huidurep_hf.spike_dataset.hub import push_dataset
from huidurep_hf.spike_dataset.writing import write_spikes

from ..hub_server import HubServer

PUSH = "from huidurep_hf.spike_dataset.hub import push_dataset; print(push_dataset({folder!r}, 'lab/spikes'))"
READ = """
import json
from datasets import load_dataset
from huggingface_hub import DatasetCard
from huidurep_hf.pretraining.dataset import SpikePairs, load_spikes
spikes, geometry = load_spikes("lab/spikes")
pairs = SpikePairs(spikes, geometry)
streamed = [row["unit_id"] for row in load_dataset("lab/spikes", split="train", streaming=True)]
print(json.dumps({
    "units": len(pairs), "recorded": bool(pairs.is_recorded.all()), "unit": geometry.unit,
    "sum": float(pairs.rows([0, 5]).waveforms.sum()), "streamed": streamed,
    "license": DatasetCard.load("lab/spikes").data.license,
}))
"""
SCRIPT = """
import json, subprocess, sys
done = subprocess.run([sys.executable, {script!r}, *{options!r}], capture_output=True, text=True)
print(json.dumps([done.returncode, done.stderr.splitlines()]))
"""


def run(hub, home, code):
    """Run code in a fresh process, whose hub is ours and whose cache is empty."""
    home.mkdir(exist_ok=True)
    hidden = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1"}
    environment |= {"NO_PROXY": "*", "no_proxy": "*", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.strip()


@pytest.mark.slow
def test_pushed_and_read_back(tmp_path, labelled_spikes):
    folder = write_spikes(labelled_spikes, tmp_path / "spikes")
    with HubServer() as hub:
        url = run(hub, tmp_path / "home1", PUSH.format(folder=str(folder)))
        assert url.startswith(f"{hub.url}/datasets/lab/spikes/commit/")
        assert sorted(hub.files["datasets", "lab/spikes"]) == [
            "README.md",
            "data/train-00000-of-00001.parquet",
            "dataset_infos.json",
        ]
        assert hub.uploads == 1
        told = json.loads(run(hub, tmp_path / "home2", READ).splitlines()[-1])
        assert (told["units"], told["recorded"], told["unit"], told["license"]) == (4, True, "noise_sd", "unknown")
        assert told["streamed"] == labelled_spikes["unit_id"][:]
        rows = labelled_spikes.with_format("numpy")[[0, 5]]["waveform"]
        assert told["sum"] == pytest.approx(float(np.sum(rows, dtype="float64")), abs=0.1)


@pytest.mark.slow
def test_a_smaller_dataset_replaces_a_larger_one(tmp_path, labelled_spikes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huidurep_hf.spike_dataset.writing.ROWS_PER_SHARD", 200)
        large = write_spikes(labelled_spikes, tmp_path / "large")
        small = write_spikes(labelled_spikes.select(range(100)), tmp_path / "small")
    with HubServer() as hub:
        code = "\n".join(PUSH.format(folder=str(folder)) for folder in (large, small))
        run(hub, tmp_path / "home", code)
        shards = [path for path in hub.files["datasets", "lab/spikes"] if path.endswith(".parquet")]
        assert shards == ["data/train-00000-of-00001.parquet"]


@pytest.mark.slow
def test_a_hub_that_refuses_is_one_line(tmp_path, generated):
    generated[0].save(folder=tmp_path / "recording", progress_bar=False, verbose=False)
    script, folder = Path(__file__).parents[2] / "scripts" / "spikes_from_recording.py", str(tmp_path / "spikes")
    options = ["--recording", str(tmp_path / "recording"), "--output", folder, "--push", "lab/spikes", "--quiet"]
    with HubServer() as hub:
        hub.writers.clear()
        code, said = json.loads(run(hub, tmp_path / "home", SCRIPT.format(script=str(script), options=options)))
    assert code == 1 and (tmp_path / "spikes" / "README.md").is_file()
    assert said[-1].startswith(f"error: the hub did not take the dataset in {folder}: 403 Forbidden: ")
    assert not any("Traceback" in line for line in said)


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(ValueError, match="README.md, dataset_infos.json is missing"):
        push_dataset(tmp_path, "lab/spikes")
