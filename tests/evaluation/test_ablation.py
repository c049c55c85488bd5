import json

import pytest
import yaml

from huidurep_hf.evaluation import ablation
from huidurep_hf.evaluation.ablation import AblationParameters, ablate, ablation_table


@pytest.fixture
def config(spike_dataset, tmp_path):
    values = {
        "base": {
            "dataset": str(spike_dataset),
            "model": {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 24, "num_channels": 8},
            "batch_size": 8,
            "num_steps": 2,
            "num_warmup_steps": 1,
            "num_validation_units": 4,
        },
        "arms": {"base": None, "wide": {"model": {"hidden_size": 32}}},
    }
    path = tmp_path / "ablation.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_arms_differ_in_what_they_say_and_a_second_call_adds_only_what_is_missing(
    config, spikes, tmp_path, monkeypatch
):
    monkeypatch.setattr(ablation, "development_spikes", lambda seeds: {"tetrode": [spikes]})
    parameters = AblationParameters.from_yaml(config, num_mixture_seeds=1)
    output = tmp_path / "rows.json"
    first = ablate(parameters, output, arms=("base",), progress=False)
    assert [row["arm"] for row in first["rows"]] == ["base"]
    content = ablate(parameters, output, progress=False)
    assert [row["arm"] for row in content["rows"]] == ["base", "wide"]
    assert content["rows"][0] == first["rows"][0] and json.loads(output.read_text()) == content
    small, wide = content["rows"]
    assert wide["num_parameters"] > small["num_parameters"]
    assert small["pairs_seen"] == wide["pairs_seen"] == 16
    assert set(wide["mixture_ari"]) == {"model", "model + own location"}
    assert not list(output.with_suffix("").iterdir())
    other = AblationParameters(parameters.base, {"wide": {"model": {"hidden_size": 48}}}, num_mixture_seeds=1)
    with pytest.raises(ValueError, match="another arm 'wide'"):
        ablate(other, output, progress=False)
    table = ablation_table(content)
    assert "| wide |" in table and "mean, HDBSCAN" in table


def test_overrides_are_merged_into_the_model(config):
    parameters = AblationParameters.from_yaml(config)
    arguments = parameters.arguments("wide", seed=7)
    assert arguments["seed"] == 7
    assert arguments["model"] == {**parameters.base["model"], "hidden_size": 32}
    assert parameters.arguments("base", 0)["model"] == parameters.base["model"]


def test_mistakes_are_named(config, tmp_path):
    with pytest.raises(ValueError, match="Unknown arms"):
        ablate(AblationParameters.from_yaml(config), tmp_path / "rows.json", arms=("tall",))
    with pytest.raises(ValueError, match="no ablation"):
        AblationParameters.from_yaml(tmp_path / "nothing.yaml")
