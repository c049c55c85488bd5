import dataclasses

import numpy as np
import pytest
import torch

from huidurep_hf import HuiduRepFeatureExtractor
from huidurep_hf.evaluation.representation.feature_sets import (
    compared_features,
    model_features,
    own_features,
    with_random_decoder,
)


@pytest.fixture
def output(spikes, tiny_model):
    return model_features(spikes, tiny_model, HuiduRepFeatureExtractor.from_config(tiny_model.config))


def test_model_sees_the_spikes_in_order(spikes, tiny_model, output):
    assert output.inputs.shape == output.denoised.shape == (len(spikes.labels), 72, 8)
    # Equal rates: the model's window is cut out of the given one, trough on trough.
    assert (output.inputs == spikes.waveforms[:, 42 - 24 : 42 + 48]).all()
    last = slice(len(spikes.labels) - 1, None)
    with torch.no_grad():
        alone = tiny_model(
            *(torch.from_numpy(values[last]) for values in (output.inputs, output.channel_positions)),
            torch.from_numpy(output.channel_mask[last]),
        )
    assert output.embeddings[last] == pytest.approx(alone.embeddings.numpy(), abs=1e-4)


def test_every_method_has_features_of_every_spike(spikes, output):
    features = compared_features(spikes, output)
    assert list(features) == [
        "PCA-32",
        "PCA, 5 aligned channels",
        "PCA-12, whitened traces",
        "PCA-12, whitened, on the probe",
        "model",
        "PCA-32 + location",
        "PCA, 5 aligned channels + location",
        "PCA-12, whitened traces + location",
        "PCA-12, whitened, on the probe + location",
        "model + location",
        "model + own location",
    ]
    assert all(len(values) == len(spikes.labels) and np.isfinite(values).all() for values in features.values())
    same_location = [features[f"{name} + location"][:, -2:] for name in ("PCA-32", "model")]
    assert (same_location[0] == same_location[1]).all()


def test_a_model_that_does_not_localise_has_its_embeddings_alone(spikes, output):
    both = own_features(spikes, output)
    assert list(both) == ["model", "model + own location"]
    alone = own_features(spikes, dataclasses.replace(output, locations=None))
    assert list(alone) == ["model"]
    np.testing.assert_array_equal(alone["model"], both["model"])


def test_random_decoder_changes_the_decoder_alone(tiny_model):
    before = {name: values.clone() for name, values in tiny_model.state_dict().items()}
    untrained = with_random_decoder(tiny_model, seed=5)
    for name, values in untrained.state_dict().items():
        is_decoder_matrix = name.startswith("backbone.decoder") and values.ndim > 1
        assert torch.equal(values, before[name]) != is_decoder_matrix, name
    assert all(torch.equal(values, before[name]) for name, values in tiny_model.state_dict().items())
