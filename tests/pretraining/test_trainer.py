"""Real runs of scripts/pretrain.py: alone, on two processes, killed and resumed."""

import json
import os
import pickle
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from huidurep_hf import HuiduRepFeatureExtractor, HuiduRepForPreTraining, HuiduRepModel
from huidurep_hf.pretraining.arguments import PretrainingArguments, parse_overrides
from huidurep_hf.pretraining.trainer import Pretrainer
from huidurep_hf.spike_dataset.from_recording import spikes_from_recording
from huidurep_hf.spike_dataset.noise_snippets import NoiseSnippets
from huidurep_hf.spike_dataset.writing import write_spikes

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "pretrain.py"


def write_config(spike_dataset, folder):
    values = {
        "dataset": str(spike_dataset),
        "model": {
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "intermediate_size": 24,
            "projection_hidden_size": 16,
            "num_channels": 6,
        },
        "num_steps": 12,
        "batch_size": 8,
        "num_warmup_steps": 2,
        "num_validation_units": 8,
        "log_every": 1,
        "evaluate_every": 12,
        "checkpoint_every": 3,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def config(spike_dataset, tmp_path):
    return write_config(spike_dataset, tmp_path)


def command(config, output, *options, launcher=(sys.executable,)):
    return [*launcher, str(SCRIPT), "--config", str(config), "--output", str(output), "--cpu", "--quiet", *options]


def run(*arguments, **keywords):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(*arguments, **keywords), env=environment, capture_output=True, text=True, timeout=300, cwd=ROOT
    )


@pytest.fixture
def run_here(monkeypatch):
    """Function that runs the script without a process of its own, and returns what it ends with if that is an error.

    The script's imports take seconds in each process.
    """

    def run_script(config, output, *options):
        monkeypatch.setattr(sys, "argv", command(config, output, *options)[1:])
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as ended:
            return ended.code
        return None

    return run_script


@pytest.fixture(scope="module")
def whole(spike_dataset, tmp_path_factory):
    """Configuration and folder of a run that was not stopped."""
    folder = tmp_path_factory.mktemp("whole")
    config = write_config(spike_dataset, folder)
    done = run(config, folder / "run")
    assert done.returncode == 0, done.stderr
    return config, folder / "run"


@pytest.mark.slow
def test_a_run_ends_with_a_folder_for_the_hub(whole):
    config, output = whole
    folder = output / "model"
    assert HuiduRepForPreTraining.from_pretrained(folder).config.hidden_size == 16
    model, report = HuiduRepModel.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    extractor = HuiduRepFeatureExtractor.from_pretrained(folder)
    assert (extractor.window_size, extractor.num_channels) == (model.config.window_size, 6)
    record = json.loads((folder / "training.json").read_text())
    assert record["num_steps"] == 12
    assert record["pairs_seen"] == 96
    assert record["num_training_units"] == 40
    assert list((output / "logs").rglob("events.out.tfevents*"))

    again = run(config, output)
    assert again.returncode != 0
    assert "resume it with --resume" in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.slow
def test_training_lowers_the_loss(config, tmp_path, run_here):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ("--set", "num_steps=60", "learning_rate=0.003", "checkpoint_every=1000")
    assert run_here(config, tmp_path / "run", *options) is None
    events = EventAccumulator(str(next((tmp_path / "run" / "logs").rglob("events.out.tfevents*")).parent)).Reload()
    losses = [event.value for event in events.Scalars("loss")]
    assert len(losses) == 60
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert -1 <= events.Scalars("validation/ari")[-1].value <= 1
    assert all(event.value > 0 for name in ("gradient_norm", "pairs_per_s") for event in events.Scalars(name))


