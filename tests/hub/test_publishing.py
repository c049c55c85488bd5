"""`scripts/push_to_hub.py`: nothing leaves without --push, and no weights without their figures."""

import hashlib
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from huidurep_hf import checkpoint_path
from huidurep_hf.hub.publishing import check_publishable, gather_repository

from ..hub_server import HubServer
from .hub_process import run_with_hub

SCRIPT = Path(__file__).parents[2] / "scripts" / "push_to_hub.py"
PUSH = """
import contextlib, io, json, runpy, sys
arguments = ["push_to_hub.py", "--model", "huidurep/base", "--repo", "lab/base", "--tag", "v1"]
said = []
for push in ([], ["--push"]):
    sys.argv = arguments + push
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        runpy.run_path({script!r}, run_name="__main__")
    said.append(printed.getvalue().splitlines())
print(json.dumps(said))
"""
SORT = """
import json, sys
from spikeinterface.core import generate_ground_truth_recording
from transformers import pipeline
sort = pipeline("spike-sorting", model="lab/base", revision="v1", trust_remote_code=True)
assert type(sort).__module__.startswith("transformers_modules.")
recording, _ = generate_ground_truth_recording(durations=[5.0], num_channels=4, num_units=2, seed=0)
sorting = sort({"traces": recording.get_traces(), "sampling_rate": 25000.0, "probe": recording.get_channel_locations()})
print(json.dumps([len(sorting.unit_ids), sorting.get_sampling_frequency()]))
"""


@pytest.fixture
def base(tmp_path):
    return shutil.copytree(checkpoint_path("base"), tmp_path / "base")


@pytest.mark.slow
def test_a_dry_run_says_exactly_what_a_push_uploads(tmp_path):
    with HubServer() as hub:
        dry, pushed = run_with_hub(hub.url, tmp_path / "pusher", PUSH.format(script=str(SCRIPT)))
        uploaded = hub.files["models", "lab/base"]
        units, rate = run_with_hub(hub.url, tmp_path / "user", SORT)
    assert dry[-1] == "Nothing was uploaded; --push does it."
    assert pushed[:-1] == dry[:-1] and pushed[-1].startswith(f"Uploaded: {hub.url}/lab/base/commit/")
    said = {name: (int(size), digest) for size, digest, name in (line.split() for line in dry[:-2])}
    assert {n: (len(c), hashlib.sha256(c).hexdigest()[:16]) for n, c in uploaded.items()} == said
    assert uploaded["model.safetensors"] == (checkpoint_path("base") / "model.safetensors").read_bytes()
    assert units > 0 and rate == 25000.0


def test_nothing_is_asked_of_a_hub_in_a_dry_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["push_to_hub.py", "--model", "huidurep/base"])
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a dry run has no connections"))
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "Nothing was uploaded" in capsys.readouterr().out


def test_what_is_gathered_is_chosen_and_complete(base, tmp_path):
    (base / "optimizer.bin").write_bytes(b"pickle")
    (base / "notes.txt").write_text("private")
    names = {path.name for path in gather_repository(base, tmp_path / "repository")}
    assert {"README.md", "config.json", "model.safetensors", "modeling_huidurep.py", "embedding.png"} <= names
    assert not names & {"optimizer.bin", "notes.txt"}
    with pytest.raises(FileExistsError):
        gather_repository(base, tmp_path / "repository")


def test_weights_without_their_figures_are_refused(base, tiny_checkpoint, tmp_path):
    check_publishable(base)
    with pytest.raises(ValueError, match="no evaluation figures"):
        check_publishable(tiny_checkpoint)
    others = shutil.copytree(tiny_checkpoint, tmp_path / "others")
    for name in ("README.md", "embedding.png", "denoiser.png"):
        shutil.copyfile(base / name, others / name)
    with pytest.raises(ValueError, match="figures of other weights"):
        check_publishable(others)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("embedding.png", "shows embedding.png"),
        ("README.md", "README.md is missing"),
        ("preprocessor_config.json", "preprocessor_config.json is missing"),
        ("model.safetensors", "\\*.safetensors is missing"),
    ],
)
def test_what_is_not_whole_is_refused(base, name, message):
    (base / name).unlink()
    with pytest.raises(ValueError, match=message):
        check_publishable(base)


def test_a_card_without_a_licence_is_refused(base):
    card = ModelCard.load(base / "README.md")
    card.data.license = None
    card.save(base / "README.md")
    with pytest.raises(ValueError, match="no licence"):
        check_publishable(base)
