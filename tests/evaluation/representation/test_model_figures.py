import json

import pytest

from huidurep_hf import HuiduRepFeatureExtractor
from huidurep_hf.evaluation.records.tables import comparison_table, markdown_table, mean_and_sd, mixture_table, report
from huidurep_hf.evaluation.representation.model_figures import EvaluationParameters, evaluate, evaluate_spikes
from huidurep_hf.evaluation.representation.robustness import compare_variants


@pytest.mark.slow
def test_figures_are_complete_and_a_second_run_adds_only_what_is_missing(small_conditions, tiny_checkpoint, tmp_path):
    output = tmp_path / "figures.json"
    parameters = EvaluationParameters(("tetrode",), recording_seeds=(1,), num_mixture_seeds=2, max_spikes_per_unit=30)
    content = evaluate(tiny_checkpoint, output, parameters, device="cpu", progress=False)
    row = content["rows"][0]
    assert (row["condition"], row["recording_seed"], row["num_units"]) == ("tetrode", 1, 8)
    assert len(row["methods"]) == 11 and row["recording"]["probe"] == "tetrode_diamond"
    for scores in row["methods"].values():
        assert len(scores["all"]["mixture_ari"]) == 2 and len(scores["all"]["kmeans_ari"]) == 3
        assert 0 < scores["neighbor_accuracy"] <= 1
    assert 0.3 < row["template_oracle"]["all"] <= 1
    robustness = row["robustness"]
    assert {"as recorded", "20 % of the channels dead", "10 kHz", "48 kHz, window of 1.04 ms"} <= set(robustness)
    assert row["denoising"][-1]["denoisers"]["none"]["gain_db"] == 0
    # Simple features on a tetrode are far better than chance.
    assert min(row["methods"]["PCA, 5 aligned channels"]["all"]["mixture_ari"]) > 0.3

    more = EvaluationParameters(("tetrode",), recording_seeds=(1, 2), num_mixture_seeds=2, max_spikes_per_unit=30)
    content = evaluate(tiny_checkpoint, output, more, device="cpu", progress=False)
    assert small_conditions == [1] * 5 + [2] * 5 and len(content["rows"]) == 2 and len(content["runs"]) == 2
    assert content["rows"][0] == row and json.loads(output.read_text()) == content
    text = report(content)
    assert "Recording seeds 1, 2; 2 mixture seeds for each" in text and "| model + own location |" in text
    assert "| nearest true template |" in text


@pytest.mark.slow
def test_spikes_as_recorded_score_the_same_as_any_variant(spikes, tiny_model):
    """So the robustness table takes their figures from the methods and does not measure them again."""
    extractor = HuiduRepFeatureExtractor.from_config(tiny_model.config)
    methods = evaluate_spikes(spikes, tiny_model, extractor, num_seeds=2)["methods"]
    measured = compare_variants({"as recorded": spikes}, tiny_model, extractor, num_seeds=2)["as recorded"]
    assert measured == {name: methods[name]["all"]["mixture_ari"] for name in ("PCA-32", "model")}


def test_wrong_condition_and_wrong_file_are_named(tiny_checkpoint, tmp_path):
    with pytest.raises(ValueError, match="Unknown conditions"):
        evaluate(tiny_checkpoint, tmp_path / "x.json", EvaluationParameters(("nowhere",)), progress=False)
    with pytest.raises(ValueError, match="Unknown fields of the configuration: \\['fused'\\]"):
        evaluate(
            tiny_checkpoint,
            tmp_path / "x.json",
            EvaluationParameters(("tetrode",)),
            config_changes={"fused": True},
            progress=False,
        )


@pytest.mark.slow
def test_without_variants_and_with_another_configuration(small_conditions, tiny_checkpoint, tmp_path):
    def run(name, seeds=(1,), with_variants=False, **config_changes):
        parameters = EvaluationParameters(("tetrode",), seeds, 2, max_spikes_per_unit=30, with_variants=with_variants)
        return evaluate(
            tiny_checkpoint,
            tmp_path / name,
            parameters,
            config_changes=config_changes,
            device="cpu",
            progress=False,
        )

    plain, fused = run("plain.json"), run("fused.json", fuse_denoised=True)
    assert small_conditions == [1, 1] and "robustness" not in plain["rows"][0]
    assert "come otherwise" not in report(plain)
    assert plain["identity"]["model_sha256"] != fused["identity"]["model_sha256"]
    with pytest.raises(ValueError, match="another model_sha256"):
        run("plain.json", fuse_denoised=True)
    with pytest.raises(ValueError, match="rows without variants"):
        run("plain.json", seeds=(2,), with_variants=True)


def test_models_are_compared_on_the_recordings_they_share():
    def row(seed, ari, condition="tetrode"):
        scores = {"neighbor_accuracy": ari, "all": {"mixture_ari": [ari, ari + 0.2]}}
        gains = [{"snr_min": 4.0, "snr_max": 8.0, "denoisers": {"model": {"gain_db": 10 * ari}, "PCA": {"gain_db": 2}}}]
        methods = dict.fromkeys(("model", "PCA-32"), scores)
        return {"condition": condition, "recording_seed": seed, "methods": methods, "denoising": gains}

    text = comparison_table({"a": {"rows": [row(1, 0.1), row(2, 0.9)]}, "b": {"rows": [row(1, 0.5), row(1, 0.5, "x")]}})
    assert "| a | 0.20 ± 0.10 | 0.10 | 1.0 |" in text and "| b | 0.60 ± 0.10 | 0.50 | 5.0 |" in text
    assert "| PCA in the window of b | 0.60 ± 0.10 | 0.50 | 2.0 |" in text
    assert text.startswith("|  | tetrode | neighbours |") and "0.9" not in text


@pytest.mark.parametrize("key", ["template_oracle", "ceiling"])
def test_templates_at_rest_are_no_upper_bound_under_drift(key):
    def row(condition, drift_um):
        methods = {"model": {"neighbor_accuracy": 0.9, "all": {"mixture_ari": [0.5], "density_ari": 0.25}}}
        recording = {"drift_um": drift_um}
        return {"condition": condition, "recording": recording, "methods": methods, key: {"all": 0.75}}

    table = mixture_table([row("still", None), row("moving", 30.0)])
    assert table.endswith("| model | 0.50 | 0.50 |\n| nearest true template | 0.75 | – |")


def test_subsets_without_units_are_a_dash():
    scores = {"neighbor_accuracy": 0.9, "all": {"mixture_ari": [0.5, 0.7], "density_ari": 0.25}}
    row = {"condition": "quiet", "recording_seed": 1, "methods": {"model": scores}}
    text = report({"rows": [row], "identity": {"num_mixture_seeds": 2}})
    assert "| model | 0.60 ± 0.10 |" in text and "| model | – |" in text and "| model | 0.25 |" in text
    assert report({"rows": [], "identity": {}}) == "No figures."


def test_cells_and_tables():
    assert mean_and_sd([1.0, 2.0]) == "1.50 ± 0.50"
    assert mean_and_sd([None, 3.14159], digits=3) == "3.142"
    assert mean_and_sd([]) == "–"
    assert markdown_table(["a", "b"], [["x", 1]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
