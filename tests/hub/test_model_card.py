import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from huidurep_hf import HuiduRepModel, checkpoint_path
from huidurep_hf.cli.main import main
from huidurep_hf.evaluation.records.run_record import describe_environment, hash_weights
from huidurep_hf.evaluation.records.tables import comparison_table
from huidurep_hf.hub.model_card import write_model_card

CARDS = Path(__file__).parents[2] / "model_cards"
METHODS = ("PCA-32", "PCA, 5 aligned channels", "model", "model + location")


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    """A checkpoint folder with the record of a training run."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_checkpoint, folder)
    training = {
        "arguments": {"dataset": "data/spikes", "noise": None, "seed": 3},
        "changes": [{"step": 5, "changed": {"num_steps": [8, 10]}}],
        "num_steps": 10,
        "pairs_seen": 640,
        "seconds": 7200.0,
        "final_losses": {"loss": 1.25},
        "data": {"licenses": ["cc-by-nc-sa-4.0"], "neurons": ["L5_BP"], "probes": ["tetrode"]},
        "num_training_units": 77,
        "num_processes": 1,
        "device": "cpu",
        "machine": "x86_64, 2 threads a process",
        "versions": {"torch": "2.13.0"},
    }
    (folder / "training.json").write_text(json.dumps(training))
    return folder


@pytest.fixture
def results(checkpoint, tmp_path):
    """Figures of that checkpoint: ARI 0.71 and 0.73 for the model, 0.5 and 0.52 for the rest."""
    model = HuiduRepModel.from_pretrained(checkpoint)

    def scores(method):
        ari = [0.71, 0.73] if method == "model" else [0.5, 0.52]
        subset = {"mixture_ari": ari, "density_ari": 0.4}
        return {"all": subset, "snr3": subset, "neighbor_accuracy": 0.9, "density_num_units": 8}

    rows = [
        {
            "condition": condition,
            "recording_seed": seed,
            "num_units": 10,
            "num_spikes": 2000,
            "spikes_per_s": 1234,
            "methods": {method: scores(method) for method in METHODS},
            "denoising": [
                {
                    "snr_min": 4.0,
                    "snr_max": 8.0,
                    "num_spikes": 500,
                    "denoisers": {"model": {"gain_db": 7.31, "template_error": 0.08}},
                }
            ],
            "run": 0,
        }
        for condition in ("tetrode", "silicon32")
        for seed in (100, 101)
    ]
    identity = {
        "model_sha256": hash_weights(model),
        "model": "tiny",
        "num_parameters": model.num_parameters(),
        "num_mixture_seeds": 2,
        "max_spikes_per_unit": 300,
    }
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"identity": identity, "runs": [describe_environment()], "rows": rows}))
    return path


def test_card_is_read_by_the_hub_and_has_the_numbers(checkpoint, results):
    card = ModelCard.load(write_model_card(checkpoint, results))
    assert card.data.license == "cc-by-nc-sa-4.0" and card.data.library_name == "transformers"
    assert card.data.pipeline_tag == "spike-embedding" and "spike-sorting" in card.data.tags
    figures = {(r.dataset_config, r.metric_name): r.metric_value for r in card.data.eval_results}
    assert figures["tetrode", "ARI of a Gaussian mixture, model"] == pytest.approx(0.72)
    assert len(figures) == 4
    for text in (
        "0.72 ± 0.01",
        "0.51 ± 0.01",
        "7.3 ± 0.0 (0.08)",
        "1234 spikes",
        "640 pairs",
        "2.0 h",
        "seed 3",
        "Resumed at step 5 with other arguments",
        "simulated spikes only, in model noise",
        "arXiv:2507.17224",
        "40",
        "L5_TTPC2, L5_NBC, L5_MC, L5_STPC",
        "CC BY-NC-SA 4.0",
        "Apache-2.0",
        "Recording seeds 100, 101",
        "cores",
        json.loads(results.read_text())["identity"]["model_sha256"],
    ):
        assert text in card.text, text
    assert "More Information Needed" not in card.content
    assert "{{" not in card.content and "{%" not in card.content and "None" not in card.text
    assert {path.name for path in checkpoint.iterdir()} >= {"README.md", "config.json"}
    assert not list(checkpoint.glob("*.partial"))
    assert "2.0 process-hours on cpu" in card.text and "no emissions are stated" in card.text
    for picture in ("embedding.png", "denoiser.png"):
        assert f"]({picture})" in card.text
        assert (checkpoint / picture).read_bytes().startswith(b"\x89PNG")


def test_a_card_tells_of_the_training_before(checkpoint, results):
    path = checkpoint / "training.json"
    training = json.loads(path.read_text())
    before = {**training, "num_steps": 8000, "pairs_seen": 4096, "machine": "a large GPU"}
    training["arguments"]["start"] = "huidurep/base"
    path.write_text(json.dumps({**training, "start": before}))
    text = ModelCard.load(write_model_card(checkpoint, results)).text
    assert "Started from the weights of `huidurep/base`" in text
    assert "(8000 steps, 4096 pairs of spikes, a large GPU; `start` in `training.json`)" in text
    path.write_text(json.dumps(training))
    text = ModelCard.load(write_model_card(checkpoint, results)).text
    assert "those of its training.\n" in text and "`start` in" not in text


def test_the_same_figures_give_the_same_card_and_pictures(checkpoint, results):
    first = {path.name: path.read_bytes() for path in write_model_card(checkpoint, results).parent.iterdir()}
    assert {path.name: path.read_bytes() for path in write_model_card(checkpoint, results).parent.iterdir()} == first


def test_metadata_pass_the_hubs_own_parser(checkpoint, results):
    card = ModelCard.load(write_model_card(checkpoint, results))
    model_index = eval_results_to_model_index(card.data.model_name, card.data.eval_results)
    name, figures = model_index_to_eval_results(model_index)
    assert name == "huidurep/tiny" and all(isinstance(figure.metric_value, float) for figure in figures)
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()


def test_the_command_writes_the_card(checkpoint, results, capsys):
    assert main(["card", str(checkpoint), "--figures", str(results), "--model-id", "lab/mine"]) == 0
    assert "README.md" in capsys.readouterr().out
    assert ModelCard.load(checkpoint / "README.md").data.model_name == "lab/mine"
    assert main(["card", str(checkpoint), "--figures", "nothing.json"]) == 2
    assert "evaluate.py" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "files"), [("base", ("benchmark.json", "tracking.json")), ("paper", (None, None))])
def test_the_shipped_card_is_what_its_figures_give(name, files, tmp_path):
    folder = shutil.copytree(checkpoint_path(name), tmp_path / name)
    shipped = (folder / "README.md").read_text()
    benchmark, tracking = (file and CARDS / name / file for file in files)
    card = write_model_card(folder, CARDS / name / "evaluation.json", benchmark_json=benchmark, tracking_json=tracking)
    assert card.read_text() == shipped


def test_the_section_on_sorting_is_of_the_same_weights(checkpoint, results, tmp_path):
    def row(sorter, accuracy, model_sha256=None):
        scores = {
            f"{name}{subset}": accuracy for name in ("accuracy", "precision", "recall") for subset in ("", "_snr3")
        }
        scores |= {f"num_{name}_units": 4 for name in ("true", "sorted", "well_detected")}
        scores |= {f"num_{name}_units": 1 for name in ("false_positive", "redundant", "overmerged")}
        units = [{"snr": 6.0, "accuracy": accuracy}]
        return {
            "condition": "tetrode",
            "recording_seed": 107,
            "sorter": sorter,
            "model_sha256": model_sha256,
            "seconds": 12.0,
            "peak_memory_mib": 345,
            "error": None,
            "scores": scores,
            "units": units,
        }

    def card(model_sha256):
        rows = [row("huidurep", 0.875, model_sha256), row("lupin", 0.625)]
        benchmark = tmp_path / "benchmark.json"
        benchmark.write_text(json.dumps({"rows": rows}))
        return write_model_card(checkpoint, results, benchmark_json=benchmark).read_text()

    text = card(json.loads(results.read_text())["identity"]["model_sha256"])
    assert "| tetrode | huidurep | 0.88 |" in text and "| tetrode | lupin | 0.62 |" in text and "seeds 107" in text
    for picture in ("benchmark_overview.png", "benchmark_snr.png"):
        assert f"]({picture})" in text
        assert (checkpoint / picture).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="of weights \\['0123"):
        card("0123")


def test_the_section_on_sessions(checkpoint, results, tmp_path):
    def card(model_sha256):
        rows = [
            {"condition": "tetrode", "seed": 107, "source": "true", "method": method, "error": None}
            | {"model_sha256": model_sha256 if method == "huidurep" else None, "scores": {"num_errors": num_errors}}
            for method, num_errors in (("huidurep", 1), ("unitmatch", 4), ("dant", 6))
        ]
        (tmp_path / "tracking.json").write_text(json.dumps({"rows": rows}))
        return write_model_card(checkpoint, results, tracking_json=tmp_path / "tracking.json").read_text()

    text = card(json.loads(results.read_text())["identity"]["model_sha256"])
    assert "| tetrode | true trains | unitmatch | 1.0 | 4.0 | 75 % |" in text and "seeds 107" in text
    with pytest.raises(ValueError, match="run scripts/benchmark_tracking.py"):
        card("0123")


def test_the_comparison_at_equal_spikes_is_what_the_figures_give():
    files = {
        "huidurep/paper": "paper/evaluation.json",
        "huidurep/paper, not fused": "paper/not_fused.json",
        "ours, the same spikes": "paper/base_equal.json",
        "huidurep/base": "base/evaluation.json",
    }
    contents = {name: json.loads((CARDS / path).read_text()) for name, path in files.items()}
    assert comparison_table(contents) in (checkpoint_path("paper") / "README.md").read_text()


def test_the_licence_follows_from_the_training_data(checkpoint, results):
    record = checkpoint / "training.json"

    def card_of(licenses):
        training = json.loads(record.read_text())
        training["data"]["licenses"] = licenses
        record.write_text(json.dumps(training))
        return ModelCard.load(write_model_card(checkpoint, results))

    free = card_of(["apache-2.0"])
    assert free.data.license == "apache-2.0" and "The weights: Apache-2.0" in free.text
    assert "no commercial use" not in free.text
    mixed = card_of(["apache-2.0", "cc-by-nc-sa-4.0"])
    assert mixed.data.license == "cc-by-nc-sa-4.0" and "no commercial use" in mixed.text
    with pytest.raises(ValueError, match="unknown"):
        card_of(["unknown"])


def test_examples_in_the_card_run(checkpoint, results):
    text = write_model_card(checkpoint, results, model_id="huidurep/tiny").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert "import huidurep_hf" in block
        values = {}
        exec(block.replace("huidurep/tiny", str(checkpoint)), values)
        if "output" in values:
            assert values["output"].embeddings.shape == (8, 32)
        else:
            assert values["sorting"].sampling_frequency == values["recording"].sampling_frequency


def test_no_card_without_figures(checkpoint, results):
    content = json.loads(results.read_text())
    for rows, message in (
        ([], "no evaluation figures"),
        ([{**content["rows"][0], "methods": {}}], "no agreement of 'model' on 'tetrode', seed 100"),
    ):
        results.write_text(json.dumps({**content, "rows": rows}))
        with pytest.raises(ValueError, match=message):
            write_model_card(checkpoint, results)
    content["rows"][0]["methods"]["model"]["all"]["mixture_ari"] = [float(np.nan)]
    results.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="no agreement"):
        write_model_card(checkpoint, results)
    assert "no figures" in (checkpoint / "README.md").read_text()


def test_no_card_with_figures_of_other_weights(checkpoint, results):
    content = json.loads(results.read_text())
    content["identity"]["model_sha256"] = "0" * 64
    results.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="figures are of weights 000000000000"):
        write_model_card(checkpoint, results)


def test_missing_files_are_named(checkpoint, results, tmp_path):
    with pytest.raises(FileNotFoundError, match="evaluate.py"):
        write_model_card(checkpoint, tmp_path / "nothing.json")
    with pytest.raises(ValueError, match="no checkpoint folder"):
        write_model_card("huidurep/base", results)
    (checkpoint / "training.json").unlink()
    with pytest.raises(FileNotFoundError, match="pretrain.py"):
        write_model_card(checkpoint, results)
