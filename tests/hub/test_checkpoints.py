import hashlib
import shutil
import subprocess
import sys

import pytest

import huidurep_hf
from huidurep_hf import install_checkpoints, list_checkpoints
from huidurep_hf.hub import checkpoints
from huidurep_hf.hub.checkpoints import checkpoint_path, resolve_checkpoint

from ..hub_server import HubServer
from .hub_process import run_with_hub


def run_fresh(code, **environment):
    """Run code in a new process, with a Hugging Face home of its own and no network."""
    import os

    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


NAMES = ("base", "paper")


@pytest.mark.parametrize("name", NAMES)
def test_it_ships(name):
    folder = list_checkpoints()[f"huidurep/{name}"]
    assert checkpoint_path(name) == folder
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"} <= names
    # Code in it would grow old; installing and publishing add it.
    assert not list(folder.glob("*.py"))
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 12e6


def test_unknown_name_lists_what_there_is():
    with pytest.raises(ValueError, match="huidurep/base"):
        checkpoint_path("bas")


def test_these_ship_and_no_others():
    assert list(list_checkpoints()) == [f"huidurep/{name}" for name in NAMES]


def test_paper_is_the_published_architecture():
    config = huidurep_hf.HuiduRepConfig.from_pretrained(checkpoint_path("paper")).to_dict()
    published = huidurep_hf.HuiduRepConfig.paper(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).to_dict()
    of_saving = {"architectures", "dtype", "transformers_version", "_name_or_path"}
    differing = {name for name in published if config.get(name) != published[name]}
    assert differing <= of_saving


@pytest.mark.slow
def test_automodel_by_name_once_installed(tmp_path):
    code = (
        "import huidurep_hf, numpy as np\n"
        "from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor, pipeline\n"
        f"names = {[f'huidurep/{name}' for name in NAMES]}\n"
        "for name in names:\n"
        "    try: AutoConfig.from_pretrained(name)\n"
        "    except OSError: print('absent')\n"
        "huidurep_hf.install_checkpoints()\n"
        "for name in names:\n"
        "    model = AutoModel.from_pretrained(name)\n"
        "    extractor = AutoFeatureExtractor.from_pretrained(name)\n"
        "    print(type(model).__name__, extractor.window_size == model.config.window_size)\n"
        "    print(type(AutoProcessor.from_pretrained(name)) is type(extractor))\n"
        "    embed = pipeline('spike-embedding', model=name)\n"
        "    spikes = np.random.default_rng(0).normal(size=(3, 60, 4))\n"
        "    tetrode = [[0, 0], [25, 0], [0, 25], [25, 25]]\n"
        "    print(*np.shape(embed(spikes, sampling_rate=20000, channel_positions=tetrode)))"
    )
    run = run_fresh(code, HF_HOME=str(tmp_path))
    said = [*(["absent"] * len(NAMES)), *(["HuiduRepModel", "True", "True", "3", "32"] * len(NAMES))]
    assert run.stdout.split() == said, run.stderr
    assert "MISSING" not in run.stderr
    assert "UNEXPECTED" not in run.stderr


def test_installing_twice_and_in_place_of_older_weights(tmp_path, caplog):
    """After an upgrade the newest shipped weights are in use, and the log says what they replace."""
    caplog.set_level("INFO", logger="huidurep_hf")
    first = install_checkpoints(tmp_path)
    assert install_checkpoints(tmp_path) == first
    assert "in place of" not in caplog.text
    weights = hashlib.sha256((first["huidurep/base"] / "model.safetensors").read_bytes()).hexdigest()
    assert first["huidurep/base"].name.startswith(weights[:12]) and f"weights {weights[:12]}" in caplog.text
    reference = tmp_path / "models--huidurep--base" / "refs" / "main"
    reference.write_text("a" * 40)
    assert install_checkpoints(tmp_path) == first
    assert reference.read_text() == first["huidurep/base"].name
    assert f"in place of revision {'a' * 40}" in caplog.text


