"""The features that are compared: a model's embeddings beside principal components, each with and without location."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .baselines import (
    aligned_pca_features,
    in_probe_order,
    pca_features,
    placed_pca_features,
    spike_locations,
    whitened_pca_features,
    with_location,
)
from .true_spikes import TrueSpikes

if TYPE_CHECKING:
    from transformers import BatchFeature

    from ...model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ...model.modeling_huidurep import HuiduRepModel

BATCH_SIZE = 256


@dataclass(frozen=True)
class ModelFeatures:
    """What a model makes of spikes.

    Attributes:
        inputs: `(num_spikes, window_size, num_channels)` what the model saw, in noise SDs.
        denoised: the same shape, in noise SDs.
        embeddings: `(num_spikes, embedding_size)`.
        locations: `(num_spikes, 2)` where the model sees the neuron, µm relative to the peak channel; None from a model
            that does not localise.
        channel_positions: `(num_spikes, num_channels, 2)`, µm relative to the peak channel.
        channel_mask: `(num_spikes, num_channels)`, 1 for channels that are there.
        spikes_per_s: spikes embedded and denoised in a second, on this machine.
    """

    inputs: np.ndarray
    denoised: np.ndarray
    embeddings: np.ndarray
    locations: np.ndarray | None
    channel_positions: np.ndarray
    channel_mask: np.ndarray
    spikes_per_s: float


def model_features(
    spikes: TrueSpikes, model: HuiduRepModel, feature_extractor: HuiduRepFeatureExtractor
) -> ModelFeatures:
    """Embed and denoise spikes with a HuiduRep model, on the model's device.

    Args:
        spikes: waveforms at true times.
        model: `HuiduRepModel`.
        feature_extractor: its `HuiduRepFeatureExtractor`.

    Returns:
        [`ModelFeatures`], in the order of the spikes.
    """
    features = extract(spikes, feature_extractor)
    started = time.perf_counter()
    embeddings, denoised, locations = run_model(model, features)
    seconds = time.perf_counter() - started
    return ModelFeatures(
        inputs=features["waveforms"].numpy(),
        denoised=denoised,
        embeddings=embeddings,
        locations=locations,
        channel_positions=features["channel_positions"].numpy(),
        channel_mask=features["channel_mask"].numpy(),
        spikes_per_s=len(spikes.labels) / seconds,
    )


def extract(spikes: TrueSpikes, feature_extractor: HuiduRepFeatureExtractor) -> BatchFeature:
    """Return the model's input for spikes, a `BatchFeature`."""
    return feature_extractor(
        spikes.waveforms,
        sampling_rate=spikes.sampling_rate,
        channel_positions=spikes.channel_positions,
        channel_mask=spikes.channel_mask,
        peak_sample=spikes.peak_sample,
    )


@torch.no_grad()
def run_model(model: HuiduRepModel, features: BatchFeature) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return embeddings, denoised waveforms and locations (None if it gives none) of a feature extractor's batch."""
    model.eval()
    embeddings, denoised, locations = [], [], []
    # An empty batch still tells the shapes.
    for first in range(0, max(len(features["waveforms"]), 1), BATCH_SIZE):
        batch = {name: values[first : first + BATCH_SIZE].to(model.device) for name, values in features.items()}
        output = model(**batch)
        embeddings.append(output.embeddings.float().cpu().numpy())
        denoised.append(output.denoised_waveforms.float().cpu().numpy())
        if output.locations is not None:
            locations.append(output.locations.float().cpu().numpy())
    return np.concatenate(embeddings), np.concatenate(denoised), np.concatenate(locations) if locations else None


def with_random_decoder(model: HuiduRepModel, seed: int = 0) -> HuiduRepModel:
    """Return a copy of a model whose denoiser has never been trained; its encoder is the trained one."""
    untrained = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(model)(copy.deepcopy(model.config))
    untrained.backbone.decoder = fresh.backbone.decoder.to(model.device, model.dtype)
    return untrained


def compared_features(spikes: TrueSpikes, model_output: ModelFeatures) -> dict[str, np.ndarray]:
    """Return every method's features of the same spikes, by name, each `(num_spikes, num_features)`.

    "PCA-32" sees exactly what the model sees, its channels in the order of the probe, which serves it better than
    the order of distance. "PCA-12, whitened traces" sees them as the sorter whitens them, and "on the probe" keeps each
    channel in its place, so that components tell where a neuron lies. One location, the centre of mass
    of the raw waveforms, is appended to each method; a model that localises spikes itself has a last row with its own.
    """
    location = spike_locations(spikes)
    own = own_features(spikes, model_output)
    plain = {
        "PCA-32": pca_features(in_probe_order(model_output.inputs, spikes.channel_indices)),
        "PCA, 5 aligned channels": aligned_pca_features(spikes),
        "PCA-12, whitened traces": whitened_pca_features(spikes),
        "PCA-12, whitened, on the probe": placed_pca_features(spikes),
        "model": own["model"],
    }
    features = {**plain, **{f"{name} + location": with_location(values, location) for name, values in plain.items()}}
    return {**features, **own}


def own_features(spikes: TrueSpikes, model_output: ModelFeatures) -> dict[str, np.ndarray]:
    """Return the model's own features of spikes: its embeddings, and them with where it sees the neuron, if it does."""
    features = {"model": model_output.embeddings.astype("float64")}
    if model_output.locations is not None:
        places = spikes.peak_positions + model_output.locations.astype("float64")
        features["model + own location"] = with_location(features["model"], places)
    return features
