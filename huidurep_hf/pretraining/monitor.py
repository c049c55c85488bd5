"""Figures that a run is watched by, on training units kept aside: can views of one unit be told from the others'?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from .dataset import SpikePairs
from .views import SpikeViews

if TYPE_CHECKING:
    from ..model.modeling_huidurep import HuiduRepModel

UNITS_PER_SORT = 12
VIEWS_PER_UNIT = 80
REGULARIZATION = 1e-3
"""Added to the covariances of embeddings of unit variance, as when a model is evaluated."""


def sort_validation_units(
    model: HuiduRepModel, pairs: SpikePairs, units: np.ndarray, views: SpikeViews, num_sorts: int = 6, seed: int = 0
) -> dict[str, float]:
    """Embed views of a few units of one probe, cluster them with the true number of units, and score; several times.

    Args:
        model: a `HuiduRepModel`; evaluated without gradients, left in the mode it was in.
        pairs: the dataset.
        units: indices of the units that are kept from training.
        views: how a recording distorts them.
        num_sorts: how many groups of units, on probes drawn in turn.
        seed: of groups, views and mixtures.

    Returns:
        `ari`: mean adjusted Rand index; `snr_gain_db`: how much nearer to the clean spike the denoiser comes, left out
        where no clean spike is known. Nothing where no probe has two units.
    """
    device = next(model.parameters()).device
    random = np.random.default_rng(seed)
    generator = torch.Generator(device=device).manual_seed(seed)
    names, counts = np.unique(pairs.probes[units], return_counts=True)
    # In a drawn order: in that of their names the first would all be versions of one layout.
    probes = random.permutation(names[counts > 1])
    if len(probes) == 0:
        return {}
    scores, noise_power, error_power = [], 0.0, 0.0
    was_training = model.training
    model.eval()
    for index in range(num_sorts):
        candidates = units[pairs.probes[units] == probes[index % len(probes)]]
        chosen = random.permutation(candidates)[:UNITS_PER_SORT]
        spikes, _, labels = pairs.read(chosen, random, pairs_per_unit=VIEWS_PER_UNIT)
        # Without other spikes in the place of clean ones: their noise would be measured as the denoiser's error.
        spikes = replace(spikes, partners=None).to(device)
        # A unit has one signal-to-noise ratio, as in a recording.
        view, _ = views(spikes, spikes, generator, VIEWS_PER_UNIT)
        with torch.no_grad():
            output = model(view.waveforms, view.positions, view.mask)
        # NaN where the spike is recorded and its truth not known.
        noise_power += torch.nansum((view.waveforms - view.clean) ** 2).item()
        error_power += torch.nansum((output.denoised_waveforms - view.clean) ** 2).item()
        embeddings = output.embeddings.float().cpu().numpy()
        # One scale for every objective: what is added to the covariances means the same.
        embeddings = embeddings / embeddings.std(axis=0).mean().clip(min=1e-6)
        mixture = GaussianMixture(len(chosen), reg_covar=REGULARIZATION, random_state=seed).fit(embeddings)
        scores.append(adjusted_rand_score(labels.numpy(), mixture.predict(embeddings)))
    model.train(was_training)
    figures = {"ari": float(np.mean(scores))}
    if error_power > 0:
        figures["snr_gain_db"] = 10 * float(np.log10(noise_power / error_power))
    return figures