class Evil:
    """Speaks when it is unpickled."""

    def __reduce__(self):
        return print, ("a pickle was opened",)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bits(config, tmp_path, whole, run_here, capfd):
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        command(config, killed), env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    deadline = time.monotonic() + 200
    while not list(killed.glob("checkpoints/step_*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (killed / "model").exists()

    # Pickles that may run anything are neither written nor read.
    checkpoint = sorted(killed.glob("checkpoints/step_*"))[-1]
    assert not list(checkpoint.glob("custom_checkpoint_*"))
    (checkpoint / "custom_checkpoint_0.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(RuntimeError, match="Number of custom checkpoints"):
        run_here(config, killed, "--resume")
    assert "a pickle was opened" not in capfd.readouterr().out
    (checkpoint / "custom_checkpoint_0.pkl").unlink()

    resumed = run(config, killed, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    expected = load_file(whole[1] / "model" / "model.safetensors")
    weights = load_file(killed / "model" / "model.safetensors")
    assert expected.keys() == weights.keys()
    assert all(torch.equal(expected[name], weights[name]) for name in expected)


@pytest.mark.slow
def test_two_processes(config, tmp_path):
    launcher = (
        *(sys.executable, "-m", "accelerate.commands.launch"),
        *("--config_file", str(ROOT / "scripts" / "configs" / "cpu2.yaml"), "--main_process_port", "29517"),
    )
    done = run(config, tmp_path / "run", "--set", "num_steps=4", "evaluate_every=4", launcher=launcher)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "run" / "model" / "training.json").read_text())
    assert record["num_processes"] == 2
    assert record["pairs_seen"] == 32
    assert all(torch.isfinite(weight).all() for weight in load_file(tmp_path / "run/model/model.safetensors").values())


@pytest.mark.slow
def test_prototypes_are_trained_on_several_pairs_of_a_unit(config, tmp_path):
    values = yaml.safe_load(config.read_text())
    values["model"] |= {"objective": "prototypes", "origin": "center_of_mass"}
    values |= {"pairs_per_unit": 2, "num_steps": 60, "learning_rate": 0.003}
    trainer = Pretrainer(PretrainingArguments.from_dict(values), tmp_path / "run", cpu=True)
    inputs = trainer._inputs(0)
    unit_ids = inputs["unit_ids"].tolist()
    assert len(unit_ids) == 8 and unit_ids[:4] == unit_ids[4:] and len(set(unit_ids)) == 4
    losses = [trainer._step(step)["contrastive"] for step in range(60)]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
    with pytest.raises(ValueError, match="2 pairs a unit; take a multiple of 2"):
        Pretrainer(PretrainingArguments.from_dict({**values, "batch_size": 9}), tmp_path / "odd", cpu=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "batch_sise=4"], "Did you mean 'batch_size'"),
        (["--set", "dataset=/nowhere"], "build_dataset.py"),
        (["--set", "model={hiden_size: 8}"], "Did you mean 'hidden_size'"),
        (["--set", "batch_size=4000"], "a batch takes 4000"),
        (["--set", "start=huidurep/base"], "settles hidden_size"),
        (["--set", "start=/nowhere", "model={}"], "/nowhere"),
    ],
)
def test_mistakes_are_one_line(config, tmp_path, run_here, options, message):
    # A text that Python is ended with goes to stderr, and the exit code is 1.
    said = run_here(config, tmp_path / "run", *options)
    assert said.startswith("error: ") and message in said


def test_arguments_from_yaml_and_overrides(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("views: {snr: [4, 8], jitter_samples: 1.5}\npaper: true\nmodel: {num_hidden_layers: 2}\n")
    arguments = PretrainingArguments.from_yaml(path, seed=7)
    assert arguments.views.snr == (4, 8)
    assert arguments.seed == 7
    assert arguments.build_config().encoder_type == "time"
    assert arguments.build_config().num_hidden_layers == 2
    with pytest.raises(ValueError, match="Did you mean 'snr'"):
        PretrainingArguments.from_dict({"views": {"snrs": 3}})
    with pytest.raises(ValueError, match="No configuration file"):
        PretrainingArguments.from_yaml(tmp_path / "absent.yaml")
    # YAML takes the first for text.
    overrides = parse_overrides(["learning_rate=1e-3", "views={snr: [4, 1e1]}", "num_steps=100"])
    arguments = PretrainingArguments.from_dict(overrides)
    assert arguments.learning_rate == 1e-3 and arguments.views.snr == (4.0, 10.0) and arguments.num_steps == 100


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; give a number"),
        ({"num_steps": 2.5}, "num_steps is 2.5; give a whole number"),
        ({"batch_size": True}, "batch_size is True; give a whole number"),
        ({"seed": None}, "seed is None"),
        ({"views": {"snr": 3.0}}, "snr is 3.0; give the range"),
        ({"views": {"snr": [3.0, "high"]}}, "snr is 'high'; give a number"),
    ],
)
def test_values_of_the_wrong_kind_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        PretrainingArguments.from_dict(values)


