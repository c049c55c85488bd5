import re

import pytest

from huidurep_hf.pretraining.arguments import PretrainingArguments
from huidurep_hf.pretraining.throughput import PARTS, measure_steps, report_throughput
from huidurep_hf.pretraining.trainer import Pretrainer

MODEL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture
def trainer(spike_dataset, tmp_path):
    arguments = PretrainingArguments(
        dataset=str(spike_dataset), model=MODEL, batch_size=8, num_steps=10, num_warmup_steps=1, num_validation_units=4
    )
    return Pretrainer(arguments, tmp_path, cpu=True)


def test_the_parts_make_up_the_step(trainer):
    seconds = measure_steps(trainer, num_steps=3)
    assert all(seconds[name] > 0 for name in PARTS)
    assert sum(seconds[name] for name in (*PARTS, "other")) == pytest.approx(seconds["step"])
    assert seconds["other"] < 0.5 * seconds["step"]


def test_the_report_says_what_a_step_needs_and_what_the_readers_give(trainer):
    report = report_throughput(trainer, num_steps=2)
    assert re.search(r"steps/s, \d+ spikes/s \(8 pairs a step, cpu", report)
    for reader in ("mapped", "streaming"):
        assert re.search(rf"{reader}.*: [1-9]\d* rows/s, [\d.]+ x what a step needs", report)
