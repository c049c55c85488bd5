"""The recipe for `transformers.Trainer`: losses of evaluation, the best model, and the momentum branch."""

import pytest
import torch
from datasets import load_dataset
from huggingface_hub import ModelCard
from transformers import TrainingArguments

from huidurep_hf import HuiduRepForPreTraining, HuiduRepModel
from huidurep_hf.model import pretraining_huidurep
from huidurep_hf.pretraining.recipe import MomentumCallback, PairCollator, SpikeTrainer


@pytest.fixture(scope="module")
def spikes(spike_dataset):
    return load_dataset(str(spike_dataset), split="train")


def train(model, spikes, folder, callbacks=(), **arguments):
    collator = PairCollator(spikes, model.config)
    units = list(range(len(collator)))
    settings = {
        "max_steps": 6,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_steps": 2,
        "logging_steps": 1,
        "learning_rate": 3e-3,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 0,
    }
    trainer = SpikeTrainer(
        model,
        TrainingArguments(str(folder), **{**settings, **arguments}),
        data_collator=collator,
        train_dataset=units[4:],
        eval_dataset=units[:4],
        callbacks=list(callbacks),
    )
    trainer.train()
    return trainer


@pytest.mark.parametrize("objective", ["prototypes", "momentum_contrast"])
def test_the_loss_of_evaluation_comes_out_and_the_best_model_is_loaded(build_tiny, spikes, tmp_path, objective):
    model = build_tiny(HuiduRepForPreTraining, objective=objective)
    trainer = train(model, spikes, tmp_path, [MomentumCallback()])
    losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    assert len(losses) == 3 and all(loss > 0 for loss in losses)
    assert trainer.state.best_metric == pytest.approx(min(losses))
    assert trainer.evaluate()["eval_loss"] == pytest.approx(min(losses), rel=1e-4)
    # The checkpoint is a whole repository.
    assert HuiduRepModel.from_pretrained(trainer.state.best_model_checkpoint).config.objective == objective


def test_the_momentum_branch_follows(build_tiny, spikes, tmp_path):
    model = build_tiny(HuiduRepForPreTraining)
    before = [copy.clone() for _, copy in model._momentum_pairs()]
    train(model, spikes, tmp_path, [MomentumCallback(0.5)], load_best_model_at_end=False)
    pairs = [(trained, copy) for trained, copy in model._momentum_pairs() if copy.is_floating_point()]
    assert any(not torch.equal(old, copy) for old, (_, copy) in zip(before, model._momentum_pairs()))
    assert any(not torch.equal(trained, copy) for trained, copy in pairs)


@pytest.mark.parametrize(
    ("objective", "callbacks", "is_told"),
    [("momentum_contrast", [], True), ("momentum_contrast", [MomentumCallback()], False), ("prototypes", [], False)],
)
def test_a_momentum_branch_that_stays_is_told(build_tiny, spikes, tmp_path, monkeypatch, objective, callbacks, is_told):
    told = []
    monkeypatch.setattr(pretraining_huidurep.logger, "warning_once", told.append)
    train(build_tiny(HuiduRepForPreTraining, objective=objective), spikes, tmp_path, callbacks, max_steps=4)
    assert bool(told) == is_told and all("MomentumCallback" in message for message in told)


def test_the_same_units_give_the_same_batch(build_tiny, spikes):
    model = build_tiny(HuiduRepForPreTraining)
    collator = PairCollator(spikes, model.config)
    one, again, other = collator([0, 1, 2]), collator([0, 1, 2]), collator([2, 1, 0])
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["waveforms"], other["waveforms"].flip(0))
    assert not torch.equal(one["waveforms"], one["paired_waveforms"])


def test_a_model_of_another_rate_is_told(build_tiny, spikes):
    model = build_tiny(HuiduRepForPreTraining, sampling_rate=20000)
    with pytest.raises(ValueError, match="build the dataset at the model's rate"):
        PairCollator(spikes, model.config)


def test_no_loss_where_none_is_asked_for(build_tiny, spikes):
    model = build_tiny(HuiduRepForPreTraining)
    inputs = PairCollator(spikes, model.config)([0, 1, 2])
    with torch.no_grad():
        without, with_loss = model(**inputs, return_loss=False), model(**inputs)
    assert without.loss is None and without.contrastive_loss is None
    assert torch.equal(without.embeddings, with_loss.embeddings)


def test_the_card_stays(tmp_path):
    """`Trainer` would write one that knows neither licence nor base model."""
    model = HuiduRepForPreTraining.from_pretrained("huidurep/base")
    trainer = SpikeTrainer(model, TrainingArguments(str(tmp_path), report_to="none", use_cpu=True))
    trainer.save_model()
    saved = ModelCard.load(tmp_path / "README.md")
    trainer.create_model_card(model_name="mine", tags="mouse")
    card = ModelCard.load(tmp_path / "README.md")
    assert (card.data.license, card.data.base_model) == ("apache-2.0", "huidurep/base")
    assert card.data.tags == [*saved.data.tags, "mouse"] and card.data.pipeline_tag == "spike-embedding"
    assert card.text == saved.text and card.data.datasets == saved.data.datasets
    trainer.create_model_card(license="mit", dataset="lab/spikes")
    stated = ModelCard.load(tmp_path / "README.md").data
    assert (stated.license, stated.datasets, stated.base_model) == ("mit", "lab/spikes", "huidurep/base")