@pytest.mark.parametrize("name", ["num_steps", "log_every", "evaluate_every", "checkpoint_every"])
def test_steps_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0; give 1 or more steps"):
        PretrainingArguments.from_dict({name: 0})


@pytest.mark.parametrize(("item", "message"), [("num_steps", "'num_steps'; write NAME=VALUE"), ("model={", "no YAML")])
def test_overrides_that_cannot_be_read_are_named(item, message):
    with pytest.raises(ValueError, match=message):
        parse_overrides(["seed=1", item])


def test_a_finished_run_is_not_overwritten_and_small_datasets_are_told_what_to_set(config, tmp_path):
    values = {**yaml.safe_load(config.read_text()), "num_steps": 1, "checkpoint_every": 5}
    folder = Pretrainer(PretrainingArguments.from_dict(values), tmp_path / "run", cpu=True).run(progress_bar=False)
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match="holds a finished run"):
        other = PretrainingArguments.from_dict({**values, "seed": 1})
        Pretrainer(other, tmp_path / "run", cpu=True).run(progress_bar=False)
    with pytest.raises(ValueError, match="finished run without a checkpoint to go on from"):
        Pretrainer(PretrainingArguments.from_dict(values), tmp_path / "run", cpu=True).run(resume=True)
    assert (folder / "model.safetensors").read_bytes() == before
    with pytest.raises(ValueError, match="num_validation_units=600 are kept .* Set num_validation_units=0"):
        Pretrainer(PretrainingArguments.from_dict({**values, "num_validation_units": 600}), tmp_path / "x", cpu=True)


def test_real_noise_comes_into_the_views_or_is_refused(config, tmp_path):
    random = np.random.default_rng(0)

    def save(name, sampling_rate):
        snippets = NoiseSnippets(
            waveforms=random.standard_normal((6, 150, 2)).astype("float32"),
            positions=np.zeros((6, 2, 2), "float32"),
            mask=np.ones((6, 2), bool),
            places=np.zeros(6, int),
            sampling_rate=sampling_rate,
        )
        return str(snippets.save(tmp_path / name))

    values = yaml.safe_load(config.read_text())
    quiet = Pretrainer(PretrainingArguments.from_dict(values), tmp_path / "a", cpu=True)
    noisy = Pretrainer(
        PretrainingArguments.from_dict({**values, "noise": save("n.npz", 30000.0)}), tmp_path / "b", cpu=True
    )
    assert noisy.views.recorded_noise.shape == (12, 150)
    assert not torch.equal(quiet._inputs(0)["waveforms"], noisy._inputs(0)["waveforms"])
    with pytest.raises(ValueError, match="noise_from_recording"):
        Pretrainer(
            PretrainingArguments.from_dict({**values, "noise": save("m.npz", 15000.0)}), tmp_path / "c", cpu=True
        )


