import math

import pytest

from huidurep_hf.pretraining.arguments import PretrainingArguments
from huidurep_hf.pretraining.trainer import Pretrainer
from huidurep_hf.spike_dataset.from_recording import RecordedSpikesParameters, spikes_from_recording
from huidurep_hf.spike_dataset.writing import write_spikes

MODEL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def test_peaks_of_a_recording_train_a_model(generated, tmp_path):
    """Each row is its own unit, and a pair two views of it: no label is needed."""
    spikes = spikes_from_recording(generated[0], parameters=RecordedSpikesParameters(max_spikes=100), progress=False)
    folder = write_spikes(spikes, tmp_path / "spikes")
    arguments = PretrainingArguments(
        dataset=str(folder), model=MODEL, batch_size=16, num_steps=2, num_warmup_steps=1, num_validation_units=0
    )
    trainer = Pretrainer(arguments, tmp_path / "run", cpu=True)
    assert len(trainer.training_units) == 100 and trainer.pairs.is_recorded.all()
    inputs = trainer._inputs(0)
    assert len(set(inputs["unit_ids"].tolist())) == 16
    # Two views of one spike differ, in noise at least.
    assert (inputs["waveforms"] != inputs["paired_waveforms"]).any()
    losses = trainer._step(0)
    assert all(math.isfinite(value) for value in losses.values())
    assert losses["loss"] == pytest.approx(Pretrainer(arguments, tmp_path / "again", cpu=True)._step(0)["loss"])
