"""How much nearer a denoiser brings a spike to its clean waveform."""

from __future__ import annotations

import numpy as np

# Trough of the clean spike at its largest channel, in noise SDs. The second bin is the one that decides a sort.
SNR_BINS = ((0.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, np.inf))
LOW_RANKS = (4, 8, 16, 32, 64)


def snr_gain_db(clean: np.ndarray, noisy: np.ndarray, denoised: np.ndarray) -> float:
    """Return by how many dB a denoiser raises the ratio of signal to error.

    10·log10 of the summed squared error before, over that after; 0 for no denoiser, infinite for a perfect one.

    Args:
        clean, noisy, denoised: `(num_spikes, num_samples, num_channels)`, in noise SDs.

    Returns:
        Gain in dB; NaN without spikes.

    Raises:
        ValueError: if the three differ in shape.
    """
    _check_same_shape(clean, noisy, denoised)
    if clean.size == 0:
        return float("nan")
    before, after = _energy(noisy - clean), _energy(denoised - clean)
    if before == after:
        return 0.0
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(np.divide(before, after)))


def template_error(clean: np.ndarray, denoised: np.ndarray, labels: np.ndarray) -> float:
    """Return how far the mean denoised spike of a unit lies from the mean clean one, relative to the latter.

    Averaging removes noise but not bias, so this is what the denoiser invents or loses. Norm of the difference over
    norm of the clean mean, averaged over units.

    Args:
        clean, denoised: `(num_spikes, num_samples, num_channels)`.
        labels: `(num_spikes,)` unit of each spike.

    Returns:
        Fraction, 0 for none; NaN without spikes.
    """
    _check_same_shape(clean, denoised)
    errors = []
    for unit in np.unique(labels):
        truth = clean[labels == unit].mean(axis=0)
        found = denoised[labels == unit].mean(axis=0)
        errors.append(np.linalg.norm(found - truth) / np.linalg.norm(truth))
    return float(np.mean(errors)) if errors else float("nan")


def low_rank_denoiser(noisy: np.ndarray, rank: int, seed: int = 0) -> np.ndarray:
    """Denoise by the best Gaussian guess of a given rank, fitted on the noisy spikes themselves.

    Principal components of the flattened spikes; a component of variance v is kept by the factor (v - 1) / v (the
    noise has variance 1), the Wiener filter of probabilistic PCA (Tipping & Bishop 1999).

    Args:
        noisy: `(num_spikes, num_samples, num_channels)`, in noise SDs.
        rank: how many components are kept.
        seed: of the randomised decomposition.

    Returns:
        Denoised waveforms of the same shape.
    """
    from sklearn.decomposition import PCA

    if noisy.size == 0:
        return noisy.copy()
    flat = noisy.reshape(len(noisy), -1).astype("float64")
    pca = PCA(min(rank, *flat.shape), random_state=seed)
    scores = pca.fit_transform(flat)
    variance = np.maximum(pca.explained_variance_, 1e-12)
    kept = np.maximum(variance - 1.0, 0.0) / variance
    return pca.inverse_transform(scores * kept).reshape(noisy.shape).astype(noisy.dtype)


def best_low_rank_denoiser(clean: np.ndarray, noisy: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the low-rank denoising of the rank that comes nearest to the truth, and that rank.

    The rank is chosen knowing the truth, which no user could: the comparison errs in favour of this baseline.
    """
    candidates = {rank: low_rank_denoiser(noisy, rank) for rank in LOW_RANKS}
    rank = min(candidates, key=lambda rank: _energy(candidates[rank] - clean))
    return candidates[rank], rank


def denoising_table(clean: np.ndarray, noisy: np.ndarray, denoised: dict, labels: np.ndarray) -> list[dict]:
    """Compare denoisers by the SNR of the spikes.

    Args:
        clean, noisy: `(num_spikes, num_samples, num_channels)`, in noise SDs.
        denoised: name of the denoiser -> denoised waveforms of that shape.
        labels: `(num_spikes,)` unit of each spike.

    Returns:
        One dict per bin of SNR that holds spikes, and one for all: `snr_min`, `snr_max` (None for no limit),
        `num_spikes`, and `denoisers`: name -> `gain_db`, `template_error`.
    """
    snr = -clean.min(axis=(1, 2)) if len(clean) else np.zeros(0)
    rows = []
    for low, high in (*SNR_BINS, (0.0, np.inf)):
        chosen = (snr >= low) & (snr < high)
        if not chosen.any():
            continue
        truth, given = clean[chosen], noisy[chosen]
        scores = {
            name: {
                "gain_db": snr_gain_db(truth, given, values[chosen]),
                "template_error": template_error(truth, values[chosen], labels[chosen]),
            }
            for name, values in denoised.items()
        }
        limit = None if np.isinf(high) else high
        rows.append({"snr_min": low, "snr_max": limit, "num_spikes": int(chosen.sum()), "denoisers": scores})
    return rows


def _energy(waveforms: np.ndarray) -> float:
    return float((waveforms.astype("float64") ** 2).sum())


def _check_same_shape(*waveforms: np.ndarray) -> None:
    shapes = {array.shape for array in waveforms}
    if len(shapes) > 1 or waveforms[0].ndim != 3:
        raise ValueError(
            f"Got waveforms of shapes {[array.shape for array in waveforms]}; expected one and the same "
            "(num_spikes, num_samples, num_channels)."
        )
