import subprocess
import sys

import pytest

import huidurep_hf
from huidurep_hf import checkpoints, install_checkpoints, list_checkpoints
from huidurep_hf.checkpoints import checkpoint_path, resolve_checkpoint


def run_fresh(code, **environment):
    """Run code in a new process, with a Hugging Face home of its own and no network."""
    import os

    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


def test_base_ships():
    folder = list_checkpoints()["huidurep/base"]
    assert checkpoint_path("base") == folder
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"} <= names
    # Code in it would grow old; installing and publishing add it.
    assert not list(folder.glob("*.py"))
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 12e6


def test_unknown_name_lists_what_there_is():
    with pytest.raises(ValueError, match="huidurep/base"):
        checkpoint_path("bas")


def test_automodel_by_name_once_installed(tmp_path):
    code = (
        "import huidurep_hf; from transformers import AutoConfig, AutoFeatureExtractor, AutoModel\n"
        "try: AutoConfig.from_pretrained('huidurep/base')\n"
        "except OSError: print('absent')\n"
        "huidurep_hf.install_checkpoints()\n"
        "model = AutoModel.from_pretrained('huidurep/base')\n"
        "extractor = AutoFeatureExtractor.from_pretrained('huidurep/base')\n"
        "print(type(model).__name__, extractor.window_size == model.config.window_size)"
    )
    run = run_fresh(code, HF_HOME=str(tmp_path))
    assert run.stdout.split() == ["absent", "HuiduRepModel", "True"], run.stderr
    assert "MISSING" not in run.stderr
    assert "UNEXPECTED" not in run.stderr


def test_installing_twice_and_beside_a_hub_copy(tmp_path):
    first = install_checkpoints(tmp_path)
    assert install_checkpoints(tmp_path) == first
    reference = tmp_path / "models--huidurep--base" / "refs" / "main"
    reference.write_text("a" * 40)
    assert install_checkpoints(tmp_path)["huidurep/base"].name == "a" * 40


def test_our_classes_fall_back_to_the_shipped_folder(tmp_path, caplog):
    caplog.set_level("INFO", logger="huidurep_hf")
    model = huidurep_hf.HuiduRepModel.from_pretrained("huidurep/base", cache_dir=tmp_path)
    assert model.config.model_type == "huidurep"
    assert "using the checkpoint shipped" in caplog.text


def test_the_cache_wins_over_the_shipped_folder(tmp_path, caplog):
    caplog.set_level("INFO", logger="huidurep_hf")
    installed = install_checkpoints(tmp_path)["huidurep/base"]
    assert resolve_checkpoint("huidurep/base", cache_dir=tmp_path) == str(installed)
    assert "using the copy in the Hub's cache" in caplog.text


def test_a_local_folder_of_that_name_wins(tmp_path, monkeypatch):
    (tmp_path / "huidurep" / "base").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve_checkpoint("huidurep/base") == "huidurep/base"


def test_a_revision_is_never_replaced(tmp_path):
    assert resolve_checkpoint("huidurep/base", revision="v1", cache_dir=tmp_path) == "huidurep/base"
    with pytest.raises(OSError):
        huidurep_hf.HuiduRepModel.from_pretrained("huidurep/base", revision="v1", cache_dir=tmp_path)


def test_other_names_are_left_alone(tiny_checkpoint):
    assert resolve_checkpoint(str(tiny_checkpoint)) == str(tiny_checkpoint)
    assert resolve_checkpoint("someone/else") == "someone/else"


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
