"""A checkpoint that is not whole, or a name that leads nowhere: one sentence at once, in Python and at the command."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import pipeline

from huidurep_hf import HuiduRepFeatureExtractor, HuiduRepForPreTraining, HuiduRepModel, SpikeSorter
from huidurep_hf.cli.main import main
from huidurep_hf.evaluation.representation.model_figures import EvaluationParameters, evaluate
from huidurep_hf.model.integrity_huidurep import WeightsError

WEIGHT = "huidurep.backbone.localizer.weight"


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    return shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")


def change_weights(change):
    def apply(folder):
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return apply


def change_json(name="config.json", **values):
    def apply(folder):
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return apply


def cut(length):
    def apply(folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:length])

    return apply


def forget_encoder(weights):
    for name in [name for name in weights if ".encoder.layers.1." in name]:
        del weights[name]


BROKEN = {
    "a weight is missing": (change_weights(lambda w: w.pop(WEIGHT)), "lacks the weights .*localizer.weight"),
    "a layer is missing": (change_weights(forget_encoder), "lacks the weights .* and 13 more"),
    "a weight is unknown": (change_weights(lambda w: w.update(more=torch.zeros(2))), "does not know, the weights more"),
    "a weight is NaN": (change_weights(lambda w: w[WEIGHT].fill_(float("nan"))), "localizer.weight .*not finite"),
    "a weight is infinite": (change_weights(lambda w: w[WEIGHT].fill_(float("inf"))), "localizer.weight .*not finite"),
    "a weight is misshapen": (
        change_weights(lambda w: w.update({WEIGHT: w[WEIGHT][:1].clone()})),
        r"another shape .*\(1, 16\), not \(2, 16\)",
    ),
    "weights are truncated": (cut(-1000), "weights of .* are broken"),
    "weights end in the header": (cut(1000), "weights of .* are broken"),
    "weights are empty": (cut(0), "weights of .* are broken"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no file named model.safetensors"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "holds no config.json.*huidurep/base"),
    "config of other sizes": (change_json(hidden_size=32), "another shape"),
    "config of fewer layers": (change_json(num_hidden_layers=1), "does not know, the weights"),
    "config of wrong types": (change_json(num_hidden_layers="4"), "num_hidden_layers' expected int, got str"),
    "config of wrong values": (change_json(hidden_size=15), "hidden_size 15 is not a multiple"),
    "config of another model": (change_json(model_type="bert"), "model type 'bert'"),
    "config is no JSON": (lambda folder: (folder / "config.json").write_text("{"), "not a valid JSON"),
    "config is a list": (lambda folder: (folder / "config.json").write_text("[]"), "model type None"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_checkpoint_is_one_sentence(folder, tmp_path, capsys, kind):
    change, message = BROKEN[kind]
    change(folder)
    for load in (HuiduRepModel.from_pretrained, HuiduRepForPreTraining.from_pretrained, SpikeSorter.from_pretrained):
        with pytest.raises((OSError, ValueError), match=message):
            load(folder)
    for arguments in (["export", str(folder), str(tmp_path / "a.onnx")], ["embed", "lab/none", str(tmp_path / "b")]):
        model = [] if arguments[0] == "export" else ["--model", str(folder)]
        assert main([*arguments, *model, "--quiet"]) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("huidurep:")]
        assert "Traceback" not in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "holds no preprocessor_config.json"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{"), "not a valid JSON"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("[]"), "preprocessor_config.json"),
        (change_json("preprocessor_config.json", window_size="72"), "window_size is '72'"),
    ],
)
def test_a_broken_feature_extractor_is_one_sentence(folder, change, message):
    change(folder)
    for load in (HuiduRepFeatureExtractor.from_pretrained, SpikeSorter.from_pretrained):
        with pytest.raises((OSError, ValueError), match=message):
            load(folder)


def test_what_is_missing_may_be_asked_for(folder):
    change_weights(lambda w: w.pop(WEIGHT))(folder)
    model, report = HuiduRepModel.from_pretrained(folder, output_loading_info=True)
    assert (
        report["missing_keys"] == {"backbone.localizer.weight"}
        and torch.isfinite(model.backbone.localizer.weight).all()
    )
    change_weights(lambda w: w.update({WEIGHT: torch.zeros(3, 16)}))(folder)
    assert HuiduRepModel.from_pretrained(folder, ignore_mismatched_sizes=True).backbone.localizer.weight.shape == (
        2,
        16,
    )
    with pytest.raises(WeightsError, match="another shape"):
        HuiduRepModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("base", "no checkpoint 'base'.*huidurep/base, huidurep/paper"),
        ("checkpoints/a/b", "no checkpoint 'checkpoints/a/b'"),
        ("/no/such/folder", "no checkpoint '/no/such/folder'"),
        ("huidurep/bas", "cannot be reached, and its cache holds no 'huidurep/bas'.*huidurep/base"),
        ("", "no checkpoint ''"),
    ],
)
def test_a_name_that_leads_nowhere(tmp_path, capsys, name, message):
    for load in (HuiduRepModel.from_pretrained, HuiduRepFeatureExtractor.from_pretrained, SpikeSorter.from_pretrained):
        with pytest.raises(OSError, match=message):
            load(name)
    assert main(["export", name, str(tmp_path / "a.onnx")]) == 2
    assert "huidurep/base" in capsys.readouterr().err


def test_a_file_is_no_checkpoint(folder):
    with pytest.raises(OSError, match="no folder"):
        HuiduRepModel.from_pretrained(folder / "model.safetensors")


@pytest.mark.parametrize("device", ["foo", "cuda:77"])
def test_a_device_that_is_not_there(tmp_path, capsys, device):
    table = tmp_path / "table.jsonl"
    table.write_text('{"recording": "absent.zarr"}')
    for arguments in (["sort", "absent.zarr"], ["embed", "absent.zarr"], ["sort-table", str(table)], ["example"]):
        assert main([*arguments, str(tmp_path / "out"), "--device", device]) == 2
        assert f"Got the device {device!r}, which is not there; give one of cpu" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match=f"Got the device '{device}', which is not there; give one of cpu"):
        SpikeSorter.from_pretrained("huidurep/base", device=device)
    with pytest.raises(ValueError, match="which is not there; give one of cpu"):
        evaluate("huidurep/base", tmp_path / "a.json", EvaluationParameters(("tetrode",)), device=device)


def test_a_table_is_not_begun_with_a_model_that_is_not_there(tmp_path, capsys):
    table = tmp_path / "table.jsonl"
    table.write_text('{"recording": "absent.zarr"}')
    assert main(["sort-table", str(table), str(tmp_path / "out"), "--model", "huidurep/bas"]) == 2
    assert "huidurep/bas" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_pipeline_of_a_broken_checkpoint(folder):
    change_weights(lambda w: w.pop(WEIGHT))(folder)
    with pytest.raises((OSError, ValueError), match="lacks the weights"):
        pipeline("spike-embedding", model=str(folder))
