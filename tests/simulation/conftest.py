"""One cell model's real membrane currents, simulated once in a cache of the tests' own, and templates to record."""

import importlib.util
import shutil

import numpy as np
import pandas as pd
import pytest

from huidurep_hf.simulation.neurons.cells import load_cells


@pytest.fixture(scope="session")
def simulation_cache(tmp_path_factory):
    """An empty cache for the whole session: a user's would hide a failure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUIDUREP_CACHE", str(tmp_path_factory.mktemp("simulated")))
        yield


@pytest.fixture(scope="session")
def cell(simulation_cache):
    """The basket cell L5_NBC (few segments, quick in NEURON), simulated here."""
    for package in ("neuron", "LFPy", "MEArec"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc to compile the cell models' ion channels with")
    return load_cells(("L5_NBC",), progress=False)["L5_NBC"]


@pytest.fixture(scope="session")
def mechanism(simulation_cache):
    """Our own membrane mechanism, compiled here and loaded into NEURON."""
    if importlib.util.find_spec("neuron") is None:
        pytest.skip("neuron is not installed")
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc to compile the mechanism with")
    from huidurep_hf.simulation.neurons.spiking_mechanism import load_mechanism

    load_mechanism()


@pytest.fixture(scope="session")
def made_templates():
    """Templates that need no cell: two units on four contacts of a line, each moved by -20, 0 and 20 µm."""
    from probeinterface import generate_linear_probe

    from huidurep_hf.simulation.recordings.injection import UnitTemplates

    probe = generate_linear_probe(num_elec=4, ypitch=20)
    probe.set_device_channel_indices(np.arange(4))
    times = np.arange(90) - 40
    shape = -np.exp(-((times / 4) ** 2))
    displacements = np.array([-20.0, 0.0, 20.0])
    depth = np.array([20.0, 40.0])[None, :, None] + displacements[:, None, None]
    spread = np.exp(-((probe.contact_positions[:, 1] - depth) ** 2) / 300)
    waveforms = 100 * np.array([1.0, 0.6])[None, :, None, None] * shape[None, None, :, None] * spread[:, :, None, :]
    units = pd.DataFrame(
        {"unit_id": [0, 1], "cell_type": "made", "x": 0.0, "y": [20.0, 40.0], "amplitude_uv": [100.0, 60.0]}
    )
    return UnitTemplates(waveforms.astype(np.float32), displacements, 40, units), probe
