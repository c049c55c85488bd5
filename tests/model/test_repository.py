"""A saved folder is a whole repository: it works where `huidurep_hf` is not installed."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForPreTraining

from huidurep_hf import (
    HuiduRepConfig,
    HuiduRepFeatureExtractor,
    HuiduRepForPreTraining,
    HuiduRepModel,
    checkpoint_path,
    install_checkpoints,
)

from ..bare_environment import make_bare_environment, run_bare

WITHOUT_US = """
import importlib.util, json, os, sys
assert importlib.util.find_spec("huidurep_hf") is None
import numpy as np, torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForPreTraining, pipeline
folder, trust = "published", {"trust_remote_code": True}
told = {}
try:
    AutoModel.from_pretrained(folder, trust_remote_code=False)
except ValueError as error:
    told["without trust"] = str(error)
config = AutoConfig.from_pretrained(folder, **trust)
extractor = AutoFeatureExtractor.from_pretrained(folder, **trust)
model = AutoModel.from_pretrained(folder, **trust)
head = AutoModelForPreTraining.from_pretrained(folder, **trust)
waveforms = np.load("waveforms.npy")
features = extractor(waveforms, sampling_rate=30000, peak_sample=24)
with torch.no_grad():
    told["embeddings"] = model(**features).embeddings.tolist()
    told["head"] = head(**features).embeddings.tolist()
embed = pipeline("spike-embedding", model=folder, **trust)
told["pipeline"] = embed(waveforms, sampling_rate=30000, peak_sample=24).tolist()
try:
    pipeline("spike-sorting", model=folder, **trust)("recording")
except ImportError as error:
    told["sorting"] = str(error)
model.save_pretrained("again")
extractor.save_pretrained("again")
again = AutoModel.from_pretrained("again", **trust)
with torch.no_grad():
    told["again"] = again(**features).embeddings.tolist()
base = AutoModel.from_pretrained("huidurep/base", **trust)
told["installed"] = [base.num_parameters(), AutoFeatureExtractor.from_pretrained("huidurep/base", **trust).window_size]
told["saved"] = sorted(os.listdir("again"))
told["named"] = json.load(open("again/config.json"))
head.save_pretrained("head")
told["head again"] = type(AutoModelForPreTraining.from_pretrained("head", **trust)).__name__
told["pipeline again"] = pipeline("spike-embedding", model="again", **trust)(
    waveforms, sampling_rate=30000, peak_sample=24
).tolist()
told["modules"] = [type(thing).__module__ for thing in (config, extractor, model, head)]
told["ours"] = [name for name in sys.modules if name.startswith("huidurep_hf")]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory, build_tiny):
    folder = tmp_path_factory.mktemp("repository")
    build_tiny(HuiduRepForPreTraining).save_pretrained(folder / "published")
    return folder


def test_the_folder_is_complete(published):
    names = {path.name for path in (published / "published").iterdir()}
    code = {
        "card_huidurep.py",
        "channel_tokens_huidurep.py",
        "checkpoint_huidurep.py",
        "configuration_huidurep.py",
        "embedding_pipeline_huidurep.py",
        "feature_extraction_huidurep.py",
        "integrity_huidurep.py",
        "layers_huidurep.py",
        "losses_huidurep.py",
        "modeling_huidurep.py",
        "pretraining_huidurep.py",
        "repository_huidurep.py",
        "resolving_huidurep.py",
        "sorting_pipeline_huidurep.py",
        "spike_rows_huidurep.py",
        "time_tokens_huidurep.py",
    }
    assert names == code | {"config.json", "preprocessor_config.json", "model.safetensors", "README.md"}
    config = json.loads((published / "published" / "config.json").read_text())
    assert set(config["auto_map"]) == {"AutoConfig", "AutoModel", "AutoModelForPreTraining"}
    assert set(config["custom_pipelines"]) == {"spike-embedding", "spike-sorting"}
    extractor = json.loads((published / "published" / "preprocessor_config.json").read_text())
    assert extractor["auto_map"] == {"AutoFeatureExtractor": "feature_extraction_huidurep.HuiduRepFeatureExtractor"}
    assert load_file(published / "published" / "model.safetensors")


@pytest.mark.slow
def test_it_works_without_our_package(published, tmp_path):
    waveforms = np.random.default_rng(0).normal(0, 3, size=(5, 72, 4))
    np.save(published / "waveforms.npy", waveforms)
    # Somebody who has our package has put its checkpoints into the cache that both share.
    install_checkpoints(published / "home" / "hub")
    done = run_bare(make_bare_environment(tmp_path / "bare"), WITHOUT_US, published)
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    features = HuiduRepFeatureExtractor()(waveforms, sampling_rate=30000, peak_sample=24)
    with torch.no_grad():
        expected = HuiduRepModel.from_pretrained(published / "published")(**features).embeddings.numpy()
    # What is saved there is a whole repository again.
    assert set(told["saved"]) == {path.name for path in (published / "published").iterdir()}
    assert set(told["named"]["auto_map"]) == {"AutoConfig", "AutoModel", "AutoModelForPreTraining"}
    assert set(told["named"]["custom_pipelines"]) == {"spike-embedding", "spike-sorting"}
    assert told["head again"] == "HuiduRepForPreTraining"
    for name in ("embeddings", "head", "pipeline", "again", "pipeline again"):
        assert np.allclose(told[name], expected, atol=1e-5), name
    assert told["installed"] == [HuiduRepModel.from_pretrained(checkpoint_path("base")).num_parameters(), 72]
    assert "trust_remote_code=True" in told["without trust"]
    assert "pip install 'huidurep-hf[sorting]'" in told["sorting"]
    assert all(name.startswith("transformers_modules.") for name in told["modules"]) and told["ours"] == []
    assert "MISSING" not in done.stderr and "UNEXPECTED" not in done.stderr and "newly initialized" not in done.stderr


def test_with_our_package_our_code_is_used_and_nobody_asks_for_trust(published):
    folder = published / "published"
    assert type(AutoConfig.from_pretrained(folder)) is HuiduRepConfig
    assert type(AutoModel.from_pretrained(folder)) is HuiduRepModel
    assert type(AutoModelForPreTraining.from_pretrained(folder, trust_remote_code=True)) is HuiduRepForPreTraining
    assert type(AutoFeatureExtractor.from_pretrained(folder)) is HuiduRepFeatureExtractor
    config = HuiduRepConfig.from_pretrained(folder)
    assert not hasattr(config, "auto_map") and not hasattr(config, "custom_pipelines")


def test_saving_what_was_loaded_stays_complete(published, tmp_path):
    model = AutoModel.from_pretrained(published / "published")
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {p.name for p in (published / "published").iterdir()}
    assert (tmp_path / "config.json").read_text().count("modeling_huidurep.HuiduRepModel") == 1


def test_what_a_folder_has_of_its_own_is_kept(tmp_path, build_tiny):
    HuiduRepFeatureExtractor(num_channels=5).save_pretrained(tmp_path)
    (tmp_path / "README.md").write_text("mine")
    build_tiny(HuiduRepModel).save_pretrained(tmp_path)
    assert HuiduRepFeatureExtractor.from_pretrained(tmp_path).num_channels == 5
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_model_and_a_pretraining_head_are_loaded_in_silence(published, tmp_path, caplog, capfd):
    model = HuiduRepModel.from_pretrained(published / "published")
    model.save_pretrained(tmp_path)
    again = HuiduRepModel.from_pretrained(tmp_path)
    HuiduRepForPreTraining.from_pretrained(published / "published")
    assert "MISSING" not in capfd.readouterr().err and "MISSING" not in caplog.text
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))
