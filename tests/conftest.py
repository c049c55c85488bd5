"""Fixtures that several rooms share: no network, a private Hugging Face home, a tiny model and its folder, spikes."""

import os
import tempfile

# Before any Hugging Face library is imported: they read these once.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="huidurep-tests-")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
# Tests run side by side, a core for each: more threads than that only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from huidurep_hf import HuiduRepConfig, HuiduRepFeatureExtractor, HuiduRepForPreTraining, HuiduRepModel

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "projection_hidden_size": 16,
    "projection_size": 8,
}


# A browser; cells and channels that are compiled and simulated once.
SLOW_FIXTURES = {"open_page", "cell", "mechanism"}


def pytest_collection_modifyitems(items):
    """Tests with fixtures that take seconds are slow."""
    for item in items:
        if SLOW_FIXTURES & {*item.fixturenames}:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def build_tiny():
    """Function that builds a tiny model of a class, with weights that follow from a seed."""

    def build(model_class, **overrides):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return model_class(HuiduRepConfig(**{**TINY, **overrides})).eval()

    return build


@pytest.fixture
def tiny_model(build_tiny):
    return build_tiny(HuiduRepModel)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory, build_tiny):
    """Folder of a tiny pretraining checkpoint with its feature extractor, as it would be pushed."""
    folder = tmp_path_factory.mktemp("checkpoint")
    model = build_tiny(HuiduRepForPreTraining)
    model.save_pretrained(folder)
    HuiduRepFeatureExtractor.from_config(model.config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def spike_dataset(tmp_path_factory):
    """Folder of a light spike dataset of two probes."""
    from .light_dataset import build_dataset

    return build_dataset(tmp_path_factory.mktemp("spikes") / "spikes")


@pytest.fixture(scope="session")
def generated():
    """Ten seconds of eight channels with four well separated units: recording and true sorting."""
    from spikeinterface.core import generate_ground_truth_recording

    recording, sorting = generate_ground_truth_recording(
        durations=[10.0],
        num_channels=8,
        num_units=4,
        sampling_frequency=30000.0,
        generate_sorting_kwargs={"firing_rates": 8.0, "refractory_period_ms": 4.0},
        seed=2,
    )
    return recording.save(format="memory", progress_bar=False, verbose=False), sorting


@pytest.fixture(scope="session")
def labelled_spikes(generated):
    """Its spikes as a spike dataset, labelled by the true sorting."""
    from huidurep_hf.spike_dataset.from_recording import spikes_from_recording

    return spikes_from_recording(*generated, progress=False)
