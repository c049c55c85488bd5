"""A repository of a stranger cannot run code, fill memory or read files outside its folder."""

import json
import shutil

import pytest
import torch
import transformers
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor, pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from huidurep_hf import HuiduRepConfig, HuiduRepFeatureExtractor, HuiduRepForPreTraining, HuiduRepModel


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    return shutil.copytree(tiny_checkpoint, tmp_path / "stranger")


def change(folder, name="config.json", **values):
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    "overrides",
    [{}, {"objective": "prototypes"}, {"norm_first": False, "num_decoder_layers": 0, "pooling": "attention"}],
)
@pytest.mark.parametrize("encoder_type", ["channel", "time"])
def test_parameters_are_counted_without_building(encoder_type, overrides):
    config = HuiduRepConfig(encoder_type=encoder_type, **overrides)
    with torch.device("meta"):
        model = HuiduRepForPreTraining(config)
    assert config.count_parameters() == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 128}, "parameters"),
        ({"hidden_size": 2**40}, "hidden_size"),
        ({"intermediate_size": 2**40}, "intermediate_size"),
        ({"sampling_rate": 1e-6}, "exceeds"),
        ({"sampling_rate": float("nan")}, "sampling_rate"),
        ({"position_scale_um": float("inf")}, "position_scale_um"),
        ({"hidden_act": "os.system"}, "hidden_act"),
        ({"num_hidden_layers": "128"}, "num_hidden_layers"),
    ],
)
def test_absurd_sizes_are_refused_before_allocation(folder, values, message):
    change(folder, **values)
    for load in (AutoConfig.from_pretrained, AutoModel.from_pretrained, HuiduRepModel.from_pretrained):
        with pytest.raises(Exception, match=message):
            load(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_size": 2**40}, "window_size"),
        ({"window_size": "72"}, "window_size"),
        ({"num_channels": 10**9, "pad_channels": True}, "num_channels"),
        ({"sampling_rate": 1e-6}, "longer than"),
        ({"sampling_rate": None}, "sampling_rate"),
        ({"peak_sample": -1}, "peak_sample"),
    ],
)
def test_absurd_windows_are_refused(folder, values, message):
    change(folder, "preprocessor_config.json", **values)
    for load in (AutoFeatureExtractor.from_pretrained, HuiduRepFeatureExtractor.from_pretrained):
        with pytest.raises(ValueError, match=message):
            load(folder)


def test_pickled_weights_are_never_opened(folder):
    state = HuiduRepModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    for load in (AutoModel.from_pretrained, HuiduRepModel.from_pretrained):
        with pytest.raises(OSError, match="safetensors"):
            load(folder)
        with pytest.raises(ValueError, match="safetensors alone"):
            load(folder, use_safetensors=False)
    change(folder, transformers_weights="pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        AutoModel.from_pretrained(folder)


def test_no_file_outside_the_folder_is_read(folder, tmp_path):
    shutil.move(folder / "model.safetensors", tmp_path / "secret.safetensors")
    weight_map = {name: "../secret.safetensors" for name in HuiduRepModel(HuiduRepConfig()).state_dict()}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for load in (AutoModel.from_pretrained, HuiduRepModel.from_pretrained):
        with pytest.raises(ValueError, match="does not lie beside it"):
            load(folder)
    (folder / "model.safetensors.index.json").unlink()
    change(folder, transformers_weights="../secret.safetensors")
    with pytest.raises(OSError, match="safetensors"):
        AutoModel.from_pretrained(folder)


def test_a_repository_cannot_choose_code(folder, tmp_path):
    """Neither its own files, which the installed classes stand for, nor attention code from elsewhere."""
    evil = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    for path in folder.glob("*.py"):
        path.write_text(evil + path.read_text())
    change(folder, attn_implementation="stranger/kernels", experts_implementation="stranger/kernels")
    model = AutoModel.from_pretrained(folder)
    AutoFeatureExtractor.from_pretrained(folder)
    assert type(model) is HuiduRepModel and model.config._attn_implementation == "sdpa"
    change(folder, model_type="unheard_of")
    change(folder, "preprocessor_config.json", feature_extractor_type="UnheardOf")
    for load in (AutoModel.from_pretrained, AutoConfig.from_pretrained, AutoFeatureExtractor.from_pretrained):
        with pytest.raises(ValueError, match="trust_remote_code"):
            load(folder, trust_remote_code=False)
    assert not (tmp_path / "ran").exists()


def list_auto_classes():
    """Every Auto class of transformers that loads something and whose needs are installed."""
    found = []
    for name in dir(transformers):
        try:
            if name.startswith("Auto") and hasattr(getattr(transformers, name), "from_pretrained"):
                found.append(name)
        except ImportError:
            continue
    return found


def plant_code(folder, tmp_path, **values):
    """Name code in every JSON file that transformers reads, for every Auto class and every task."""
    evil = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    (folder / "evil.py").write_text(evil)
    for path in folder.glob("*_huidurep.py"):
        path.write_text(evil + path.read_text())
    auto_map = {**dict.fromkeys(list_auto_classes(), "evil.Evil"), "AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    tasks = {task: {"impl": "evil.Evil", "pt": ["AutoModel"]} for task in PIPELINE_REGISTRY.get_supported_tasks()}
    change(folder, custom_pipelines=tasks)
    for name in ("config", "preprocessor_config", "processor_config", "tokenizer_config", "video_preprocessor_config"):
        path = folder / f"{name}.json"
        if not path.exists():
            path.write_text("{}")
        change(folder, path.name, auto_map=auto_map, **values)


@pytest.mark.parametrize(
    "values", [{}, {"processor_class": "Evil"}, {"processor_class": "CLIPProcessor", "tokenizer_class": "Evil"}]
)
def test_no_auto_class_and_no_pipeline_runs_planted_code(folder, tmp_path, values):
    plant_code(folder, tmp_path, **values)
    loads = {name: getattr(transformers, name).from_pretrained for name in list_auto_classes()}
    assert len(loads) > 40
    loaded = {}
    for name, load in loads.items():
        # What no class of ours stands for is refused: transformers asks, and nobody answers.
        try:
            loaded[name] = type(load(folder))
        except (ValueError, OSError, KeyError, ImportError, AttributeError, TypeError, RecursionError):
            continue
        finally:
            assert not (tmp_path / "ran").exists(), name
    ours = {"AutoConfig", "AutoModel", "AutoModelForPreTraining", "AutoFeatureExtractor"}
    assert all(loaded[name].__module__.startswith("huidurep_hf.model.") for name in ours)
    for task in PIPELINE_REGISTRY.get_supported_tasks():
        try:
            loaded[task] = type(pipeline(task, model=str(folder)))
        except (ValueError, OSError, KeyError, ImportError, AttributeError, TypeError):
            continue
        finally:
            assert not (tmp_path / "ran").exists(), task
    assert all(loaded[task].__module__.startswith("huidurep_hf.") for task in ("spike-embedding", "spike-sorting"))


def test_a_genuine_repository_is_loaded_without_a_question(folder, capsys):
    """With the package imported, transformers has no reason to ask whether to run the repository's code."""
    loaded = [auto.from_pretrained(folder) for auto in (AutoConfig, AutoModel, AutoFeatureExtractor, AutoProcessor)]
    loaded += [pipeline(task, model=str(folder)) for task in ("spike-embedding", "spike-sorting")]
    assert all(type(thing).__module__.startswith("huidurep_hf.model.") for thing in loaded)
    assert type(loaded[3]) is HuiduRepFeatureExtractor
    assert "custom code" not in capsys.readouterr().out
