"""How alike two units of two sessions are: embedding, template on displaced contacts, place, amplitude, correlogram.

A unit is seen from other places after a displacement, or on other channels. What it would show there is interpolated
by the Gaussian process that also makes templates of drifting tissue (`sorting/templates/drifting.py`), with its error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..sorting.output.fingerprint_table import UnitFingerprints, mean_of_halves
from ..sorting.templates.drifting import SCALES_UM, Field

NUM_SHAPES = 12
# SD of a neuron's own step from session to session: tissue is not rigid.
OWN_STEP_UM = 2.0
# Alignment of two units may differ by this.
SHIFTS_MS = np.arange(-0.3, 0.301, 0.05)
FEATURES = ("embedding", "template", "place", "amplitude", "correlogram", "template_error")
MAX_PAIRS_AT_ONCE = 500
# Variance on channels that are padding.
UNKNOWN = 1e6
# Templates are compared where the embedding or the place is nearer than this.
MAX_EMBEDDING_DISTANCE, MAX_PLACE_DISTANCE_UM = 5.0, 45.0


@dataclass(frozen=True)
class Seen:
    """Units of a session, or of one half of it, as they are compared.

    Attributes:
        embedding: `(num_units, embedding_size)`.
        embedding_variance: `(num_units,)` of the sampling of its mean, all dimensions together.
        place: `(num_units, 2)` µm.
        amplitude: `(num_units,)` log of the largest peak-to-peak, in the unit of the traces.
        scores: `(num_units, num_shifts, num_channels, num_shapes)` of the template, per session noise.
        energies: `(num_units, num_shifts, num_channels)` of the scores.
        variances: `(num_units, num_channels)` of the error of a score; `UNKNOWN` for padding.
        positions: `(num_units, num_channels, 2)` µm.
        weights, inverses, scales, priors: of the field of each unit.
        correlogram: `(num_units, num_lags)` and `num_spikes` `(num_units,)` it was counted from.
    """

    embedding: np.ndarray
    embedding_variance: np.ndarray
    place: np.ndarray
    amplitude: np.ndarray
    scores: np.ndarray
    energies: np.ndarray
    variances: np.ndarray
    positions: np.ndarray
    weights: np.ndarray
    inverses: np.ndarray
    scales: np.ndarray
    priors: np.ndarray
    correlogram: np.ndarray
    num_spikes: np.ndarray
    shank: np.ndarray

    def __len__(self) -> int:
        return len(self.place)


def common_shapes(tables: list[UnitFingerprints], seed: int = 0) -> np.ndarray:
    """Temporal shapes of the templates of all sessions, `(num_shapes, num_samples)`: singular vectors."""
    rows = [np.zeros((0, tables[0].template.shape[2]), "float32")]
    for table in tables:
        templates = mean_of_halves(table.template, table.num_averaged)
        on_channels = np.nan_to_num(templates).transpose(0, 2, 1)[:, :8].reshape(-1, templates.shape[1])
        rows.append(on_channels.astype("float32"))
    rows = np.concatenate(rows)
    if len(rows) > 20_000:
        rows = rows[np.random.default_rng(seed).permutation(len(rows))[:20_000]]
    # As in the shrinkage of templates, a large unit counts by the root of its size.
    rows = rows / np.sqrt(np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))
    if not rows.any():
        return np.eye(rows.shape[1])[:NUM_SHAPES]
    return np.linalg.svd(rows, full_matrices=False)[2][:NUM_SHAPES]


def see(table: UnitFingerprints, shapes: np.ndarray, part: int | None = None) -> Seen:
    """Prepare the units of a session, or of one half of it, for comparison."""
    from scipy.linalg import cho_solve

    num_units = len(table)
    if part is None:
        template = mean_of_halves(table.template, table.num_averaged)
        counts, averaged = table.num_embedded.sum(axis=1), table.num_averaged.sum(axis=1)
        with np.errstate(invalid="ignore"):
            error = (
                np.sqrt(np.nansum(np.square(table.template_error) * np.square(table.num_averaged)[:, :, None], axis=1))
                / np.maximum(averaged, 1)[:, None]
            )
        embedding = mean_of_halves(table.embedding, table.num_embedded)
        place = mean_of_halves(table.location, table.num_embedded)
        correlogram = mean_of_halves(table.correlogram, table.num_spikes)
        num_spikes = table.num_spikes.sum(axis=1)
    else:
        template, error = table.template[:, part], table.template_error[:, part]
        counts, embedding, place = table.num_embedded[:, part], table.embedding[:, part], table.location[:, part]
        correlogram, num_spikes = table.correlogram[:, part], table.num_spikes[:, part]
        averaged = table.num_averaged[:, part]
    is_there = table.noise_levels > 0
    usual = np.median(table.noise_levels[is_there]) if is_there.any() else 1.0
    relative = table.noise_levels / usual
    template = np.nan_to_num(template) * relative[:, None, :]
    variances = np.where(is_there & (averaged > 0)[:, None], np.square(np.nan_to_num(error) * relative), UNKNOWN)
    scores = np.einsum("usc,frs->ufcr", template, _shifted(shapes, table), optimize=True).astype("float32")
    middle = scores[:, len(SHIFTS_MS) // 2]
    num_channels = template.shape[2]
    weights = np.zeros((num_units, num_channels, len(shapes)), dtype="float32")
    inverses = np.zeros((num_units, num_channels, num_channels), dtype="float32")
    scales, priors = np.full(num_units, SCALES_UM[0], "float32"), np.zeros(num_units, "float32")
    for unit in range(num_units):
        own = is_there[unit]
        field = Field(table.positions[unit, own].astype("float64"), middle[unit, own], variances[unit, own])
        identity = np.eye(int(own.sum()))
        weights[unit, own] = field.weights
        inverses[unit][np.ix_(own, own)] = cho_solve(field.factor, identity)
        scales[unit], priors[unit] = field.scale, field.prior
    trace = np.nan_to_num(np.trace(table.embedding_covariance, axis1=1, axis2=2), nan=table.embedding.shape[2] * 0.25)
    size = np.ptp(template, axis=1).max(axis=1, initial=0) * usual
    return Seen(
        embedding=embedding,
        embedding_variance=trace / np.maximum(counts, 1),
        place=place,
        amplitude=np.log(np.maximum(size, 1e-6)),
        scores=scores,
        energies=np.square(scores).sum(axis=3),
        variances=variances.astype("float32"),
        positions=table.positions,
        weights=weights,
        inverses=inverses,
        scales=scales,
        priors=priors,
        correlogram=correlogram,
        num_spikes=num_spikes,
        shank=table.shank,
    )


def _shifted(shapes: np.ndarray, table: UnitFingerprints) -> np.ndarray:
    """Shapes moved in time, `(num_shifts, num_shapes, num_samples)`: as good as templates moved the other way."""
    from scipy.interpolate import CubicSpline

    times = np.arange(shapes.shape[1]) / table.description["template_rate_hz"] * 1000
    spline = CubicSpline(times, shapes, axis=1)
    moved = [spline(times - shift) * ((times >= shift) & (times <= times[-1] + shift)) for shift in SHIFTS_MS]
    return np.stack(moved)


def near_pairs(first: Seen, second: Seen, displacement_um: float, max_distance_um: float) -> np.ndarray:
    """Pairs `(num_pairs, 2)` of units of one shank that are near each other after the displacement."""
    from scipy.spatial import cKDTree

    pairs = [np.zeros((0, 2), dtype="int64")]
    for shank in np.unique(first.shank):
        a = np.flatnonzero((first.shank == shank) & np.isfinite(first.place).all(axis=1))
        b = np.flatnonzero((second.shank == shank) & np.isfinite(second.place).all(axis=1))
        if len(a) and len(b):
            moved = first.place[a] + [0.0, displacement_um]
            found = cKDTree(moved).query_ball_tree(cKDTree(second.place[b]), max_distance_um)
            rows = np.repeat(np.arange(len(a)), [len(one) for one in found])
            pairs.append(np.column_stack([a[rows], b[np.concatenate([*found, []]).astype("int64")]]))
    return np.concatenate(pairs)


def compare(first: Seen, second: Seen, pairs: np.ndarray, displacement_um: float) -> np.ndarray:
    """Features of pairs, `(num_pairs, 6)` in the order of [`FEATURES`].

    The distance of embeddings (SDs of the noise of one spike), of templates (1 less their cosine), of places (µm), of
    log amplitudes (first less second), of autocorrelograms, and the distance of templates that noise and interpolation
    alone would make.

    Args:
        first, second: units of two sessions.
        pairs: `(num_pairs, 2)` units of the first and the second.
        displacement_um: of the second session against the first.
    """
    features = np.zeros((len(pairs), len(FEATURES)))
    for start in range(0, len(pairs), MAX_PAIRS_AT_ONCE):
        a, b = pairs[start : start + MAX_PAIRS_AT_ONCE].T
        own = features[start : start + MAX_PAIRS_AT_ONCE]
        squared = np.square(first.embedding[a] - second.embedding[b]).sum(axis=1)
        own[:, 0] = np.sqrt(np.maximum(squared - first.embedding_variance[a] - second.embedding_variance[b], 0.01))
        own[:, 2] = np.linalg.norm(first.place[a] + [0.0, displacement_um] - second.place[b], axis=1)
        # Most pairs are seen to be different without their templates.
        own[:, [1, 5]] = 1.0
        is_open = (own[:, 0] < MAX_EMBEDDING_DISTANCE) | (own[:, 2] < MAX_PLACE_DISTANCE_UM)
        forward = _template_distance(first, a[is_open], second, b[is_open], displacement_um)
        backward = _template_distance(second, b[is_open], first, a[is_open], -displacement_um)
        own[is_open, 1], own[is_open, 5] = 0.5 * (forward[0] + backward[0]), 0.5 * (forward[1] + backward[1])
        own[:, 3] = first.amplitude[a] - second.amplitude[b]
        own[:, 4] = _correlogram_distance(first, a, second, b)
    return features


def _template_distance(
    source: Seen, a: np.ndarray, target: Seen, b: np.ndarray, displacement_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """1 less the noise-corrected cosine of predicted and measured templates at the target's channels, any gain.

    And how large it would be of one neuron, by the errors of the prediction: both `(num_pairs,)`.
    """
    places = target.positions[b] - np.array([0.0, displacement_um], dtype="float32")
    from_source = np.square(places[:, :, None, :] - source.positions[a][:, None, :, :]).sum(axis=3)
    covariance = source.priors[a, None, None] * np.exp(-0.5 * from_source / source.scales[a, None, None] ** 2)
    predicted = covariance @ source.weights[a]
    explained = ((covariance @ source.inverses[a]) * covariance).sum(axis=2)
    # A Gaussian process of this covariance changes so much over a step, in both directions of the plane.
    moved = 2 * (OWN_STEP_UM / source.scales[a, None]) ** 2
    unknown = np.maximum(source.priors[a, None] - explained, 0) + moved * source.priors[a, None]
    # Channels count by how well both are known there; the prior sets the scale of what a unit shows.
    reliability = 1 / (1 + (unknown + target.variances[b]) / np.maximum(0.1 * source.priors[a, None], 1e-9))
    reliability = np.where(target.variances[b] < UNKNOWN, reliability, 0).astype("float32")
    measured = target.scores[b]
    weighted = predicted * reliability[:, :, None]
    num_pairs, num_shifts, num_channels, num_shapes = measured.shape
    # There may be no pair at all.
    flat = measured.reshape(num_pairs, num_shifts, num_channels * num_shapes)
    products = (flat @ weighted.reshape(num_pairs, num_channels * num_shapes, 1))[:, :, 0]
    energy = (weighted * predicted).sum(axis=(1, 2))
    others = (target.energies[b] @ reliability[:, :, None])[:, :, 0]
    noise = len(source.weights[0, 0]) * (reliability * target.variances[b]).sum(axis=1)
    others = np.maximum(others - noise[:, None], 0.05 * others)
    cosine = products / np.sqrt(np.maximum(energy[:, None] * others, 1e-12))
    wrong = len(source.weights[0, 0]) * (reliability * unknown).sum(axis=1)
    error = 0.5 * (wrong + noise) / np.maximum(energy + wrong, 1e-12)
    return 1 - cosine.max(axis=1), np.minimum(error, 1.0)


def _correlogram_distance(first: Seen, a: np.ndarray, second: Seen, b: np.ndarray) -> np.ndarray:
    """Distance of the shapes of autocorrelograms (Hellinger), less what their counts make."""
    shapes, noise = [], 0
    for seen, units in ((first, a), (second, b)):
        counts = np.nan_to_num(seen.correlogram[units]) * seen.num_spikes[units, None]
        total = counts.sum(axis=1, keepdims=True)
        shapes.append(np.sqrt((counts + 0.5) / (total + 0.5 * counts.shape[1])))
        noise = noise + counts.shape[1] / 4 / np.maximum(total[:, 0] + 0.5 * counts.shape[1], 1)
    return np.square(shapes[0] - shapes[1]).sum(axis=1) - noise
