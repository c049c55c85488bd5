"""Real noise for the views to lay over clean spikes: its whitened course in time, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

RIDGE = 0.05
"""Share of each channel's own variance that is added before whitening: a near-singular covariance is not inverted."""


@dataclass(frozen=True)
class NoiseSnippets:
    """Stretches of recorded noise without detected spikes.

    Attributes:
        waveforms: `(num_snippets, num_samples, num_channels)` float32, in SDs of each channel's noise.
        positions: `(num_snippets, num_channels, 2)` float32, µm relative to the first channel.
        mask: `(num_snippets, num_channels)` bool, False for padding.
        places: `(num_snippets,)` int64; snippets of one place come from the same channels of the same recording.
        sampling_rate: Hz.
    """

    waveforms: np.ndarray
    positions: np.ndarray
    mask: np.ndarray
    places: np.ndarray
    sampling_rate: float

    def __len__(self) -> int:
        return len(self.waveforms)

    def whitened(self) -> np.ndarray:
        """Return single-channel stretches of unit variance, independent in space, `(num_stretches, num_samples)`.

        Each place's snippets are multiplied by the inverse square root of its covariance between channels, so what
        is left of each channel is its own course in time. Any covariance can then be laid on any number of them.
        """
        stretches = [np.zeros((0, self.waveforms.shape[1]), dtype="float32")]
        for members in self._by_place():
            covariance, present = self._covariance(members)
            covariance[np.diag_indices(len(covariance))] *= 1 + RIDGE
            values, vectors = np.linalg.eigh(covariance)
            # Symmetric, so that each channel stays as near to itself as may be.
            whitening = (vectors / np.sqrt(values)) @ vectors.T
            white = self.waveforms[members][:, :, present] @ whitening
            white /= white.std(axis=(0, 1))
            stretches.append(white.transpose(0, 2, 1).reshape(-1, white.shape[1]).astype("float32"))
        return np.concatenate(stretches)

    def save(self, path: str | Path) -> Path:
        """Write an .npz file, waveforms in half precision: 5 kB a snippet of 240 samples on 11 channels."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(
                file,
                waveforms=self.waveforms.astype("float16"),
                positions=self.positions,
                mask=self.mask,
                places=self.places,
                sampling_rate=self.sampling_rate,
            )
        return path

    @classmethod
    def load(cls, path: str | Path) -> NoiseSnippets:
        """Read a file of [`NoiseSnippets.save`].

        Raises:
            ValueError: no such file, or another kind of file.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"No noise file {str(path)!r}; make one with: python scripts/noise_from_recording.py")
        try:
            with np.load(path) as stored:
                return cls(
                    waveforms=stored["waveforms"].astype("float32"),
                    positions=stored["positions"],
                    mask=stored["mask"],
                    places=stored["places"],
                    sampling_rate=float(stored["sampling_rate"]),
                )
        except (KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
            raise ValueError(f"{str(path)!r} is not a file of NoiseSnippets.save ({error}).") from error

    def _by_place(self) -> list[np.ndarray]:
        return [np.flatnonzero(self.places == place) for place in np.unique(self.places)]

    def _covariance(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the covariance between the channels that a place has, and which they are."""
        present = self.mask[members[0]]
        samples = self.waveforms[members][:, :, present].reshape(-1, int(present.sum())).astype("float64")
        return samples.T @ samples / len(samples), present
