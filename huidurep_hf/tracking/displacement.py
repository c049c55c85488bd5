"""How far the probe moved along its depth between two sessions, by the units that are in both.

The embedding of a neuron hardly depends on where it is, so every pair of similar units of two sessions votes for the
difference of their depths. Pairs of different neurons vote for anything; pairs of one neuron vote for the same value,
however many of the others were replaced. The vote is a kernel density of these differences (Silverman 1986).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..sorting.output.fingerprint_table import UnitFingerprints, mean_of_halves
from .settings import TrackingSettings


@dataclass(frozen=True)
class Displacement:
    """Of the second of two sessions against the first.

    Attributes:
        um: units are by so much higher on the probe; 0 where it cannot be seen.
        error_um: standard error; more where few units are found again, infinite where it cannot be seen.
        second_um: the next likely displacement by the vote.
    """

    um: float
    error_um: float
    second_um: float = 0.0


UNSEEN = Displacement(0.0, np.inf)
# No single pair of units decides where the others are.
MAX_PROBABILITY = 1 - 1e-4


def find_displacement(first: UnitFingerprints, second: UnitFingerprints, settings: TrackingSettings) -> Displacement:
    """Estimate the displacement between two sessions of one probe.

    Args:
        first, second: units of the sessions.
        settings: [`~huidurep_hf.tracking.settings.TrackingSettings`].
    """
    from scipy.ndimage import gaussian_filter1d

    votes = [np.isin(one.shank, _long_shanks(one, settings)) for one in (first, second)]
    if not all(of_session.any() for of_session in votes):
        return UNSEEN
    first, second = (one.chosen(of_session) for one, of_session in zip((first, second), votes))
    weights = _similarities(first, second, settings)
    first_place, second_place = (_place(one) for one in (first, second))
    differences = second_place[None, :, 1] - first_place[:, None, 1]
    across = second_place[None, :, 0] - first_place[:, None, 0]
    weights = weights * np.exp(-0.5 * np.square(across / settings.location_sd_um))
    weights[(first.shank[:, None] != second.shank[None, :]) | ~np.isfinite(differences)] = 0
    most, kernel = settings.max_displacement_um, settings.displacement_kernel_um
    reach = most + 3 * kernel
    row, column = np.nonzero((weights > 1e-4) & (np.abs(differences) <= reach))
    weights, differences = weights[row, column], differences[row, column]
    if len(weights) == 0:
        return UNSEEN
    grid = np.arange(-most, most + 0.5, 1.0)
    places = np.round(differences - grid[0]).astype("int64")
    inside = (places >= 0) & (places < len(grid))
    votes = np.bincount(places[inside], weights=weights[inside], minlength=len(grid))
    votes = gaussian_filter1d(votes, kernel, mode="constant") * kernel * np.sqrt(2 * np.pi)
    # Pairs by chance are the fewer the farther they are; a probe that stayed where it was is likeliest by far.
    votes += settings.vote_for_rest * np.exp(-0.5 * np.square(grid / (3 * kernel)))
    best = grid[votes.argmax()]
    others = np.where(np.abs(grid - best) > 3 * kernel, votes, 0)
    elsewhere, second = others.max(), float(grid[others.argmax()])
    for _ in range(10):
        near = weights * np.exp(-0.5 * np.square((differences - best) / kernel))
        if near.sum() == 0:
            return UNSEEN
        best = float(np.clip((near * differences).sum() / near.sum(), -most, most))
    effective = near.sum() ** 2 / np.square(near).sum()
    scatter = np.sqrt((near * np.square(differences - best)).sum() / near.sum())
    # A vote that is hardly ahead of another one is worth little.
    ambiguity = (elsewhere / votes.max()) ** 4 * 3 * kernel
    return Displacement(best, float(np.hypot((scatter + 1.0) / np.sqrt(max(effective, 1)), ambiguity)), second)


def is_sure(
    found: Displacement, probabilities_at: Callable[[float], np.ndarray], num_units: int, settings: TrackingSettings
) -> bool:
    """Whether a vote is ahead of others, and units are found again at it.

    Args:
        found: by [`find_displacement`].
        probabilities_at: gives the probabilities of all near pairs at a displacement, µm.
        num_units: of the smaller session.
        settings: [`~huidurep_hf.tracking.settings.TrackingSettings`].
    """
    return found.error_um <= settings.max_vote_error_um and _is_found(probabilities_at(found.um), num_units, settings)


def search_displacement(
    found: Displacement, probabilities_at: Callable[[float], np.ndarray], num_units: int, settings: TrackingSettings
) -> Displacement:
    """Take the displacement at which most units are found again, around the two that the vote finds likeliest.

    The vote asks embeddings and places alone. Here templates count, too: all pairs of units are compared at each
    displacement, and a pair of probability p adds -log(1 - p), which grows with each unit that is surely found again.

    Args:
        found, probabilities_at, num_units, settings: as of [`is_sure`].

    Returns:
        [`Displacement`]. Where few units are found again at the best of them, too, a vote that is ahead of others
        stays, and an error of `refinement_reach_um` or more makes it count little beside other pairs of sessions.
    """
    probabilities_at = cache(probabilities_at)

    def gain_at(um: float) -> float:
        return float(-np.log1p(-np.minimum(probabilities_at(um), MAX_PROBABILITY)).sum())

    reach, step = settings.refinement_reach_um, settings.refinement_step_um
    around = np.arange(-reach, reach + 0.5 * step, step)
    most = settings.max_displacement_um
    tried = np.clip([found.um + around, found.second_um + around], -most, most)
    coarse = {float(um): gain_at(um) for um in np.unique(tried)}
    best = max(coarse, key=coarse.get)
    finest = step / 3
    fine = {float(um): gain_at(um) for um in np.clip(best + finest * np.arange(-2, 3), -most, most)}
    best = max(fine, key=fine.get)
    if fine[best] > 0 and _is_found(probabilities_at(best), num_units, settings):
        return Displacement(best, finest, found.second_um)
    keeps_vote = found.error_um <= settings.max_vote_error_um or fine[best] == 0
    return Displacement(found.um if keeps_vote else best, max(found.error_um, reach), found.second_um)


def _is_found(probabilities: np.ndarray, num_units: int, settings: TrackingSettings) -> bool:
    return probabilities.sum() >= settings.min_found_share * num_units


def _long_shanks(table: UnitFingerprints, settings: TrackingSettings) -> list[str]:
    """Shanks that show a displacement. Tetrodes of one drive lie far apart, and none of them shows any."""
    depths = {shank: table.contacts[table.contact_shanks == shank, 1] for shank in np.unique(table.contact_shanks)}
    return [shank for shank, own in depths.items() if np.ptp(own) >= settings.min_probe_length_um]


def _place(table: UnitFingerprints) -> np.ndarray:
    """Of each unit `(num_units, 2)`, µm: mean of its halves."""
    return mean_of_halves(table.location, table.num_embedded)


def _similarities(first: UnitFingerprints, second: UnitFingerprints, settings: TrackingSettings) -> np.ndarray:
    from scipy.spatial.distance import cdist

    means = [np.nan_to_num(mean_of_halves(one.embedding, one.num_embedded), nan=1e3) for one in (first, second)]
    return np.exp(-0.5 * np.square(cdist(*means) / settings.embedding_sd))