@pytest.mark.slow
def test_training_goes_on_from_a_checkpoint_and_from_what_it_was_trained_on(config, generated, tmp_path):
    values = {**yaml.safe_load(config.read_text()), "num_validation_units": 0}
    first = Pretrainer(PretrainingArguments.from_dict(values), tmp_path / "first", cpu=True)
    start = first.run(progress_bar=False)
    mine = write_spikes(spikes_from_recording(generated[0], progress=False), tmp_path / "mine")
    again = {**values, "model": {"temperature": 0.07}, "dataset": str(mine), "start": str(start), "seed": 1}
    second = Pretrainer(PretrainingArguments.from_dict(again), tmp_path / "second", cpu=True)
    assert second.config.hidden_size == 16 and second.config.temperature == 0.07
    weights = dict(second.model.named_parameters())
    for name, value in first.model.named_parameters():
        # The heads too; the momentum branch, which is not published, is a fresh copy.
        if not name.startswith("momentum_"):
            assert torch.equal(value, weights[name]), name
    for trained, copy in second.model._momentum_pairs():
        assert torch.equal(trained, copy)
    record = json.loads((second.run(progress_bar=False) / "training.json").read_text())
    assert record["arguments"]["start"] == str(start)
    for name, values in first.data_record.items():
        assert set(values) < set(record["data"][name]), name
    assert "unknown" in record["data"]["licenses"] and "recorded" in record["data"]["neurons"]

    assert record["start"] == json.loads((start / "training.json").read_text())

    (start / "training.json").unlink()
    orphan = Pretrainer(PretrainingArguments.from_dict(again), tmp_path / "third", cpu=True)
    assert orphan.data_record["licenses"] == ["unknown"] and orphan.start_record is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"hidden_size": 64}}, "settles hidden_size; leave out start"),
        ({"paper": True}, "settles paper"),
    ],
)
def test_a_start_settles_the_architecture(changes, message):
    arguments = PretrainingArguments.from_dict({"start": "huidurep/base", **changes})
    with pytest.raises(ValueError, match=message):
        arguments.build_config()


@pytest.mark.slow
def test_a_sorted_recording_teaches_the_denoiser(config, labelled_spikes, tmp_path):
    folder = write_spikes(labelled_spikes, tmp_path / "mine")
    changes = {
        "dataset": str(folder),
        "model": {"hidden_size": 32, "num_hidden_layers": 1, "objective": "prototypes", "denoising_weight": 1.0},
        "views": {"extra_noise": [0.0, 0.3], "collision_probability": 0.0, "background_probability": 0.0},
        "num_steps": 80,
        "batch_size": 64,
        "pairs_per_unit": 16,
        "learning_rate": 3e-3,
        "num_validation_units": 0,
        "checkpoint_every": 1000,
    }
    values = {**yaml.safe_load(config.read_text()), **changes}
    trainer = Pretrainer(PretrainingArguments.from_dict(values), tmp_path / "run", cpu=True)
    pairs = trainer.pairs
    gains, kept = [], []
    model = HuiduRepModel.from_pretrained(trainer.run(progress_bar=False)).eval()
    for first, count in zip(pairs.first_row, pairs.num_rows):
        rows = np.arange(first, first + count)
        rows = rows[(pairs.peak_positions[rows] == pairs.peak_positions[first]).all(axis=1)]
        spikes = pairs.rows(rows)
        noisy = spikes.waveforms[:, 18:90]
        # Nobody told it the mean of the spikes, which is nearly clean.
        clean = noisy.mean(dim=0)
        with torch.no_grad():
            denoised = model(noisy, spikes.positions, spikes.mask.float()).denoised_waveforms
        noise, error = noisy - clean, denoised - clean
        gains.append(10 * np.log10(noise.square().mean() / error.square().mean()))
        kept.append(((error * noise).mean() / noise.square().mean()).item())
    assert len(gains) == 4 and np.mean(gains) > 3
    # Where each spike is its own target, a third of its noise is learned, too.
    assert np.mean(kept) < 0.22


@pytest.mark.slow
def test_a_recording_alone_trains_the_encoder(config, generated, tmp_path):
    folder = write_spikes(spikes_from_recording(generated[0], progress=False), tmp_path / "mine")
    values = {**yaml.safe_load(config.read_text()), "dataset": str(folder), "num_steps": 2, "num_validation_units": 0}
    trainer = Pretrainer(PretrainingArguments.from_dict(values), tmp_path / "run", cpu=True)
    # Each peak is a unit of its own, and a pair two views of it: no label is needed.
    assert len(trainer.training_units) == len(trainer.pairs.is_recorded) and trainer.pairs.is_recorded.all()
    inputs = trainer._inputs(0)
    assert (inputs["waveforms"] != inputs["paired_waveforms"]).any()
    assert inputs["clean_waveforms"].isnan().all() and inputs["locations"].isnan().all()
    # Without a known truth only the agreement of two views is left to learn from.
    losses = trainer._step(0)
    assert losses["denoising"] == losses["location"] == 0
    assert losses["contrastive"] > 0 and np.isfinite(losses["gradient_norm"])
    assert trainer.data_record["licenses"] == ["unknown"]
