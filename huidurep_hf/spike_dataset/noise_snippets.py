"""Real noise for the views to lay over clean spikes: its statistics, its whitened course in time, and its file."""

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

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Return frequencies `(num_bins,)`, Hz, and the mean power density of a channel `(num_bins,)`, SD² / Hz.

        The density is one-sided: its integral is the variance.
        """
        num_samples = self.waveforms.shape[1]
        frequencies = np.fft.rfftfreq(num_samples, 1 / self.sampling_rate)
        traces = self.waveforms.transpose(0, 2, 1)[self.mask]
        if len(traces) == 0:
            return frequencies, np.zeros(len(frequencies))
        taper = np.hanning(num_samples)
        power = (np.abs(np.fft.rfft(traces * taper, axis=1)) ** 2).mean(axis=0)
        power *= 2 / (self.sampling_rate * (taper**2).sum())
        power[[0, -1] if num_samples % 2 == 0 else [0]] /= 2
        return frequencies, power

    def correlation_by_distance(self, bin_um: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
        """Return distances between contacts `(num_bins,)`, µm, and the mean correlation of their noise `(num_bins,)`.

        Distances are rounded to multiples of `bin_um`; those that no pair of contacts has are left out.
        """
        total, count = {}, {}
        for members in self._by_place():
            covariance, present = self._covariance(members)
            scale = np.sqrt(np.diag(covariance))
            correlation = covariance / (scale[:, None] * scale[None, :])
            positions = self.positions[members[0]][present]
            distance = np.linalg.norm(positions[:, None] - positions[None], axis=2)
            upper = np.triu_indices(len(positions), k=1)
            for bin_index, value in zip(np.round(distance[upper] / bin_um).astype(int), correlation[upper]):
                total[bin_index] = total.get(bin_index, 0.0) + value * len(members)
                count[bin_index] = count.get(bin_index, 0) + len(members)
        bins = sorted(total)
        return bin_um * np.array(bins, dtype=float), np.array([total[index] / count[index] for index in bins])

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
