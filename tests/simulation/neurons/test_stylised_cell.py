import sys
from dataclasses import replace

import datasets
import numpy as np
import pytest
from huggingface_hub import DatasetCard

from huidurep_hf.simulation.dataset.building import build_spike_dataset
from huidurep_hf.simulation.dataset.parameters import SpikeDatasetParameters
from huidurep_hf.simulation.dataset.units import training_units
from huidurep_hf.simulation.electrodes.amplifier import record_potential
from huidurep_hf.simulation.electrodes.potential import CellPose, extracellular_potential
from huidurep_hf.simulation.electrodes.probes import TRAINING_PROBES
from huidurep_hf.simulation.neurons.spike_shape import trough_to_peak_ms

PARAMETERS = SpikeDatasetParameters(num_units=6, num_test_units=0, source="stylised", units_per_neuron=3, seed=1)


@pytest.fixture(scope="module")
def neurons(mechanism):
    from huidurep_hf.simulation.neurons.stylised_cell import random_neuron

    return [random_neuron(np.random.default_rng([7, seed])) for seed in range(12)]


@pytest.mark.slow
def test_currents(neurons):
    for neuron in neurons:
        num_spikes, num_segments, num_samples = neuron.currents.shape
        assert 3 <= num_spikes <= 5
        assert (num_samples, neuron.spike_sample, neuron.sampling_rate) == (257, 80, 32_000)
        assert neuron.segment_start.shape == neuron.segment_end.shape == (num_segments, 3)
        assert neuron.segment_diameter.shape == (num_segments,)
        assert neuron.currents.dtype == np.float32
        assert np.isfinite(neuron.currents).all()


def test_charge_is_conserved(neurons):
    for neuron in neurons:
        # What leaves the cell is what the electrode brings in: a constant in every window, and more for later steps.
        total = neuron.currents.sum(axis=1)
        assert np.ptp(total, axis=1).max() < 1e-4 * np.abs(neuron.currents).max()
        assert (total.mean(axis=1) > 0).all()
        assert total[-1].mean() > total[0].mean()


def test_diversity(neurons):
    widths, ratios = [], []
    ring = 30 * np.column_stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)])
    for neuron in neurons:
        potential = extracellular_potential(neuron, CellPose(np.zeros(3)), ring)
        waveforms = record_potential(potential, neuron.sampling_rate, 30_000)
        deepest = waveforms[:, waveforms.min(axis=0).argmin()]
        widths.append(trough_to_peak_ms(deepest, 30_000))
        # Height of the peak within 2 ms after the trough over the trough's depth.
        ratios.append(deepest[deepest.argmin() :][:60].max() / -deepest.min())
    assert np.ptp(widths) > 0.35 and np.std(widths) > 0.12
    assert np.ptp(ratios) > 0.2 and np.std(ratios) > 0.06
    assert len({neuron.name for neuron in neurons}) >= 5


def test_spikes_of_a_neuron_differ(neurons):
    for neuron in neurons:
        first, last = neuron.currents[0], neuron.currents[-1]
        assert np.abs(last - first).max() > 0.01 * np.abs(first).max()


def test_same_generator_same_neuron_whatever_was_simulated_before(neurons):
    from huidurep_hf.simulation.neurons.stylised_cell import random_neuron

    again = random_neuron(np.random.default_rng([7, 0]))
    np.testing.assert_array_equal(again.currents, neurons[0].currents)
    np.testing.assert_array_equal(again.segment_end, neurons[0].segment_end)


def test_nothing_is_left_in_neuron(neurons):
    from neuron import h

    assert not list(h.allsec())
    assert not h.CVode().use_fast_imem()


def test_units_of_a_neuron_differ_by_their_place(mechanism):
    units = list(training_units(PARAMETERS, range(6)))
    for neuron, kin in enumerate((units[:3], units[3:])):
        assert {unit.group for unit in kin} == {f"{kin[0].cell.name}_{neuron:06d}"}
        assert {unit.probe for unit in kin} == {TRAINING_PROBES[neuron]}
        assert len({(unit.layout, unit.stretch) for unit in kin}) == 1
    assert units[0].stretch != units[3].stretch
    (alone,) = training_units(PARAMETERS, range(4, 5))
    np.testing.assert_array_equal(alone.cell.currents, units[4].cell.currents)
    assert (alone.layout, alone.stretch) == (units[4].layout, units[4].stretch)


def test_a_free_dataset_needs_no_cell_models(mechanism, tmp_path, monkeypatch):
    for name in ("LFPy", "MEArec", "MEAutility"):
        monkeypatch.setitem(sys.modules, name, None)
    folder = build_spike_dataset(tmp_path / "free", PARAMETERS, progress=False)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "loaded"))
    assert set(loaded) == {"train"}
    assert loaded["train"].num_rows == 24
    assert all(name.startswith("stylised_") for name in loaded["train"]["cell_type"])
    assert len(set(loaded["train"]["group"])) == 2
    assert loaded["train"].info.license == "apache-2.0"
    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == "apache-2.0"
    assert "| train | 24 | stylised neurons |" in card.text
    assert "test-*" not in (folder / "README.md").read_text()
    shorter = build_spike_dataset(tmp_path / "shorter", replace(PARAMETERS, num_units=1), progress=False)
    (first,) = datasets.load_dataset(str(shorter), cache_dir=str(tmp_path / "loaded")).values()
    np.testing.assert_array_equal(first["waveform"], loaded["train"][:4]["waveform"])


def test_without_neuron_it_says_how_to_install(monkeypatch):
    from huidurep_hf.simulation.neurons.spiking_mechanism import load_mechanism

    monkeypatch.setitem(sys.modules, "neuron", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "huidurep-hf\[simulation\]"'):
        load_mechanism.__wrapped__()


def test_unknown_source():
    with pytest.raises(ValueError, match=r"Got source 'real'; expected one of \['stylised'"):
        SpikeDatasetParameters(source="real")
