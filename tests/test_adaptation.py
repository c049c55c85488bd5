import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets.config import HF_DATASETS_CACHE
from safetensors.torch import load_file
from spikeinterface.core import NumpySorting

from huidurep_hf import HuiduRepFeatureExtractor, HuiduRepModel
from huidurep_hf.adaptation import AdaptationParameters, adapt
from huidurep_hf.evaluation.representation.feature_sets import model_features
from huidurep_hf.evaluation.representation.true_spikes import true_spikes
from huidurep_hf.hub.checkpoints import resolve_checkpoint
from huidurep_hf.simulation.recordings.recordings import example_recording

SCRIPT = Path(__file__).parents[1] / "scripts" / "adapt.py"
FEW = AdaptationParameters(max_spikes=400, num_steps=3, num_pairs=16)


@pytest.mark.slow
def test_an_adapted_checkpoint_follows_from_the_seed(generated, tiny_checkpoint, tmp_path):
    recording, sorting = generated
    cached = set(Path(HF_DATASETS_CACHE).glob("spikes/**/*.arrow"))
    folders = [adapt(tiny_checkpoint, recording, tmp_path / name, sorting, FEW, progress=False) for name in "ab"]
    # The recording's spikes are not kept a second time.
    assert set(Path(HF_DATASETS_CACHE).glob("spikes/**/*.arrow")) == cached
    before = load_file(tiny_checkpoint / "model.safetensors")
    first, second = (load_file(folder / "model.safetensors") for folder in folders)
    assert set(first) == set(before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    moved = [name for name in first if name.startswith("huidurep.") and not torch.equal(first[name], before[name])]
    assert len(moved) > 10
    configs = [HuiduRepModel.from_pretrained(folder).config.to_diff_dict() for folder in (folders[0], tiny_checkpoint)]
    assert configs[0] == {**configs[1], "denoising_weight": FEW.denoising_weight}


def test_a_folder_in_use_is_refused_before_the_work(generated, tiny_checkpoint, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty; give another output folder"):
        adapt(tiny_checkpoint, generated[0], tmp_path, parameters=FEW, progress=False)
    with pytest.raises(OSError, match="cannot be made .File exists: .*notes.txt.; give another place"):
        adapt(tiny_checkpoint, generated[0], tmp_path / "notes.txt" / "run", parameters=FEW, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_the_script_adapts_a_saved_recording(generated, tiny_checkpoint, tmp_path, monkeypatch):
    recording, sorting = generated
    recording.save(folder=tmp_path / "recording", progress_bar=False, verbose=False)
    sorting.save(folder=tmp_path / "sorting")
    command = [sys.executable, str(SCRIPT), "--model", str(tiny_checkpoint), "--num-steps", "1", "--quiet"]
    given = ["--recording", str(tmp_path / "recording"), "--sorting", str(tmp_path / "sorting")]
    done = subprocess.run(
        [*command, *given, "--output", str(tmp_path / "run")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Adapted checkpoint: {tmp_path / 'run' / 'model'}\n"
    assert "100%" not in done.stderr
    HuiduRepModel.from_pretrained(tmp_path / "run" / "model")
    # Without a process of its own, whose imports take seconds.
    monkeypatch.setattr(sys, "argv", [*command[1:-1], *given, "--output", str(tmp_path / "run")])
    with pytest.raises(SystemExit, match="^adapt.py: .* is not empty"):
        runpy.run_path(str(SCRIPT), run_name="__main__")


@pytest.mark.slow
def test_units_lie_tighter_after(tmp_path):
    truth = example_recording("tetrode", duration_s=20.0, seed=3)
    spikes = true_spikes(truth.recording, truth.sorting, truth.unit_snr, max_spikes_per_unit=100)

    def share_within(checkpoint):
        model, extractor = (each.from_pretrained(checkpoint) for each in (HuiduRepModel, HuiduRepFeatureExtractor))
        embeddings = model_features(spikes, model.eval(), extractor).embeddings
        means = np.stack([embeddings[spikes.labels == unit].mean(axis=0) for unit in range(len(spikes.unit_ids))])
        return (embeddings - means[spikes.labels]).var(axis=0).sum() / embeddings.var(axis=0).sum()

    start = resolve_checkpoint("huidurep/base")
    # The sorter's units are labels enough; the truth measures alone.
    parameters = AdaptationParameters(num_steps=30, num_pairs=64)
    adapted = adapt(start, truth.recording, tmp_path / "run", parameters=parameters, progress=False)
    assert share_within(adapted) < 0.95 * share_within(start)


@pytest.mark.slow
def test_one_unit_is_too_few(generated, tiny_checkpoint, tmp_path):
    recording, sorting = generated
    one = sorting.select_units(sorting.unit_ids[:1])
    with pytest.raises(ValueError, match=r"has 1 unit\(s\), and to tell units apart takes two"):
        adapt(tiny_checkpoint, recording, tmp_path / "run", one, FEW, progress=False)
    none = NumpySorting.from_unit_dict([{}], 30000.0)
    with pytest.raises(ValueError, match=r"has 0 unit\(s\)"):
        adapt(tiny_checkpoint, recording, tmp_path / "run", none, FEW, progress=False)
    assert not (tmp_path / "run").exists()
