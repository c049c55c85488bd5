"""What goes wrong between a hub and us: the client's own errors, and never a model of half its weights."""

import copy

import pytest

from ..hub_server import HubServer
from .hub_process import run_with_hub

pytestmark = pytest.mark.slow

ERRORS = """
import json, os
from pathlib import Path
from huggingface_hub import constants, errors, snapshot_download
from transformers import AutoFeatureExtractor, AutoModel
import huidurep_hf
told = {}

def note(name, load):
    try:
        told[name] = ["loaded", type(load()).__name__]
    except Exception as error:
        chain = []
        while error is not None:
            chain.append(error)
            error = error.__cause__ or error.__context__
        names = [type(e).__name__ for e in chain]
        told[name] = [*names, " ".join(str(e) for e in chain)]

note("cut", lambda: AutoModel.from_pretrained("lab/cut"))
note("always cut", lambda: AutoModel.from_pretrained("lab/always_cut"))
note("flip of a tag", lambda: AutoModel.from_pretrained("lab/flip", revision="v1"))
note("flip of a tag again", lambda: huidurep_hf.HuiduRepModel.from_pretrained("lab/flip", revision="v1"))
note("flip", lambda: AutoModel.from_pretrained("lab/flip"))
note("flip again", lambda: huidurep_hf.HuiduRepModel.from_pretrained("lab/flip"))
note("no weights", lambda: AutoModel.from_pretrained("lab/no_weights"))
note("no config", lambda: AutoModel.from_pretrained("lab/no_config"))
note("no extractor", lambda: AutoFeatureExtractor.from_pretrained("lab/no_extractor"))
note("private", lambda: AutoModel.from_pretrained("lab/private", token=False))
note("private with token", lambda: AutoModel.from_pretrained("lab/private"))
note("gated", lambda: AutoModel.from_pretrained("lab/gated", token="hf_reader"))
note("no revision", lambda: AutoModel.from_pretrained("lab/whole", revision="v9"))
note("no repository", lambda: AutoModel.from_pretrained("lab/unheard-of"))
cache = Path(constants.HF_HUB_CACHE)
told["weights"] = sorted({p.parts[-4] for p in cache.glob("models--*/snapshots/*/model.safetensors")})
ours = huidurep_hf.HuiduRepModel.from_pretrained
note("gated by a shipped name", lambda: ours("huidurep/base", revision="main", token="hf_reader"))
note("shipped, whatever the hub has", lambda: ours("huidurep/base", token="hf_reader"))
note("ours: a typo", lambda: ours("huidurep/bas"))
note("ours: no revision", lambda: ours("lab/whole", revision="v9"))
note("ours: private", lambda: ours("lab/private", token=False, cache_dir="empty"))
note("ours: broken weights", lambda: ours("lab/empty"))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory, tiny_checkpoint):
    """What the client said of each repository, by its trouble."""
    from ..hub_store import Repository

    files = {path.name: path.read_bytes() for path in tiny_checkpoint.iterdir()}
    whole = Repository()
    whole.add("main", files, set(), b"first")
    names = ("whole", "cut", "always_cut", "flip", "no_weights", "no_config", "no_extractor", "private", "gated")
    with HubServer() as hub:
        for name in names:
            hub.repositories["models", f"lab/{name}"] = copy.deepcopy(whole)
        flipped = hub.repositories["models", "lab/flip"]
        flipped.tags["v1"] = flipped.branches["main"]
        flipped.add("main", {"README.md": b"later"}, set(), b"later")
        hub.repositories["models", "lab/whole"].tags["v1"] = hub.repositories["models", "lab/whole"].branches["main"]
        hub.repositories["models", "lab/empty"] = copy.deepcopy(whole)
        hub.repositories["models", "lab/empty"].add("main", {"model.safetensors": b""}, set(), b"second")
        lacking = {
            "no_weights": "model.safetensors",
            "no_config": "config.json",
            "no_extractor": "preprocessor_config.json",
        }
        for name, path in lacking.items():
            hub.repositories["models", f"lab/{name}"].add("main", {}, {path}, b"second")
        for name in ("private", "gated"):
            hub.repositories["models", f"lab/{name}"].access = name
        hub.repositories["models", "huidurep/base"] = hub.repositories["models", "lab/gated"]
        weights = "model.safetensors"
        hub.faults = {
            ("lab/cut", weights): "cut",
            ("lab/always_cut", weights): "always cut",
            ("lab/flip", weights): "flip",
        }
        # Otherwise transformers asks a service of the real hub to convert what it does not find.
        environment = {"HF_HUB_DOWNLOAD_TIMEOUT": "5", "DISABLE_SAFETENSORS_CONVERSION": "1"}
        yield run_with_hub(hub.url, tmp_path_factory.mktemp("home"), ERRORS, **environment)


def test_a_broken_connection_is_taken_up_again(told):
    assert told["cut"] == ["loaded", "HuiduRepModel"]


def test_a_connection_that_always_breaks_leaves_no_weights(told):
    assert told["always cut"][0] != "loaded"
    assert "models--lab--always_cut" not in told["weights"]


def test_other_content_than_promised_is_refused_each_time(told):
    for attempt in ("flip", "flip again", "flip of a tag", "flip of a tag again"):
        assert told[attempt][0] == "OSError" and "was changed on its way" in told[attempt][-1]
        assert "force_download=True" in told[attempt][-1]


def test_missing_files_are_named(told):
    assert told["no weights"][0] == "OSError" and "model.safetensors" in told["no weights"][-1]
    assert told["no config"][0] in ("OSError", "ValueError") and "config.json" in told["no config"][-1]
    assert "preprocessor_config.json" in told["no extractor"][-1]


def test_who_may_not_read_is_told_so(told):
    assert "RepositoryNotFoundError" in told["private"] and told["private"][0] == "OSError"
    assert told["private with token"] == ["loaded", "HuiduRepModel"]
    assert "GatedRepoError" in told["gated"] and told["gated"][0] == "OSError"
    assert (
        "GatedRepoError" in told["gated by a shipped name"] and "ask for access" in told["gated by a shipped name"][-1]
    )
    assert told["shipped, whatever the hub has"] == ["loaded", "HuiduRepModel"]
    assert told["ours: private"][0] == "OSError" and "needs a token" in told["ours: private"][-1]


def test_unknown_names_are_told(told):
    assert "RevisionNotFoundError" in told["no revision"] and "v9" in told["no revision"][-1]
    assert "RepositoryNotFoundError" in told["no repository"]
    assert told["ours: a typo"][0] == "OSError" and "huidurep/base, huidurep/paper" in told["ours: a typo"][-1]
    assert told["ours: no revision"][0] == "OSError" and "there are: main, v1" in told["ours: no revision"][-1]
    assert told["ours: broken weights"][0] == "WeightsError"


def test_only_whole_weights_are_in_the_cache(told):
    assert told["weights"] == ["models--lab--cut", "models--lab--flip", "models--lab--private"]
