"""Fingerprints of units: what is kept of each, so that it can be found again in another session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...recording.blocks import rows_in_block, split_into_blocks
from ...recording.spikes.neighborhood import find_neighborhoods
from ...recording.spikes.waveforms import iterate_waveforms
from ..spikes import Spikes, rows_of_units
from ..templates.averages import signed
from .fingerprint_table import UnitFingerprints
from .settings import FingerprintSettings

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording
    from ...recording.spikes.neighborhood import Neighborhoods
    from ..sorted_spikes import SortedSpikes

# Traces beyond the largest realignment, so that no spline is followed to its end; and the step in which its extremum
# is looked for: a sixth of a sample at 30 kHz.
SPLINE_MARGIN_MS, FINE_STEP_MS = 0.1, 0.005
# Weight of the variance of noise, in spikes, against that of the spikes averaged.
PRIOR_SPIKES = 10


@dataclass(frozen=True)
class EmbeddedSpikes:
    """Some spikes of a table, with what the encoder makes of them.

    Attributes:
        rows: `(num_embedded,)` their rows in the table of spikes.
        embeddings: `(num_embedded, embedding_size)` float32.
        places: `(num_embedded, 2)` where the neuron lies, µm.
    """

    rows: np.ndarray
    embeddings: np.ndarray
    places: np.ndarray


def fingerprints_of_sort(found: SortedSpikes, weights_sha256: str, peak_sign: str) -> UnitFingerprints:
    """Fingerprints of what a sort has found; its embeddings are taken as they are.

    Args:
        found: [`~huidurep_hf.sorting.sorted_spikes.SortedSpikes`], while its traces are there.
        weights_sha256: of the model that embedded the spikes.
        peak_sign: what detection looked for: "neg", "pos" or "both".
    """
    settings, events, num_units = FingerprintSettings(), found.events, len(found.waveforms)
    is_own = events["unit_index"] >= 0
    spikes = Spikes(**events.chosen(["segment_index", "sample_index", "unit_index"]))[is_own]
    half = halves_of_units(spikes["unit_index"], num_units)
    # Of the embedded events those of units, and their rows among all spikes of units.
    of_units = is_own[events["is_embedded"]]
    embedded = np.flatnonzero(events["is_embedded"][is_own])
    chosen = _first_of_each(2 * spikes["unit_index"][embedded] + half[embedded], settings.max_spikes_per_half)
    vectors = found.embeddings[np.flatnonzero(of_units)[chosen]]
    places = events["location_um"][np.flatnonzero(is_own & events["is_embedded"])[chosen]]
    sample = EmbeddedSpikes(embedded[chosen], vectors, places)
    main_channels, points_up = np.zeros(num_units, dtype="int64"), np.zeros(num_units, dtype=bool)
    if found.waveforms.size:
        main_channels = signed(found.waveforms, peak_sign).max(axis=1).argmax(axis=1)
        on_main = np.take_along_axis(found.waveforms, main_channels[:, None, None], axis=2)[:, :, 0]
        points_up = signed(on_main, peak_sign).max(axis=1) == on_main.max(axis=1)
    unit_ids = np.arange(num_units)
    return tabulate_fingerprints(
        found.prepared, spikes, half, main_channels, points_up, unit_ids, sample, settings, weights_sha256
    )


def tabulate_fingerprints(
    prepared: PreparedRecording,
    spikes: Spikes,
    half: np.ndarray,
    main_channels: np.ndarray,
    points_up: np.ndarray,
    unit_ids: np.ndarray,
    sample: EmbeddedSpikes,
    settings: FingerprintSettings,
    model_name: str,
) -> UnitFingerprints:
    """Average spikes, embeddings and places of each unit, in both halves of its spikes.

    Args:
        prepared: the preprocessed recording; corrected for motion where there is any.
        spikes: in order, with `unit_index`.
        half: `(num_spikes,)`, see [`halves_of_units`].
        main_channels: `(num_units,)` channel on which each unit is largest.
        points_up: `(num_units,)` bool, whether its spikes are peaks there, not troughs.
        unit_ids: `(num_units,)` as in the sorting.
        sample: spikes that are embedded.
        settings: [`~huidurep_hf.sorting.output.settings.FingerprintSettings`].
        model_name: SHA-256 of the weights that embedded them.
    """
    num_units = len(unit_ids)
    recording = prepared.recording
    groups = np.asarray(prepared.shanks if recording is None else recording.get_channel_groups()).astype(str)
    num_spikes = np.bincount(2 * spikes["unit_index"] + half, minlength=2 * num_units).reshape(num_units, 2)
    neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, settings.num_fingerprint_channels)
    if recording is None:
        neighborhoods = find_neighborhoods(np.zeros((1, 2)), np.zeros(1), settings.num_fingerprint_channels)
    here = neighborhoods.channel_indices[main_channels]
    positions = np.zeros((num_units, here.shape[1], 2), dtype="float32")
    noise_levels = np.zeros(here.shape, dtype="float32")
    if recording is not None:
        positions = (prepared.positions[here] * (here >= 0)[:, :, None]).astype("float32")
        noise_levels = np.where(here >= 0, prepared.noise_levels[here], 0).astype("float32")

    chosen = choose_spikes(prepared, spikes, half, num_units, settings)
    averages = _average(prepared, spikes, half, chosen, main_channels, points_up, neighborhoods, settings)
    rows, min_spikes = sample.rows, settings.min_spikes_of_covariance
    means = _summarise(sample, spikes["unit_index"][rows], half[rows], num_units, min_spikes)
    rate = 1.0 if recording is None else recording.get_sampling_frequency()
    duration_s = 0.0 if recording is None else recording.get_total_samples() / rate
    return UnitFingerprints(
        unit_ids=unit_ids,
        shank=groups[main_channels] if len(groups) else np.zeros(num_units, dtype="U1"),
        num_spikes=num_spikes,
        rate_hz=num_spikes.sum(axis=1) / max(duration_s, 1e-9),
        **means,
        **averages,
        positions=positions,
        noise_levels=noise_levels,
        correlogram=_correlograms(spikes, half, num_units, rate, settings),
        contacts=np.asarray(prepared.positions, dtype="float64"),
        contact_shanks=groups,
        description={
            "template_rate_hz": settings.template_rate_hz,
            "peak_sample": round(settings.ms_before * settings.template_rate_hz / 1000),
            "lag_ms": settings.lag_ms,
            "duration_s": duration_s,
            "unit": prepared.unit,
            "model": model_name,
        },
    )


def halves_of_units(units: np.ndarray, num_units: int) -> np.ndarray:
    """Half of its unit that each spike is in, `(num_spikes,)` int8, 0 or 1; spikes are in the order of time."""
    half = np.zeros(len(units), dtype="int8")
    for own in rows_of_units(units, num_units):
        half[own[(len(own) + 1) // 2 :]] = 1
    return half


def choose_spikes(
    prepared: PreparedRecording, spikes: Spikes, half: np.ndarray, num_units: int, settings: FingerprintSettings
) -> np.ndarray:
    """Rows of the spikes to be read, in order: from few seconds, and from elsewhere for units that are rare there."""
    if prepared.recording is None or len(spikes) == 0:
        return np.zeros(0, dtype="int64")
    blocks = split_into_blocks(prepared.recording)
    read = np.unique(np.linspace(0, len(blocks) - 1, min(settings.num_read_blocks, len(blocks))).round().astype(int))
    is_read = np.zeros(len(spikes), dtype=bool)
    for block in read:
        is_read[rows_in_block(spikes["segment_index"], spikes["sample_index"], blocks[block])] = True
    rng = np.random.default_rng(0)
    chosen = []
    for own in rows_of_units(2 * spikes["unit_index"] + half, 2 * num_units):
        near, elsewhere = own[is_read[own]], own[~is_read[own]]
        near = rng.choice(near, min(len(near), settings.max_spikes_per_half), replace=False)
        num_missing = min(max(settings.min_spikes_per_half - len(near), 0), len(elsewhere))
        chosen += [near, rng.choice(elsewhere, num_missing, replace=False)]
    return np.sort(np.concatenate(chosen))


def _first_of_each(targets: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most so many of each target, taken evenly."""
    order = np.argsort(targets, kind="stable")
    counts = np.bincount(targets)
    rank = np.arange(len(order)) - (np.cumsum(counts) - counts)[targets[order]]
    step = np.maximum(counts[targets[order]] / most, 1)
    # Whole numbers of steps: the first rank at or after each.
    return np.sort(order[(rank % step) < 1])


