"""Whitening in space and time: noise that is the same in every channel and at every sample, and independent.

Two neurons are then as far apart as the Euclidean distance of their waveforms, in standard deviations of the noise,
so that the nearest template is the most likely one and a threshold on a template's gain is a threshold on evidence.
For that, noise counts by what it is in the band that spikes are in: above the band-pass there is next to none, and its
SD per sample would say that there is less noise than a template meets (2.5 times less energy at 30 kHz, 4 at 48 kHz).
Sorters commonly whiten in space alone; with the noise of band-passed traces, which is correlated over about 0.3 ms,
template matching by energy then confuses neighbours (see docs/sorter.md for what it is worth).
"""

import dataclasses

import numpy as np

from .noise_levels import estimate_noise_levels, random_chunks, without_silence
from .preparation import PreparedRecording, keep_in_memory

# Channels farther away share too little noise to be worth the estimate of their covariance.
WHITENING_RADIUS_UM = 100.0
# The noise of a sample is predicted from this many ms before it.
PREDICTION_MS = 0.2
# Added to the noise's variance before prediction, so that frequencies that the band-pass took away are not blown up: a
# median reference leaves a little noise there that all channels share (of 0.001 to 0.8, 0.1 to 0.4 told the neurons of
# development recordings apart best: a quarter more than 0.001 on 32 channels).
RELATIVE_FLOOR = 0.2
# Farther apart than this, samples of whitened noise are independent.
CORRELATION_MS = 1.0
# Samples within this time of a deflection beyond this many SDs count as spikes, and not as noise.
SPIKE_SD, SPIKE_MS = 4.0, 1.3


def whiten(prepared: PreparedRecording, *, in_time: bool = True, seed: int = 0) -> PreparedRecording:
    """Make the noise of a prepared recording white in space (ZCA over near channels of a shank) and in time.

    In time, each sample is replaced by what a linear prediction from the samples just before it leaves unexplained
    (one autoregressive model of the noise, shared by all channels), so a spike keeps its time.

    Args:
        prepared: recording with at least one channel.
        in_time: or in space alone, as sorters commonly do (scripts/ablate_sorter.py compares).
        seed: of the random chunks on which covariance and prediction are estimated.

    Returns:
        The same recording with whitened traces, in SDs of the noise in the spikes' band: of noise alone, the projection
        on any spike of length 1 has an SD of 1. `noise_levels` are all 1. Where it was moved, the one before is
        whitened, too, by its own noise.
    """
    from spikeinterface.preprocessing import scale
    from spikeinterface.preprocessing.filter import FilterRecording
    from spikeinterface.preprocessing.whiten import WhitenRecording

    matrix = _spatial_matrix(prepared, seed)
    recording = WhitenRecording(prepared.recording, dtype="float32", W=matrix, M=None)
    if in_time:
        prediction = prediction_error_filter(_noise_chunks(recording, seed), recording.get_sampling_frequency())
        recording = FilterRecording(
            recording,
            coeff=(prediction, np.ones(1)),
            filter_mode="ba",
            direction="forward",
            margin_ms=1.0,
            dtype="float32",
        )
    dependence = samples_per_independent_one(_noise_chunks(recording, seed), recording.get_sampling_frequency())
    noise_levels = estimate_noise_levels(recording, seed) * np.sqrt(dependence)
    recording = scale(recording, gain=1 / np.maximum(noise_levels, 1e-12)[None, :], dtype="float32")
    recording = keep_in_memory(recording)
    time = f" and time ({PREDICTION_MS:g} ms)" if in_time else ""
    steps = [*prepared.steps, f"whitened in space (within {WHITENING_RADIUS_UM:g} um){time}"]
    ones = np.ones(len(noise_levels), dtype="float32")
    unmoved = None if prepared.unmoved is None else whiten(prepared.unmoved, in_time=in_time, seed=seed)
    return dataclasses.replace(prepared, recording=recording, noise_levels=ones, steps=steps, unmoved=unmoved)


