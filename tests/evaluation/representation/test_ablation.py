import dataclasses
import json

import numpy as np
import pytest
import yaml

from huidurep_hf.evaluation.representation import ablation
from huidurep_hf.evaluation.representation.ablation import AblationParameters, ablate, ablation_table
from huidurep_hf.pretraining.arguments import PretrainingArguments
from huidurep_hf.pretraining.trainer import Pretrainer
from huidurep_hf.simulation.recordings import recordings
from huidurep_hf.simulation.recordings.recordings import RECORDING_CONDITIONS


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


@pytest.fixture
def measured(spikes, monkeypatch):
    clean = np.zeros_like(spikes.waveforms)
    clean[:, spikes.peak_sample] = -5.0
    one = ablation.MeasuredSpikes(spikes, spikes, clean)
    monkeypatch.setattr(ablation, "measured_spikes", lambda recordings, seeds: {"tetrode": [one]})


@pytest.mark.slow
def test_arms_differ_in_what_they_say_and_a_second_call_adds_only_what_is_missing(config, measured, tmp_path):
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
    for method in ("kmeans_ari", "mixture_ari", "density_ari"):
        assert set(wide[method]) == {"model", "model + own location"}
        assert all(-0.5 <= score <= 1.0 for scores in wide[method].values() for score in scores.values())
    assert wide["denoiser_gain_db"]["tetrode"] != small["denoiser_gain_db"]["tetrode"]
    assert not list(output.with_suffix("").iterdir())
    other = AblationParameters(parameters.base, {"wide": {"model": {"hidden_size": 48}}}, num_mixture_seeds=1)
    with pytest.raises(ValueError, match="another arm 'wide'"):
        ablate(other, output, progress=False)
    table = ablation_table(content)
    assert "| wide |" in table and "HDBSCAN, own location" in table
    with pytest.raises(ValueError, match="recordings"):
        ablate(dataclasses.replace(parameters, recordings="held_out"), output, progress=False)


@pytest.mark.slow
def test_what_a_stopped_run_of_other_arguments_left_is_not_gone_on_with(config, measured, tmp_path):
    parameters = AblationParameters.from_yaml(config, num_mixture_seeds=1)
    stopped = tmp_path / "rows" / "base-0"
    arguments = PretrainingArguments.from_dict(
        {**parameters.arguments("base", 0), "learning_rate": 0.05, "checkpoint_every": 1}
    )
    Pretrainer(arguments, stopped, cpu=True).run(progress_bar=False)
    assert list((stopped / "checkpoints").glob("step_*"))
    left = ablate(parameters, tmp_path / "rows.json", arms=("base",), progress=False)["rows"]
    fresh = ablate(parameters, tmp_path / "fresh.json", arms=("base",), progress=False)["rows"]
    assert left[0]["kmeans_ari"] == fresh[0]["kmeans_ari"]
    assert not stopped.exists()


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
    with pytest.raises(ValueError, match="Got recordings 'mine'"):
        AblationParameters.from_yaml(config, recordings="mine")


@pytest.mark.slow
def test_arms_are_measured_on_spikes_and_added_spikes_of_each_recording(small_conditions, monkeypatch):
    # Two of the four: each recording takes seconds.
    two = {name: RECORDING_CONDITIONS[name] for name in ("tetrode", "silicon32")}
    monkeypatch.setattr(recordings, "RECORDING_CONDITIONS", two)
    found = ablation.measured_spikes("held_out", (5, 6))
    assert list(found) == list(two)
    one = found["tetrode"][1]
    assert sorted(set(small_conditions)) == [5, 6]
    assert one.noisy.waveforms.shape == one.clean.shape and len(one.spikes.labels) > 50