def _average(
    prepared: PreparedRecording,
    spikes: Spikes,
    half: np.ndarray,
    chosen: np.ndarray,
    main_channels: np.ndarray,
    points_up: np.ndarray,
    neighborhoods: Neighborhoods,
    settings: FingerprintSettings,
) -> dict[str, np.ndarray]:
    """Templates of both halves at the rate of fingerprints, and their standard errors."""
    from scipy.interpolate import CubicSpline

    before, after = settings.ms_before, settings.ms_after
    num_kept = round((before + after) * settings.template_rate_hz / 1000)
    num_units, num_channels = len(main_channels), neighborhoods.channel_indices.shape[1]
    template = np.full((num_units, 2, num_kept, num_channels), np.nan, dtype="float32")
    error = np.full((num_units, 2, num_channels), np.nan, dtype="float32")
    counts = np.zeros((num_units, 2), dtype="int64")
    found = {"template": template, "template_error": error, "num_averaged": counts}
    if len(chosen) == 0:
        return found
    rate = prepared.recording.get_sampling_frequency()
    most_ms = settings.max_realignment_ms
    reach = most_ms + SPLINE_MARGIN_MS
    num_before, num_after = (int(np.ceil((ms + reach) * rate / 1000)) for ms in (before, after))
    sums = np.zeros((num_units, 2, num_before + num_after, num_channels))
    squares = np.zeros((num_units, 2, num_channels))
    units, halves = spikes["unit_index"][chosen], half[chosen]
    peaks = spikes[chosen].with_columns(channel_index=main_channels[units])
    for batch in iterate_waveforms(
        prepared.recording, peaks, neighborhoods, prepared.noise_levels, num_before=num_before, num_after=num_after
    ):
        target = 2 * units[batch.first :][: len(batch.waveforms)] + halves[batch.first :][: len(batch.waveforms)]
        order = np.argsort(target, kind="stable")
        unit, half_of_unit = np.divmod(target[order], 2)
        starts = np.flatnonzero(np.diff(target[order], prepend=-1))
        waveforms = (batch.waveforms / batch.noise_levels[:, None, :])[order]
        rows = unit[starts], half_of_unit[starts]
        sums[rows] += np.add.reduceat(waveforms, starts, axis=0)
        squares[rows] += np.add.reduceat(np.square(waveforms).mean(axis=1), starts, axis=0)
        counts[rows] += np.diff(starts, append=len(order))
    times = np.arange(-num_before, num_after) / rate * 1000
    kept_times = np.arange(num_kept) / settings.template_rate_hz * 1000 - before
    fine = np.arange(-most_ms, most_ms, FINE_STEP_MS)
    for unit in np.flatnonzero(counts.any(axis=1)):
        whole = sums[unit].sum(axis=0) / counts[unit].sum()
        # The main channel is its own first neighbour.
        on_main = CubicSpline(times, whole[:, 0])(fine)
        extremum = fine[on_main.argmax() if points_up[unit] else on_main.argmin()]
        for part in np.flatnonzero(counts[unit]):
            mean, count = sums[unit, part] / counts[unit, part], counts[unit, part]
            template[unit, part] = CubicSpline(times, mean)(kept_times + extremum)
            variance = np.maximum(squares[unit, part] / count - np.square(mean).mean(axis=0), 0)
            # Few spikes tell little of their scatter; noise alone has a variance of 1.
            variance = (count * variance + PRIOR_SPIKES) / (count + PRIOR_SPIKES)
            error[unit, part] = np.sqrt(variance / count)
    return found


