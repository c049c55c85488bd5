"""What `accelerate` may be asked for: lower precision, accumulated gradients; and what is refused."""

import math

import pytest
import torch
from accelerate.state import AcceleratorState

from huidurep_hf.pretraining.arguments import PretrainingArguments
from huidurep_hf.pretraining.trainer import Pretrainer

MODEL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture(autouse=True)
def fresh_state():
    """`accelerate` keeps its choices for the process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def prepare(spike_dataset, folder, mixed_precision=None, **changes):
    settings = {"batch_size": 8, "num_steps": 4, "num_warmup_steps": 1, "num_validation_units": 4, **changes}
    arguments = PretrainingArguments(dataset=str(spike_dataset), model=MODEL, **settings)
    return Pretrainer(arguments, folder, cpu=True, mixed_precision=mixed_precision)


def test_bfloat16_trains_float32_weights(spike_dataset, tmp_path):
    losses = {}
    for precision in ("no", "bf16"):
        AcceleratorState._reset_state(reset_partial_state=True)
        trainer = prepare(spike_dataset, tmp_path / precision, precision)
        losses[precision] = [float(trainer._step(step)["loss"]) for step in range(3)]
        assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
    assert all(math.isfinite(loss) for loss in losses["bf16"])
    assert losses["bf16"] == pytest.approx(losses["no"], rel=0.05) and losses["bf16"] != losses["no"]


def test_accumulated_gradients_make_one_step(spike_dataset, tmp_path):
    trainer = prepare(spike_dataset, tmp_path, gradient_accumulation_steps=2)
    steps = []
    # Of the optimiser inside: accelerate's own is asked twice, and steps once.
    trainer.optimizer.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    figures = trainer._step(0)
    assert len(steps) == 1 and float(figures["gradient_norm"]) > 0


@pytest.mark.parametrize("variable", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_sharding_is_refused(spike_dataset, tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "true")
    with pytest.raises(ValueError, match="shards the weights.*choose plain data parallelism"):
        prepare(spike_dataset, tmp_path)
