"""Models and datasets go to a hub on localhost and come back: empty cache, no server, offline, without our package."""

import pytest
from huggingface_hub import ModelCard

from huidurep_hf.spike_dataset.writing import write_spikes

from ..bare_environment import make_bare_environment
from ..hub_server import HubServer
from ..hub_store import Repository
from .hub_process import run_with_hub

pytestmark = pytest.mark.slow

PUSH = """
import json, torch
from datasets import load_dataset
from huggingface_hub import HfApi
from huidurep_hf import HuiduRepFeatureExtractor, HuiduRepForPreTraining, HuiduRepModel
from huidurep_hf.embedding.dataset_column import embed_dataset
from huidurep_hf.spike_dataset.hub import push_dataset
api = HfApi()
head = HuiduRepForPreTraining.from_pretrained({checkpoint!r})
head.push_to_hub("lab/tiny", commit_message="First weights")
api.create_tag("lab/tiny", tag="v1")
api.create_branch("lab/tiny", branch="trial", revision="v1")
model = HuiduRepModel.from_pretrained({checkpoint!r})
with torch.no_grad():
    model.backbone.embedding.bias.add_(1.0)
model.save_pretrained("local/tiny2", push_to_hub=True, repo_id="lab/tiny", commit_message="Other weights")
HuiduRepModel.from_pretrained("huidurep/base").push_to_hub("lab/tuned", revision="trial", tags=["mine"])
push_dataset({spikes!r}, "lab/spikes")
spikes = load_dataset("lab/spikes", split="train")
embedded = embed_dataset(spikes, model, HuiduRepFeatureExtractor.from_pretrained({checkpoint!r}))
embedded.push_to_hub("lab/embedded")
try:
    HuiduRepModel.from_pretrained({checkpoint!r}).push_to_hub("lab/theirs", token="hf_reader")
except Exception as error:
    refused = [type(error).__name__, str(error)]
print(json.dumps(refused))
"""

LOAD = """
import json, logging, sys
import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForPreTraining, pipeline
{prepare}
trust = {trust}
extractor = AutoFeatureExtractor.from_pretrained("lab/tiny", **trust)
model, head = (auto.from_pretrained("lab/tiny", **trust) for auto in (AutoModel, AutoModelForPreTraining))
first = AutoModel.from_pretrained("lab/tiny", revision="v1", **trust)
trial = AutoModel.from_pretrained("lab/tiny", revision="trial", **trust)
waveforms = torch.linspace(-9, 9, 72 * 4).reshape(1, 72, 4)
features = extractor(waveforms, sampling_rate=30000, peak_sample=24)
with torch.no_grad():
    told = [m(**features).embeddings[0].tolist() for m in (model, first, trial)]
embed = pipeline("spike-embedding", model="lab/tiny", **trust)
told.append(embed(waveforms.numpy(), sampling_rate=30000, peak_sample=24)[0].tolist())
told.append(type(model).__module__.split(".")[0])
{more}
print(json.dumps(told))
"""
READ_SPIKES = """
from datasets import load_dataset
spikes = load_dataset("lab/spikes", split="train")
told += [spikes["unit_id"][:], next(iter(embed(spikes))).tolist()]
embedded = load_dataset("lab/embedded", split="train").with_format("torch")
told += [embedded[0]["embedding"].tolist()]
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory, tiny_checkpoint, light_spikes):
    """The server with a model of three revisions and a dataset, pushed by the real client."""
    folder = write_spikes(light_spikes, tmp_path_factory.mktemp("light") / "spikes")
    with HubServer() as server:
        code = PUSH.format(checkpoint=str(tiny_checkpoint), spikes=str(folder))
        server.refused = run_with_hub(server.url, tmp_path_factory.mktemp("pusher"), code)
        yield server


def test_what_was_pushed_is_a_whole_repository(hub, tiny_checkpoint):
    files = hub.files["models", "lab/tiny"]
    assert set(files) == {path.name for path in tiny_checkpoint.iterdir()} | {".gitattributes"} & set(files)
    assert files["modeling_huidurep.py"] and files["preprocessor_config.json"]
    card = ModelCard(files["README.md"].decode())
    assert card.data.library_name == "transformers" and "spike-sorting" in card.data.tags
    repository = hub.repositories["models", "lab/tiny"]
    assert set(repository.branches) == {"main", "trial"} and set(repository.tags) == {"v1"}


def test_what_was_made_from_other_weights_says_so(hub):
    """In the one commit, on the branch that was asked for."""
    repository = hub.repositories["models", "lab/tuned"]
    assert set(repository.branches) == {"main", "trial"}
    files = repository.commits[repository.branches["trial"]]
    card = ModelCard(files["README.md"].decode())
    assert (card.data.license, card.data.base_model) == ("apache-2.0", "huidurep/base")
    assert {"spike-sorting", "mine"} <= set(card.data.tags) and "More Information Needed" not in card.content


def test_who_may_not_write_is_told_so(hub):
    assert hub.refused[0] == "HfHubHTTPError" and "403 Forbidden" in hub.refused[1]
    assert ("models", "lab/theirs") not in hub.repositories


def test_loaded_with_an_empty_cache_then_without_a_server_then_offline(hub, tmp_path, light_spikes):
    code = LOAD.format(prepare="import huidurep_hf", trust={}, more=READ_SPIKES)
    told = run_with_hub(hub.url, tmp_path / "home", code)
    main, first, trial, embedded, package, unit_ids, of_row, in_column = told
    assert main == pytest.approx([value + 1 for value in first], abs=1e-4) and trial == first
    assert embedded == pytest.approx(main, abs=1e-5)
    assert (package, unit_ids) == ("huidurep_hf", light_spikes["unit_id"][:])
    assert in_column == pytest.approx(of_row, abs=1e-4)
    nobody = "http://127.0.0.1:9"
    # Without the dataset, whose client tries for a minute before it turns to its cache.
    of_models = LOAD.format(prepare="import huidurep_hf", trust={}, more="")
    assert run_with_hub(nobody, tmp_path / "home", of_models) == told[:5]
    assert run_with_hub(nobody, tmp_path / "home", code, HF_HUB_OFFLINE="1") == told


def test_loaded_without_our_package_and_again_offline(hub, tmp_path):
    python = make_bare_environment(tmp_path / "bare")
    code = LOAD.format(prepare="", trust={"trust_remote_code": True}, more="")
    told = run_with_hub(hub.url, tmp_path / "home", code, python, PYTHONPATH="")
    assert told[0] == pytest.approx([value + 1 for value in told[1]], abs=1e-4)
    assert told[4] == "transformers_modules"
    again = run_with_hub("http://127.0.0.1:9", tmp_path / "home", code, python, PYTHONPATH="", HF_HUB_OFFLINE="1")
    assert again == told


BY_TAG = """
import huidurep_hf, json
import numpy as np
from transformers import pipeline
embed = pipeline(model="lab/tiny")
embedding = embed(np.zeros((72, 4)), sampling_rate=30000, peak_sample=24)
print(json.dumps([embed.task, type(embed).__name__, list(embedding.shape)]))
"""


def test_the_tag_of_the_card_is_the_task_of_the_pipeline(tiny_checkpoint, tmp_path):
    repository = Repository()
    repository.add("main", {path.name: path.read_bytes() for path in tiny_checkpoint.iterdir()}, set(), b"first")
    with HubServer() as hub:
        hub.repositories["models", "lab/tiny"] = repository
        told = run_with_hub(hub.url, tmp_path / "home", BY_TAG)
    assert told == ["spike-embedding", "SpikeEmbeddingPipeline", [32]]