def _summarise(
    sample: EmbeddedSpikes, units: np.ndarray, halves: np.ndarray, num_units: int, min_spikes: int
) -> dict[str, np.ndarray]:
    """Means of embeddings and places of both halves, and their scatter."""
    values, places = sample.embeddings, sample.places
    size = values.shape[1]
    embedding = np.full((num_units, 2, size), np.nan, dtype="float32")
    covariance = np.full((num_units, size, size), np.nan, dtype="float32")
    location = np.full((num_units, 2, 2), np.nan, dtype="float32")
    spread = np.full((num_units, 2), np.nan, dtype="float32")
    counts = np.bincount(2 * units + halves, minlength=2 * num_units).reshape(num_units, 2)
    for unit, own in enumerate(rows_of_units(units, num_units)):
        deviations = []
        for part in range(2):
            inside = own[halves[own] == part]
            if len(inside) == 0:
                continue
            vectors = values[inside]
            embedding[unit, part], location[unit, part] = vectors.mean(axis=0), np.median(places[inside], axis=0)
            deviations.append(vectors - embedding[unit, part])
        if len(own) >= min_spikes:
            deviations = np.concatenate(deviations)
            covariance[unit] = deviations.T @ deviations / (len(own) - 1)
            spread[unit] = places[own].std(axis=0)
    return {
        "embedding": embedding,
        "embedding_covariance": covariance,
        "location": location,
        "location_spread": spread,
        "num_embedded": counts,
    }


def _correlograms(
    spikes: Spikes, half: np.ndarray, num_units: int, rate: float, settings: FingerprintSettings
) -> np.ndarray:
    """Share of spikes that are followed by another at each lag, `(num_units, 2, num_lags)`."""
    shares = np.zeros((num_units, 2, settings.num_lags), dtype="float32")
    lag = settings.lag_ms * rate / 1000
    for index, own in enumerate(rows_of_units(2 * spikes["unit_index"] + half, 2 * num_units)):
        own = own[: settings.max_correlated_spikes]
        train = spikes["sample_index"][own] + spikes["segment_index"][own].astype("int64") * (1 << 44)
        for step in range(1, len(train)):
            bins = ((train[step:] - train[:-step]) / lag).astype("int64")
            bins = bins[bins < settings.num_lags]
            if len(bins) == 0:
                break
            shares[index // 2, index % 2] += np.bincount(bins, minlength=settings.num_lags) / len(train)
    return shares