@pytest.mark.slow
def test_installed_once_no_network_is_needed(tmp_path):
    """Neither where the Hub is not reached, nor where it has no such repository."""
    code = (
        "import huidurep_hf, json, time\n"
        "import transformers\n"
        "huidurep_hf.install_checkpoints()\n"
        "started = time.monotonic()\n"
        "name = 'huidurep/base'\n"
        "loaded = [getattr(transformers, auto).from_pretrained(name) for auto in AUTO_CLASSES]\n"
        "loaded += [transformers.pipeline(task, model=name) for task in ('spike-embedding', 'spike-sorting')]\n"
        "loaded += [huidurep_hf.SpikeSorter.from_pretrained(name)]\n"
        "print(json.dumps([time.monotonic() - started, [type(thing).__name__ for thing in loaded]]))"
    )
    autos = ["AutoConfig", "AutoModel", "AutoFeatureExtractor"]
    unreached = f"AUTO_CLASSES = {[*autos, 'AutoProcessor']}\n"
    # `AutoProcessor`, and adapters where `peft` is installed, are asked of a repository that can be asked.
    reached = f"import sys; sys.modules['peft'] = None\nAUTO_CLASSES = {autos}\n"
    with HubServer() as hub:
        for url, before in (("http://127.0.0.1:9", unreached), (hub.url, reached)):
            seconds, names = run_with_hub(url, tmp_path / "home", before + code)
            assert names[1:3] == ["HuiduRepModel", "HuiduRepFeatureExtractor"]
            assert names[3:-3] == ["HuiduRepFeatureExtractor"] * (before == unreached)
            assert seconds < 20


@pytest.mark.parametrize("name", NAMES)
def test_our_classes_take_the_shipped_weights(name, tmp_path, caplog):
    """Whatever the cache holds, without the network; the log says which weights these are."""
    caplog.set_level("INFO", logger="huidurep_hf")
    older = install_checkpoints(tmp_path)[f"huidurep/{name}"]
    (older / "model.safetensors").write_bytes(b"older")
    model = huidurep_hf.HuiduRepModel.from_pretrained(f"huidurep/{name}", cache_dir=tmp_path)
    assert model.config.model_type == "huidurep"
    weights = hashlib.sha256((checkpoint_path(name) / "model.safetensors").read_bytes()).hexdigest()
    assert f"ships with huidurep_hf, weights {weights[:12]}" in caplog.text


def test_a_local_folder_of_that_name_wins(tmp_path, monkeypatch):
    shutil.copytree(checkpoint_path("paper"), tmp_path / "huidurep" / "base")
    monkeypatch.chdir(tmp_path)
    assert resolve_checkpoint("huidurep/base") == "huidurep/base"


def test_a_revision_is_never_replaced(tmp_path):
    with pytest.raises(OSError, match="its cache holds no 'huidurep/base' of revision 'v1'"):
        huidurep_hf.HuiduRepModel.from_pretrained("huidurep/base", revision="v1", cache_dir=tmp_path)
    installed = install_checkpoints(tmp_path)["huidurep/base"]
    assert resolve_checkpoint("huidurep/base", revision="main", cache_dir=tmp_path) == "huidurep/base"
    huidurep_hf.HuiduRepModel.from_pretrained("huidurep/base", revision=installed.name, cache_dir=tmp_path)


def test_other_names_are_left_alone(tiny_checkpoint, tmp_path):
    assert resolve_checkpoint(str(tiny_checkpoint)) == str(tiny_checkpoint)
    with pytest.raises(OSError, match="someone/else"):
        resolve_checkpoint("someone/else", cache_dir=tmp_path)
    assert resolve_checkpoint(None) is None


def test_a_killed_install_leaves_nothing_visible(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        install_checkpoints(tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not list(tmp_path.rglob("main"))


def test_import_is_light():
    code = (
        "import sys, huidurep_hf\n"
        "print([name for name in ('spikeinterface', 'sklearn', 'hdbscan', 'datasets', 'matplotlib') "
        "if name in sys.modules])"
    )
    assert run_fresh(code).stdout.strip() == "[]"
