"""Embeddings, noise and rates of the development recordings, by which others are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REFERENCES = Path(__file__).parent / "references"
HASH_DIGITS = 16
USUAL_SHARE = 0.9


@dataclass(frozen=True)
class Described:
    """What is measured of a recording.

    Attributes:
        mean: `(embedding_size,)` of the embeddings of its peaks, less the mean embedding of its noise: an embedding
            depends on where the contacts are, and so does that of noise.
        covariance: `(embedding_size, embedding_size)` of them.
        noise: median noise SD of the channels, in µV; NaN if the gain is unknown.
        rate_hz: peaks a second and channel.
    """

    mean: np.ndarray
    covariance: np.ndarray
    noise: float
    rate_hz: float


@dataclass(frozen=True)
class FitReference:
    """Development recordings of one model.

    Attributes:
        mean: `(embedding_size,)`, each recording of the same weight.
        covariance: `(embedding_size, embedding_size)` within and between recordings.
        usual: distance to all others that nine of ten of these recordings keep within.
        noise: lowest and highest, µV.
        rate_hz: lowest and highest, peaks a second and channel.
    """

    mean: np.ndarray
    covariance: np.ndarray
    usual: float
    noise: np.ndarray
    rate_hz: np.ndarray

    @classmethod
    def from_recordings(cls, described: Sequence[Described]) -> FitReference:
        """Gather recordings; each weighs the same."""
        distances = [
            frechet_distance(left_out, *_pool([one for one in described if one is not left_out]))
            for left_out in described
        ]
        mean, covariance = _pool(described)
        return cls(
            mean=mean.astype("float32"),
            covariance=covariance.astype("float32"),
            usual=float(np.quantile(distances, USUAL_SHARE)),
            noise=np.array([min(one.noise for one in described), max(one.noise for one in described)]),
            rate_hz=np.array([min(one.rate_hz for one in described), max(one.rate_hz for one in described)]),
        )

    @classmethod
    def of_model(cls, weights_sha256: str) -> FitReference | None:
        """The reference of a model by the hash of its weights; None of one that has none."""
        path = REFERENCES / f"{weights_sha256[:HASH_DIGITS]}.npz"
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return cls(**{**arrays, "usual": float(arrays["usual"])})

    def save(self, weights_sha256: str) -> Path:
        """Write it for [`of_model`]."""
        path = REFERENCES / f"{weights_sha256[:HASH_DIGITS]}.npz"
        np.savez_compressed(path, **vars(self))
        return path

    def distance(self, described: Described) -> float:
        """Fréchet distance to them, over the usual one."""
        return frechet_distance(described, self.mean, self.covariance) / self.usual


def frechet_distance(described: Described, mean: np.ndarray, covariance: np.ndarray) -> float:
    """Fréchet distance of two Gaussians (Dowson & Landau 1982), as it compares images with those of a network.

    Args:
        described: one of them.
        mean, covariance: the other.
    """
    eigenvalues = np.linalg.eigvals(described.covariance.astype("float64") @ covariance.astype("float64"))
    root = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    between = np.sum((described.mean - mean) ** 2)
    return float(between + np.trace(described.covariance) + np.trace(covariance) - 2 * root)


def _pool(described: Sequence[Described]) -> tuple[np.ndarray, np.ndarray]:
    mean = np.mean([one.mean for one in described], axis=0)
    spread = [one.covariance + np.outer(one.mean - mean, one.mean - mean) for one in described]
    return mean, np.mean(spread, axis=0)