def prediction_error_filter(chunks: list[np.ndarray], sampling_rate: float) -> np.ndarray:
    """Return the filter that leaves of noise what cannot be predicted from the samples before.

    The Yule-Walker equations of the noise's autocovariance, averaged over channels.

    Args:
        chunks: stretches of traces, each `(num_samples, num_channels)`; samples that are NaN, such as spikes, are left
            out.
        sampling_rate: Hz.

    Returns:
        `(order + 1,)` coefficients, the present sample's first.
    """
    from scipy.linalg import solve_toeplitz

    order = max(round(PREDICTION_MS * 1e-3 * sampling_rate), 1)
    covariance = _autocovariance(chunks, order)
    if covariance[0] <= 0:
        return np.eye(1, order + 1)[0]
    floored = covariance.copy()
    floored[0] *= 1 + RELATIVE_FLOOR
    return np.concatenate([[1.0], -solve_toeplitz(floored[:-1], covariance[1:])])


def samples_per_independent_one(chunks: list[np.ndarray], sampling_rate: float) -> float:
    """Return how many samples of noise are worth one independent sample: 1 for white noise, more in a narrower band.

    The sum of the squared autocorrelations, which is the mean of the noise's spectral density where its power lies,
    over the density of white noise of the same variance.

    Args:
        chunks: as for [`prediction_error_filter`].
        sampling_rate: Hz.
    """
    covariance = _autocovariance(chunks, round(CORRELATION_MS * 1e-3 * sampling_rate))
    if covariance[0] <= 0:
        return 1.0
    correlation = covariance / covariance[0]
    return float(1.0 + 2.0 * np.square(correlation[1:]).sum())


def _autocovariance(chunks, max_lag) -> np.ndarray:
    """`(max_lag + 1,)`, averaged over channels, of the samples that are not NaN."""
    products, counts = np.zeros(max_lag + 1), np.zeros(max_lag + 1)
    for chunk in chunks:
        is_noise = np.isfinite(chunk)
        noise = np.where(is_noise, chunk, 0.0)
        for lag in range(max_lag + 1):
            stop = len(chunk) - lag
            products[lag] += (noise[:stop] * noise[lag:]).sum()
            counts[lag] += (is_noise[:stop] & is_noise[lag:]).sum()
    return products / np.maximum(counts, 1)


def _spatial_matrix(prepared, seed) -> np.ndarray:
    """Whitening matrix, shank by shank: tetrodes of one file often share the same nominal positions."""
    from spikeinterface.preprocessing.whiten import compute_whitening_matrix

    recording, groups = without_silence(prepared.recording, seed), prepared.groups
    matrix = np.zeros((len(groups), len(groups)))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        shank = recording.select_channels(recording.channel_ids[members])
        found, _ = compute_whitening_matrix(
            shank, "local", random_chunks(seed), apply_mean=False, radius_um=WHITENING_RADIUS_UM
        )
        matrix[np.ix_(members, members)] = found
    return matrix


def _noise_chunks(recording, seed) -> list[np.ndarray]:
    """Random chunks of traces in units of each channel's SD, NaN at and around spikes."""
    from scipy.ndimage import maximum_filter1d
    from spikeinterface.core import get_random_data_chunks

    recording = without_silence(recording, seed)
    chunks = get_random_data_chunks(recording, return_in_uV=False, concatenated=False, **random_chunks(seed))
    deviations = np.median(np.abs(np.concatenate(chunks)), axis=0) / 0.6745
    width = round(2 * SPIKE_MS * 1e-3 * recording.get_sampling_frequency()) + 1
    noise = []
    for chunk in chunks:
        scaled = chunk / np.maximum(deviations, 1e-12)
        is_spike = maximum_filter1d((np.abs(scaled) > SPIKE_SD).astype("uint8"), width, axis=0, mode="nearest")
        noise.append(np.where(is_spike, np.nan, scaled))
    return noise
