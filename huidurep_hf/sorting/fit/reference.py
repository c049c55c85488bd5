"""Embeddings, noise and rates of the development recordings, by which others are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REFERENCES = Path(__file__).parent / "references"
HASH_DIGITS = 16
# Tetrodes and probes differ more from each other than recordings of either: the nearer group counts.
MAX_CHANNELS_OF_TETRODES = 8


@dataclass(frozen=True)
class Described:
    """What is measured of a recording.

    Attributes:
        mean: `(embedding_size,)` of the embeddings of its peaks.
        covariance: `(embedding_size, embedding_size)` of them.
        num_channels: used by the sorter.
        noise: median noise SD of the channels, in µV; NaN if the gain is unknown.
        rate_hz: peaks a second and channel.
    """

    mean: np.ndarray
    covariance: np.ndarray
    num_channels: int
    noise: float
    rate_hz: float


@dataclass(frozen=True)
class FitReference:
    """Development recordings of one model, in groups.

    Attributes:
        means: `(num_groups, embedding_size)`.
        covariances: `(num_groups, embedding_size, embedding_size)`.
        farthest: largest distance of one of these recordings to the nearest group without it.
        noise: lowest and highest, µV.
        rate_hz: lowest and highest, peaks a second and channel.
    """

    means: np.ndarray
    covariances: np.ndarray
    farthest: float
    noise: np.ndarray
    rate_hz: np.ndarray

    @classmethod
    def from_recordings(cls, described: Sequence[Described]) -> FitReference:
        """Gather recordings; each weighs the same."""
        groups = [
            [one for one in described if (one.num_channels <= MAX_CHANNELS_OF_TETRODES) == is_tetrode]
            for is_tetrode in (True, False)
        ]
        groups = [group for group in groups if len(group) > 1]
        distances = []
        for left_out in described:
            rest = [_pool([one for one in group if one is not left_out]) for group in groups]
            distances.append(min(frechet_distance(left_out, *pooled) for pooled in rest))
        pooled = [_pool(group) for group in groups]
        return cls(
            means=np.stack([mean for mean, _ in pooled]).astype("float32"),
            covariances=np.stack([covariance for _, covariance in pooled]).astype("float32"),
            farthest=float(max(distances)),
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
        return cls(**{**arrays, "farthest": float(arrays["farthest"])})

    def save(self, weights_sha256: str) -> Path:
        """Write it for [`of_model`]."""
        path = REFERENCES / f"{weights_sha256[:HASH_DIGITS]}.npz"
        np.savez_compressed(path, **vars(self))
        return path

    def distance(self, described: Described) -> float:
        """Distance to the nearer group, in units of the farthest development recording."""
        groups = zip(self.means, self.covariances)
        return min(frechet_distance(described, *group) for group in groups) / self.farthest


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


def _pool(group: Sequence[Described]) -> tuple[np.ndarray, np.ndarray]:
    mean = np.mean([one.mean for one in group], axis=0)
    spread = [one.covariance + np.outer(one.mean - mean, one.mean - mean) for one in group]
    return mean, np.mean(spread, axis=0)
