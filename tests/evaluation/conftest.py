import numpy as np
import pytest

from huidurep_hf.evaluation.representation.true_spikes import true_spikes
from huidurep_hf.simulation.recordings import recordings
from huidurep_hf.simulation.recordings.examples import load_templates


@pytest.fixture(scope="package")
def spikes(generated):
    """The true spikes of the generated recording."""
    return true_spikes(*generated, unit_snr=np.array([2.0, 4.0, 8.0, 10.0]), max_spikes_per_unit=80)


@pytest.fixture
def small_conditions(monkeypatch):
    """One condition, made of bundled templates in place of simulated cells; returns the seeds generated."""
    from importlib import resources

    generated = []

    def generate(parameters):
        generated.append(parameters.seed)
        return recordings.example_recording("tetrode", duration_s=6.0, seed=parameters.seed)

    def place(_):
        with resources.as_file(
            resources.files("huidurep_hf.simulation.recordings") / "examples" / "tetrode.npz"
        ) as path:
            return load_templates(path)[0]

    monkeypatch.setattr(recordings, "generate_recording", generate)
    monkeypatch.setattr(recordings, "place_units", place)
    return generated
