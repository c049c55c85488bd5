"""How well embeddings hold when spikes come otherwise than in training: dead channels, short windows, other rates."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from .baselines import in_probe_order, pca_features
from .embedding import agreement, cluster_by_mixture
from .feature_sets import model_features
from .true_spikes import TrueSpikes

if TYPE_CHECKING:
    from ...model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ...model.modeling_huidurep import HuiduRepModel

MASKED_FRACTION = 0.2
# The window of a public set of labelled tetrode spikes: 50 samples at 48 kHz, the trough early in it.
SHORT_MS_BEFORE, SHORT_MS_AFTER = 0.3, 0.74
RATES_HZ = (10_000.0, 20_000.0, 40_000.0, 48_000.0)


def mask_channels(spikes: TrueSpikes, fraction: float = MASKED_FRACTION, seed: int = 0) -> TrueSpikes:
    """Let channels of the probe be dead, the same ones for all spikes; a spike's own peak channel stays.

    Args:
        spikes: waveforms at true times.
        fraction: of the probe's channels, at least one.
        seed: which.

    Returns:
        The spikes with those channels masked and silent.
    """
    num_channels = len(spikes.noise_levels)
    num_dead = max(1, round(fraction * num_channels))
    dead = np.random.default_rng(seed).permutation(num_channels)[:num_dead]
    masked = np.isin(spikes.channel_indices, dead)
    masked[:, 0] = False
    return dataclasses.replace(
        spikes,
        waveforms=np.where(masked[:, None, :], 0.0, spikes.waveforms).astype("float32"),
        whitened=np.where(masked[:, None, :], 0.0, spikes.whitened).astype("float32"),
        channel_mask=spikes.channel_mask & ~masked,
    )


def cut_window(spikes: TrueSpikes, ms_before: float = SHORT_MS_BEFORE, ms_after: float = SHORT_MS_AFTER) -> TrueSpikes:
    """Keep a short window around each trough, as spikes have that were stored in one."""
    num_before = round(ms_before * spikes.sampling_rate / 1000)
    num_after = round(ms_after * spikes.sampling_rate / 1000)
    window = slice(spikes.peak_sample - num_before, spikes.peak_sample + num_after)
    return dataclasses.replace(spikes, waveforms=spikes.waveforms[:, window], peak_sample=num_before)


def compare_variants(
    variants: dict[str, TrueSpikes],
    model: HuiduRepModel,
    feature_extractor: HuiduRepFeatureExtractor,
    *,
    num_seeds: int = 10,
) -> dict:
    """Agreement of a model's embeddings and of principal components with the true units, for variants of spikes.

    Args:
        variants: name -> spikes, each with units of its own.
        model, feature_extractor: of HuiduRep.
        num_seeds: Gaussian mixtures for each.

    Returns:
        Plain JSON values: variant -> method ("PCA-32", "model") -> adjusted Rand index of each mixture seed.
    """
    rows = {}
    for name, spikes in variants.items():
        output = model_features(spikes, model, feature_extractor)
        in_order = in_probe_order(output.inputs, spikes.channel_indices)
        # In double precision, as in `compared_features`: the spikes as recorded then score the same here and there.
        methods = {"PCA-32": pca_features(in_order), "model": output.embeddings.astype("float64")}
        num_units = len(np.unique(spikes.labels))
        rows[name] = {
            method: [
                agreement(spikes.labels, found[None])[0]
                for found in cluster_by_mixture(features, num_units, range(num_seeds))
            ]
            for method, features in methods.items()
        }
    return rows
