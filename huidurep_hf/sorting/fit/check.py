"""One sentence on how far a recording is from what the model was developed on, with advice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..spikes import Spikes
from .reference import Described, FitReference

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording

# Fewer peaks have no distribution; more of them say nothing new.
MIN_PEAKS, MAX_PEAKS = 40, 5000
# Nine of ten development recordings are within 1, and the tetrode of the examples has 1.7. Turned signs, three times
# the sampling rate, traces without what is above 1 kHz and noise alone have 1.8 and more; delayed channels 1.2 to 1.4.
MAX_DISTANCE = 1.75
# Windows at random times show what noise looks like to the model; spikes are in few of them.
NUM_NOISE_WINDOWS, MARGIN_MS = 200, 10.0
# So many times below the least and above the most of the development recordings.
MAX_FACTOR_OF_RATE, MAX_FACTOR_OF_NOISE = 5.0, 3.0
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
) -> Fit:
    """Compare a recording with the development recordings of the model.

    Args:
        reference: of the model, None if it has none.
        embeddings: `(num_embedded, embedding_size)` of peaks as they were detected.
        of_noise: `(num_windows, embedding_size)` of [`noise_windows`].
        prepared: the preprocessed recording.
        num_peaks: of the whole recording.
    """
    described = describe(embeddings, of_noise, prepared, num_peaks)
    noise = None if np.isnan(described.noise) else round(described.noise, 3)
    rate = round(described.rate_hz, 4)
    measured = f"{rate:.2g} peaks a second and channel" + ("" if noise is None else f", noise {noise:.3g} µV")
    if reference is None:
        return Fit(None, noise, rate, None, f"Fit: unknown, as the model has no reference; {measured}.")
    unusual = []
    low, high = reference.rate_hz
    if not low / MAX_FACTOR_OF_RATE <= rate <= high * MAX_FACTOR_OF_RATE:
        unusual.append(f"{rate:.2g} peaks a second and channel, of {low:.2g} to {high:.2g}")
    low, high = reference.noise
    if noise is not None and not low / MAX_FACTOR_OF_NOISE <= noise <= high * MAX_FACTOR_OF_NOISE:
        unusual.append(f"noise of {noise:.3g} µV, of {low:.3g} to {high:.3g}")
    distance = None
    if len(embeddings) >= MIN_PEAKS:
        distance = round(reference.distance(described), 3)
        if distance > MAX_DISTANCE:
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


def describe(embeddings: np.ndarray, of_noise: np.ndarray, prepared: PreparedRecording, num_peaks: int) -> Described:
    """Measure what is compared; arguments as of [`check_fit`]."""
    chosen = np.linspace(0, len(embeddings) - 1, min(len(embeddings), MAX_PEAKS)).astype(int)
    size = embeddings.shape[1]
    noise = of_noise.mean(axis=0, dtype="float64") if len(of_noise) else np.zeros(size)
    some = embeddings[chosen] - noise
    num_channels = len(prepared.noise_levels)
    duration_s = prepared.recording.get_total_duration()
    return Described(
        mean=some.mean(axis=0) if len(some) else np.zeros(size),
        covariance=np.cov(some.T) if len(some) > 1 else np.zeros((size, size)),
        noise=float(np.median(prepared.noise_levels)) if prepared.unit == "uV" else float("nan"),
        rate_hz=num_peaks / duration_s / num_channels,
    )


def noise_windows(prepared: PreparedRecording, peaks: Spikes, seed: int) -> Spikes:
    """Windows at random times on the channels of random peaks, in order.

    Args:
        prepared: the preprocessed recording.
        peaks: at least one.
        seed: of times and channels.
    """
    rng = np.random.default_rng(seed)
    rate = prepared.recording.get_sampling_frequency()
    chosen = rng.integers(0, len(peaks), NUM_NOISE_WINDOWS)
    segments, channels = peaks["segment_index"][chosen], peaks["channel_index"][chosen]
    num_samples = np.array([prepared.recording.get_num_samples(i) for i in range(len(prepared.segment_indices))])
    margin = np.minimum(round(MARGIN_MS * 1e-3 * rate), num_samples[segments] // 4)
    samples = margin + (rng.random(NUM_NOISE_WINDOWS) * (num_samples[segments] - 2 * margin)).astype("int64")
    order = np.lexsort((samples, segments))
    return Spikes(
        segment_index=segments[order],
        sample_index=samples[order].astype(peaks["sample_index"].dtype),
        channel_index=channels[order],
        amplitude=np.zeros(NUM_NOISE_WINDOWS, dtype="float32"),
    )
