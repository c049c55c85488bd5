"""Whitening in space and time: noise that is the same in every channel and at every sample, and independent.

Two neurons are then as far apart as the Euclidean distance of their waveforms, in standard deviations of the noise,
so that the nearest template is the most likely one and a threshold on a template's gain is a threshold on the
likelihood ratio. For that, noise counts by what it is in the band that spikes are in: above the band-pass there is next
to none, and its SD per sample would say that there is less noise than a template meets (2.5 times less energy at 30
kHz, 4 at 48 kHz). Sorters commonly whiten in space alone; with the noise of band-passed traces, which is correlated
over about 0.3 ms, template matching by energy then confuses neighbours (see docs/experiments.md for what it is worth).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numba
import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

from ..by_channel import by_channel
from ..parameters import PreparationParameters
from ..settings import WhiteningSettings
from .noise_sample import NoiseSample
from .preparation import PreparedRecording

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment

    from ...workers import Workers


# Samples that are whitened at once, so that they stay in the fastest cache.
SAMPLES_AT_ONCE = 1024
# Channels that are added up in one loop.
SOURCES_AT_ONCE = 4


def whiten(
    prepared: PreparedRecording,
    parameters: PreparationParameters | None = None,
    *,
    seed: int = 0,
    workers: Workers | None = None,
    noise_from: BaseRecording | None = None,
) -> WhitenedTraces:
    """Make the noise of a prepared recording white in space (ZCA over near channels of a shank) and in time.

    In time, each sample is replaced by what a linear prediction from the samples just before it leaves unexplained
    (one autoregressive model of the noise, shared by all channels), so a spike keeps its time.

    Args:
        prepared: recording with at least one channel.
        parameters: [`~huidurep_hf.recording.parameters.PreparationParameters`]; the defaults if left out.
        seed: of the random stretches on which covariance and prediction are estimated.
        workers: [`~huidurep_hf.workers.Workers`] that read them.
        noise_from: SpikeInterface recording of the same traces in which all of them are there, where `prepared` has
            only some blocks; its own if left out.

    Returns:
        The same recording with whitened traces, in SDs of the noise in the spikes' band: of noise alone, the projection
        on any spike of length 1 has an SD of 1. `noise_levels` are all 1. Where it was corrected for motion, the one
        before is whitened, too, by its own noise.
    """
    from scipy.signal import lfilter

    parameters = parameters or PreparationParameters()
    settings = parameters.whitening
    in_time = settings.whiten_in_time == "on"
    traces = prepared.recording if noise_from is None else noise_from
    sample = NoiseSample.draw(traces, parameters.noise, seed, workers).without_raised_noise()
    rate = sample.sampling_rate
    matrix = _spatial_matrix(sample, prepared, settings)
    whitened = dataclasses.replace(sample, stretches=sample.map(lambda traces: traces @ matrix))
    prediction = np.ones(1)
    if in_time:
        noise = _noise_alone(whitened, settings.noise_spike_sd, settings.noise_spike_ms)
        prediction = prediction_error_filter(noise, rate, settings, workers)
        of_samples = prediction.astype("float32")
        filtered = whitened.map(lambda traces: lfilter(of_samples, 1.0, traces, axis=0))
        whitened = dataclasses.replace(whitened, stretches=filtered)
    noise = _noise_alone(whitened, settings.noise_spike_sd, settings.noise_spike_ms)
    dependence = samples_per_independent_one(noise, rate, settings, workers)
    levels = whitened.levels * np.sqrt(dependence)
    # The scale goes into the matrix: the filter in time is the same for all channels.
    matrix = matrix / np.maximum(levels, 1e-12)[None, :]
    recording = WhitenedRecording(prepared.recording, matrix, prediction)
    time = f" and time ({settings.prediction_ms:g} ms)" if in_time else ""
    steps = [*prepared.steps, f"whitened in space (within {settings.whitening_radius_um:g} um){time}"]
    ones = np.ones(len(levels), dtype="float32")
    uncorrected = None
    if prepared.templates_drift:
        uncorrected = whiten(prepared.uncorrected, parameters, seed=seed, workers=workers)
    # SD of one sample of the noise, in SDs of the noise in the spikes' band.
    sample_sd = (whitened.levels / np.maximum(levels, 1e-12)).astype("float32")
    return WhitenedTraces(
        **{
            **vars(prepared),
            "recording": recording,
            "noise_levels": ones,
            "steps": steps,
            "uncorrected": uncorrected,
            "sample_sd": sample_sd,
        }
    )


@dataclasses.dataclass(frozen=True)
class WhitenedTraces(PreparedRecording):
    """A prepared recording whose noise is white.

    Attributes:
        sample_sd: `(num_channels,)` SD of a single sample of the noise, in SDs of the noise in the spikes' band.
    """

    sample_sd: np.ndarray | None = None


class WhitenedRecording(BasePreprocessor):
    """Traces times a matrix over channels, then filtered in time; computed when they are read.

    Args:
        recording: SpikeInterface recording.
        matrix: `(num_channels, num_channels)`.
        prediction: `(order + 1,)` coefficients of a causal filter, the present sample's first.
    """

    def __init__(self, recording: BaseRecording, matrix: np.ndarray, prediction: np.ndarray):
        super().__init__(recording, dtype="float32")
        for parent in recording.segments:
            self.add_recording_segment(WhitenedSegment(parent, matrix, prediction))
        self._kwargs = {"recording": recording, "matrix": matrix, "prediction": prediction}


class WhitenedSegment(BasePreprocessorSegment):
    """A segment of [`WhitenedRecording`]."""

    def __init__(self, parent: BaseRecordingSegment, matrix: np.ndarray, prediction: np.ndarray):
        super().__init__(parent)
        # Channels that each is made of; the others have a weight of 0, which is most of them.
        num_sources = int((matrix != 0).sum(axis=0).max(initial=0))
        sources = np.argsort(matrix.T == 0, axis=1, kind="stable")[:, :num_sources]
        widths = ((0, 0), (0, -num_sources % SOURCES_AT_ONCE))
        self.sources = np.pad(sources, widths)
        self.weights = np.pad(np.take_along_axis(matrix.T, sources, axis=1), widths).astype("float32")
        self.prediction = prediction.astype("float32")

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return whitened traces, `(num_samples, num_channels)` float32."""
        first = max(start_frame - len(self.prediction) + 1, 0)
        traces = self.parent_recording_segment.get_traces(first, end_frame, slice(None))
        own = by_channel(traces.astype("float32", copy=False))
        whitened = _whitened(own, self.sources, self.weights, self.prediction)[:, start_frame - first :].T
        return whitened if channel_indices is None else whitened[:, channel_indices]


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _whitened(traces: np.ndarray, sources: np.ndarray, weights: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Weigh and sum channels, then filter causally along time; before the first sample there is nothing.

    Args:
        traces: `(num_channels, num_samples)` float32.
        sources, weights: `(num_channels, num_sources)` channels that each is the sum of, and their weights.
        prediction: `(order + 1,)` float32.
    """
    num_channels, num_samples = traces.shape
    whitened = np.empty_like(traces)
    order = len(prediction) - 1
    total = np.zeros(order + SAMPLES_AT_ONCE, dtype=np.float32)
    for channel in range(num_channels):
        total[:order] = 0
        for first in range(0, num_samples, SAMPLES_AT_ONCE):
            size = min(SAMPLES_AT_ONCE, num_samples - first)
            present = total[order : order + size]
            present[:] = 0
            for place in range(0, sources.shape[1], SOURCES_AT_ONCE):
                # Four in one loop, so that the sums are read and written once for all of them.
                w = weights[channel, place : place + SOURCES_AT_ONCE]
                w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
                x0, x1, x2, x3 = (
                    traces[sources[channel, place], first : first + size],
                    traces[sources[channel, place + 1], first : first + size],
                    traces[sources[channel, place + 2], first : first + size],
                    traces[sources[channel, place + 3], first : first + size],
                )
                for sample in range(size):
                    present[sample] += w0 * x0[sample] + w1 * x1[sample] + w2 * x2[sample] + w3 * x3[sample]
            filtered = whitened[channel, first : first + size]
            filtered[:] = 0
            for lag in range(order + 1):
                earlier = total[order - lag : order - lag + size]
                for sample in range(size):
                    filtered[sample] += prediction[lag] * earlier[sample]
            # The last samples of this stretch come before the next.
            total[:order] = total[size : size + order].copy()
    return whitened


def prediction_error_filter(
    chunks: list[np.ndarray], sampling_rate: float, settings: WhiteningSettings, workers: Workers | None = None
) -> np.ndarray:
    """Return the filter that leaves of noise what cannot be predicted from the samples before.

    The Yule-Walker equations of the noise's autocovariance, averaged over channels.

    Args:
        chunks: stretches of traces, each `(num_samples, num_channels)`; samples that are NaN, such as spikes, are left
            out.
        sampling_rate: Hz.
        settings: length of the prediction, and the floor of the noise.
        workers: who share the stretches; this thread if left out.

    Returns:
        `(order + 1,)` coefficients, the present sample's first.
    """
    from scipy.linalg import solve_toeplitz

    order = max(round(settings.prediction_ms * 1e-3 * sampling_rate), 1)
    covariance = _autocovariance(chunks, order, workers)
    if covariance[0] <= 0:
        return np.eye(1, order + 1)[0]
    floored = covariance.copy()
    floored[0] *= 1 + settings.relative_noise_floor
    return np.concatenate([[1.0], -solve_toeplitz(floored[:-1], covariance[1:])])


def samples_per_independent_one(
    chunks: list[np.ndarray], sampling_rate: float, settings: WhiteningSettings, workers: Workers | None = None
) -> float:
    """Return how many samples of noise are worth one independent sample: 1 for white noise, more in a narrower band.

    The sum of the squared autocorrelations, which is the mean of the noise's spectral density where its power lies,
    over the density of white noise of the same variance.

    Args:
        chunks: as for [`prediction_error_filter`].
        sampling_rate: Hz.
        settings: how far apart samples are correlated.
        workers: as for [`prediction_error_filter`].
    """
    covariance = _autocovariance(chunks, round(settings.noise_correlation_ms * 1e-3 * sampling_rate), workers)
    if covariance[0] <= 0:
        return 1.0
    correlation = covariance / covariance[0]
    return float(1.0 + 2.0 * np.square(correlation[1:]).sum())


def _autocovariance(chunks: list[np.ndarray], max_lag: int, workers: Workers | None) -> np.ndarray:
    """`(max_lag + 1,)`, averaged over channels, of the samples that are not NaN."""

    def sums_of(chunk: np.ndarray) -> np.ndarray:
        is_noise = np.isfinite(chunk)
        noise = np.where(is_noise, chunk, 0.0)
        sums = np.zeros((2, max_lag + 1))
        for lag in range(max_lag + 1):
            stop = len(chunk) - lag
            sums[:, lag] = (noise[:stop] * noise[lag:]).sum(), (is_noise[:stop] & is_noise[lag:]).sum()
        return sums

    share = map if workers is None else workers.map
    products, counts = sum(share(sums_of, chunks), np.zeros((2, max_lag + 1)))
    return products / np.maximum(counts, 1)


def _spatial_matrix(sample: NoiseSample, prepared: PreparedRecording, settings: WhiteningSettings) -> np.ndarray:
    """Whitening matrix (ZCA over near channels, by SpikeInterface), shank by shank: tetrodes may share their positions.

    Without large spikes: they are a direction of their own, along which noise would be made too small.
    """
    from spikeinterface.preprocessing.whiten import compute_whitening_from_covariance

    covariance, shanks = _covariance(sample, settings), prepared.shanks
    epsilon = settings.whitening_regularisation * max(float(np.median(np.diag(covariance))), 1e-12)
    distances = np.linalg.norm(prepared.positions[:, None] - prepared.positions[None], axis=2)
    is_near = (distances <= settings.whitening_radius_um) & (shanks[:, None] == shanks[None])
    matrix = np.zeros((len(shanks), len(shanks)), dtype="float32")
    for channel in range(len(shanks)):
        near = np.flatnonzero(is_near[channel])
        local = compute_whitening_from_covariance(covariance[np.ix_(near, near)], epsilon)
        matrix[near, channel] = local[:, near == channel][:, 0]
    return matrix


def _covariance(sample: NoiseSample, settings: WhiteningSettings) -> np.ndarray:
    """Covariance over channels `(num_channels, num_channels)`, each pair's without large spikes on either."""
    noise = _noise_alone(sample, settings.large_spike_sd, settings.noise_spike_ms)

    def sums_of(scaled: np.ndarray) -> np.ndarray:
        is_noise = np.isfinite(scaled)
        noise, is_noise = np.where(is_noise, scaled, 0).astype("float32"), is_noise.astype("float32")
        return np.stack([noise.T @ noise, is_noise.T @ is_noise])

    products, counts = sum(dataclasses.replace(sample, stretches=noise).map(sums_of))
    deviations = sample.overall_levels
    return (products / np.maximum(counts, 1)).astype("float64") * np.outer(deviations, deviations)


def _noise_alone(sample: NoiseSample, spike_sd: float, spike_ms: float) -> list[np.ndarray]:
    """Stretches in units of each channel's SD, NaN within `spike_ms` of deflections of more than `spike_sd`."""
    from scipy.ndimage import maximum_filter1d

    deviations = sample.overall_levels
    width = round(2 * spike_ms * 1e-3 * sample.sampling_rate) + 1

    def without_spikes(traces: np.ndarray) -> np.ndarray:
        scaled = traces / deviations
        is_spike = maximum_filter1d((np.abs(scaled) > spike_sd).astype("uint8"), width, axis=0, mode="nearest")
        return np.where(is_spike, np.nan, scaled)

    return sample.map(without_spikes)
