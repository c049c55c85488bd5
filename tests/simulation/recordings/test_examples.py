import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from huidurep_hf.simulation.neurons.cells import HELD_OUT_CELLS
from huidurep_hf.simulation.recordings.examples import EXAMPLE_NAMES, example_recording, load_templates, save_templates


@pytest.mark.parametrize(("name", "num_units", "num_channels"), [("silicon32", 20, 32), ("tetrode", 8, 4)])
def test_examples(name, num_units, num_channels):
    truth = example_recording(name, duration_s=5.0, seed=1)
    assert truth.recording.get_num_channels() == num_channels
    assert truth.recording.get_duration() == 5.0
    assert len(truth.sorting.unit_ids) == len(truth.units) == num_units
    assert set(truth.units["cell_type"]) == set(HELD_OUT_CELLS)
    assert truth.units["snr"].between(3, 20).all()
    assert truth.sorting.count_num_spikes_per_unit(outputs="array").sum() > 5 * num_units
    again = example_recording(name, duration_s=5.0, seed=1)
    np.testing.assert_array_equal(truth.recording.get_traces(), again.recording.get_traces())


@pytest.mark.slow
def test_needs_neither_neuron_nor_datasets():
    code = (
        "import sys\n"
        "for name in ('neuron', 'LFPy', 'MEArec', 'MEAutility', 'datasets'): sys.modules[name] = None\n"
        "from huidurep_hf.simulation.recordings.recordings import example_recording\n"
        "print(example_recording('tetrode', duration_s=1.0).recording.get_num_samples())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["30000"]


def test_the_bundle_is_small_and_says_its_licence():
    folder = resources.files("huidurep_hf.simulation.recordings") / "examples"
    sizes = [len((folder / f"{name}.npz").read_bytes()) for name in EXAMPLE_NAMES]
    assert sum(sizes) < 500_000
    assert "CC BY-NC-SA 4.0" in (folder / "LICENSE.txt").read_text()


def test_save_and_load_templates(tmp_path, made_templates):
    templates, _ = made_templates
    save_templates(tmp_path / "made.npz", templates, "tetrode_diamond")
    again, probe = load_templates(tmp_path / "made.npz")
    assert probe == "tetrode_diamond"
    assert again.peak_sample == 40
    np.testing.assert_allclose(again.waveforms[0], templates.waveforms[1], rtol=1e-3, atol=1e-5)
    assert again.units.drop(columns="cell_type").equals(templates.units.drop(columns="cell_type"))


def test_unknown_example():
    with pytest.raises(ValueError, match=r"'octrode'; expected one of \['silicon32', 'tetrode'\]"):
        example_recording("octrode")
