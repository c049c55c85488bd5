"""One sentence on how far a recording is from what the model was developed on, with advice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...recording.times import recorded_s
from ..spikes import Spikes
from .reference import Described, FitReference
from .settings import FitSettings

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording

ADVICE = (
    "check sign (peak_sign), sampling rate, order of the channels and filter, look at units before their labels are"
    " trusted, and see docs/training.md on adaptation"
)


@dataclass(frozen=True)
class Fit:
    """How far a recording is from the development recordings.

    Attributes:
        distance: Fréchet distance of its embeddings, over that which nine of ten development recordings keep within;
            None where there are too few peaks, or the model has no reference.
        noise_uv: median noise SD, µV; None if the gain is unknown.
        rate_hz: peaks a second and channel.
        is_familiar: whether all of these are like in the development recordings; None if that is not known.
        sentence: what is to be said of it.
    """

    distance: float | None
    noise_uv: float | None
    rate_hz: float
    is_familiar: bool | None
    sentence: str

    def to_dict(self) -> dict:
        """Plain JSON values."""
        return asdict(self)


def check_fit(
    reference: FitReference | None,
    embeddings: np.ndarray,
    of_noise: np.ndarray,
    prepared: PreparedRecording,
    num_peaks: int,
    settings: FitSettings,
) -> Fit:
    """Compare a recording with the development recordings of the model.

    Args:
        reference: of the model, None if it has none.
        embeddings: `(num_embedded, embedding_size)` of peaks as they were detected.
        of_noise: `(num_windows, embedding_size)` of [`noise_windows`].
        prepared: the preprocessed recording.
        num_peaks: of the whole recording.
        settings: [`~huidurep_hf.sorting.fit.settings.FitSettings`].
    """
    described = describe(embeddings, of_noise, prepared, num_peaks, settings)
    noise = None if np.isnan(described.noise) else round(described.noise, 3)
    rate = round(described.rate_hz, 4)
    measured = f"{rate:.2g} peaks a second and channel" + ("" if noise is None else f", noise {noise:.3g} µV")
    if reference is None:
        return Fit(None, noise, rate, None, f"Fit: unknown, as the model has no reference; {measured}.")
    unusual = []
    low, high = reference.rate_hz
    factor = settings.max_fit_rate_factor
    if not low / factor <= rate <= high * factor:
        unusual.append(f"{rate:.2g} peaks a second and channel, of {low:.2g} to {high:.2g}")
    low, high = reference.noise
    factor = settings.max_fit_noise_factor
    if noise is not None and not low / factor <= noise <= high * factor:
        unusual.append(f"noise of {noise:.3g} µV, of {low:.3g} to {high:.3g}")
    distance = None
    if len(embeddings) >= settings.min_fit_peaks:
        distance = round(reference.distance(described), 3)
        if distance > settings.max_fit_distance:
            unusual.append(f"embeddings {distance:.2f} times as far off as usual")
    if unusual:
        sentence = f"Fit: unlike the recordings the model was developed on ({'; '.join(unusual)}); {ADVICE}."
    elif distance is None:
        sentence = f"Fit: unknown, as {len(embeddings)} peaks are too few to compare; {measured}."
    else:
        sentence = (
            f"Fit: like the recordings the model was developed on (embeddings {distance:.2f} times as far off as"
            f" usual; {measured})."
        )
    is_familiar = False if unusual else None if distance is None else True
    return Fit(distance, noise, rate, is_familiar, sentence)


def describe(
    embeddings: np.ndarray, of_noise: np.ndarray, prepared: PreparedRecording, num_peaks: int, settings: FitSettings
) -> Described:
    """Measure what is compared; arguments as of [`check_fit`]."""
    chosen = np.linspace(0, len(embeddings) - 1, min(len(embeddings), settings.max_fit_peaks)).astype(int)
    size = embeddings.shape[1]
    noise = of_noise.mean(axis=0, dtype="float64") if len(of_noise) else np.zeros(size)
    some = embeddings[chosen] - noise
    num_channels = len(prepared.noise_levels)
    duration_s = recorded_s(prepared.recording)
    return Described(
        mean=some.mean(axis=0) if len(some) else np.zeros(size),
        covariance=np.cov(some.T) if len(some) > 1 else np.zeros((size, size)),
        noise=float(np.median(prepared.noise_levels)) if prepared.unit == "uV" else float("nan"),
        rate_hz=num_peaks / duration_s / num_channels,
    )


def noise_windows(prepared: PreparedRecording, peaks: Spikes, settings: FitSettings, seed: int) -> Spikes:
    """Windows at random times on the channels of random peaks, in order.

    Args:
        prepared: the preprocessed recording.
        peaks: at least one.
        settings: number of the windows, and how near to an end they may be.
        seed: of times and channels.
    """
    rng = np.random.default_rng(seed)
    rate = prepared.recording.get_sampling_frequency()
    num_windows = settings.num_fit_noise_windows
    chosen = rng.integers(0, len(peaks), num_windows)
    segments, channels = peaks["segment_index"][chosen], peaks["channel_index"][chosen]
    num_samples = np.array([prepared.recording.get_num_samples(i) for i in range(len(prepared.segment_indices))])
    margin = np.minimum(round(settings.fit_noise_margin_ms * 1e-3 * rate), num_samples[segments] // 4)
    samples = margin + (rng.random(num_windows) * (num_samples[segments] - 2 * margin)).astype("int64")
    order = np.lexsort((samples, segments))
    return Spikes(
        segment_index=segments[order],
        sample_index=samples[order].astype(peaks["sample_index"].dtype),
        channel_index=channels[order],
        amplitude=np.zeros(num_windows, dtype="float32"),
    )
