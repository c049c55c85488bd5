"""Pictures of the stages of a sort, drawn from an example whose true spikes are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...recording.blocks import split_into_blocks
from ...recording.preprocessing.preparation import PreparedRecording
from ...recording.preprocessing.whitening import WhitenedTraces, whiten
from ...recording.scan import scan
from ...simulation.recordings.injection import GroundTruthRecording
from ...sorting.clustering.splitting import split_by_embedding
from ...sorting.encoder import SpikeEncoder
from ...sorting.learning import LearnedUnits, learn_units
from ...sorting.matching.engine import Matcher
from ...sorting.merging.merge_clusters import merge_clusters
from ...sorting.parameters import SortingParameters
from ...sorting.spikes import Spikes
from ...workers import Workers
from ..records.pictures import PALETTE, save_picture
from .ground_truth import nearest_units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILES = ("stage_scan.png", "stage_embed.png", "stage_merge.png", "stage_templates.png", "stage_match.png")
# A stretch of the traces that is drawn, s.
WINDOW_S = 0.04
# Channels beside one another on the probe that are drawn, and units of which templates are.
NUM_CHANNELS, NUM_UNITS = 8, 6
# More clusters than colours have other markers.
MARKERS = "osD^v"
GREY = "#b0b0b0"


@dataclass(frozen=True)
class Stages:
    """What the stages of a sort gave.

    Attributes:
        truth: the recording and its true spikes.
        prepared: preprocessed traces.
        whitened: whitened traces.
        spikes: embedded peaks.
        split, merged: `(num_spikes,)` cluster of each, before and after merging.
        units: units and templates.
        matched: spikes that the templates explain.
    """

    truth: GroundTruthRecording
    prepared: PreparedRecording
    whitened: WhitenedTraces
    spikes: Spikes
    split: np.ndarray
    merged: np.ndarray
    units: LearnedUnits
    matched: Spikes


def go_through_stages(
    truth: GroundTruthRecording, encoder: SpikeEncoder, parameters: SortingParameters, workers: Workers
) -> Stages:
    """Sort a recording at rest step by step, and keep what each step gives.

    Args:
        truth: recording whose true spikes are known.
        encoder: what embeds the peaks.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        workers: who share the work.

    Raises:
        ValueError: no units are found.
    """
    prepared, peaks = scan(truth.recording, parameters, seed=parameters.seed, workers=workers)
    spikes = encoder(prepared, Spikes.from_peaks(peaks), workers=workers)
    whitened = whiten(prepared, parameters, seed=parameters.seed, workers=workers)
    split = split_by_embedding(spikes, whitened.shanks, parameters, workers)
    merged = merge_clusters(split, whitened, parameters, workers)
    blocks = split_into_blocks(prepared.recording)
    units = learn_units(merged, blocks, prepared, whitened, parameters, workers)
    if units is None:
        raise ValueError("No units are found in this recording; choose a longer one.")
    matched = Matcher(whitened, units.templates, parameters, bursting=units.bursting).match(blocks, workers)
    return Stages(truth, prepared, whitened, spikes, split["cluster"], merged["cluster"], units, matched)


def draw_stages(stages: Stages, folder: str | Path) -> list[str]:
    """Draw one picture a stage.

    Args:
        stages: of [`go_through_stages`].
        folder: for the pictures; existing ones are replaced.

    Returns:
        Names of the files.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, draw in zip(FILES, (_draw_scan, _draw_embedding, _draw_merging, _draw_templates, _draw_matching)):
        save_picture(draw(stages), Path(folder) / name)
    return list(FILES)


def _new_figure(width: float, height: float, *shape: int, **kwargs: object) -> tuple[Figure, np.ndarray]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    return figure, np.atleast_1d(figure.subplots(*shape, **kwargs))


def _busy_window(stages: Stages) -> tuple[int, int]:
    """First and last sample of the stretch with most spikes, the large ones more so."""
    width = round(WINDOW_S * stages.prepared.recording.get_sampling_frequency())
    busy = np.bincount(stages.matched["sample_index"] // width, weights=np.sqrt(stages.matched["gain"]))
    # The last stretch may be cut off.
    busiest = int(busy[: max(len(busy) - 1, 1)].argmax())
    return busiest * width, (busiest + 1) * width


def _channels_drawn(stages: Stages, start: int, stop: int) -> np.ndarray:
    """Neighbouring channels, from the bottom of the probe to its top, around that of most spikes in the stretch."""
    samples = stages.matched["sample_index"]
    inside = stages.matched[(samples >= start) & (samples < stop)]
    positions = stages.prepared.positions
    centre = positions[np.bincount(inside["channel_index"], weights=np.sqrt(inside["gain"])).argmax()]
    near = np.argsort(np.linalg.norm(positions - centre, axis=1), kind="stable")[:NUM_CHANNELS]
    return near[np.argsort(positions[near, 1], kind="stable")]


def _draw_traces(axes: Axes, traces: np.ndarray, rate: float, height: float, **style: object) -> None:
    times = 1e3 * np.arange(len(traces)) / rate
    for place, trace in enumerate(traces.T):
        axes.plot(times, place * height + trace, linewidth=0.6, **style)
    axes.set(yticks=[], xlabel="time (ms)", xlim=(times[0], times[-1]))
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_scan(stages: Stages) -> Figure:
    start, stop = _busy_window(stages)
    channels = _channels_drawn(stages, start, stop)
    rate = stages.prepared.recording.get_sampling_frequency()
    raw = stages.truth.recording.get_traces(start_frame=start, end_frame=stop)[:, channels]
    traces = stages.prepared.recording.get_traces(start_frame=start, end_frame=stop)[:, channels]
    height = 12 * float(np.median(stages.prepared.noise_levels))
    figure, (left, right) = _new_figure(10, 3.4, 1, 2, sharey=True)
    _draw_traces(left, raw - np.median(raw, axis=0), rate, height, color="#404040")
    _draw_traces(right, traces, rate, height, color="#404040")
    samples, of_peak = stages.spikes["sample_index"], stages.spikes["channel_index"]
    for place, channel in enumerate(channels):
        own = samples[(samples >= start) & (samples < stop) & (of_peak == channel)] - start
        right.plot(1e3 * own / rate, place * height + traces[own, place], "o", color=PALETTE[0], markersize=4)
    left.set_title(f"as recorded, {NUM_CHANNELS} channels", fontsize=10)
    right.set_title("filtered, with detected peaks", fontsize=10)
    return figure


def _peaks_drawn(stages: Stages) -> tuple[np.ndarray, np.ndarray]:
    """Peaks of the channel around which most neurons are seen, and two principal components of their embeddings."""
    channels = stages.spikes["channel_index"]
    neurons = nearest_units(stages.spikes["sample_index"], stages.truth.sorting)
    seen = np.zeros((channels.max() + 1, neurons.max() + 2), dtype="int64")
    np.add.at(seen, (channels, neurons), 1)
    frequent = (seen[:, :-1] >= 0.05 * np.maximum(seen.sum(axis=1, keepdims=True), 1)) & (seen[:, :-1] >= 20)
    rows = np.flatnonzero(channels == frequent.sum(axis=1).argmax())
    centred = stages.spikes["embedding"][rows] - stages.spikes["embedding"][rows].mean(axis=0)
    return rows, centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


def _draw_points(axes: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    counts = np.bincount(labels[labels >= 0], minlength=1)
    axes.plot(*points[labels < 0].T, ".", color=GREY, markersize=3)
    for number, label in enumerate(np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]):
        marker = MARKERS[number // len(PALETTE) % len(MARKERS)]
        color = PALETTE[number % len(PALETTE)]
        axes.plot(*points[labels == label].T, marker, color=color, markersize=3, alpha=0.6, linestyle="none")


def _draw_components(axes: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    _draw_points(axes, points, labels)
    axes.set(xticks=[], yticks=[], xlabel="first component", ylabel="second component")


def _draw_embedding(stages: Stages) -> Figure:
    rows, points = _peaks_drawn(stages)
    neurons = nearest_units(stages.spikes["sample_index"][rows], stages.truth.sorting)
    figure, (left, right) = _new_figure(10, 3.6, 1, 2)
    _draw_components(left, points, neurons)
    left.set_title("embeddings of the peaks of one channel, by true neuron", fontsize=10)
    places = stages.spikes["location_um"]
    right.plot(*places.T, ".", color=GREY, markersize=1, alpha=0.3)
    right.plot(*stages.prepared.positions.T, "s", color="#404040", markersize=5, fillstyle="none")
    _draw_places(right, places[rows], neurons)
    right.set_title("where the model places them", fontsize=10)
    return figure


def _draw_places(axes: Axes, places: np.ndarray, labels: np.ndarray) -> None:
    _draw_points(axes, places, labels)
    low, high = np.percentile(places, [1, 99], axis=0)
    axes.set(xlim=(low[0] - 30, high[0] + 30), ylim=(low[1] - 30, high[1] + 30), xlabel="x (µm)", ylabel="y (µm)")
    axes.set_aspect("equal")


def _draw_merging(stages: Stages) -> Figure:
    rows, points = _peaks_drawn(stages)
    figure, panels = _new_figure(10, 3.6, 1, 2)
    for axes, labels, name in zip(panels, (stages.split[rows], stages.merged[rows]), ("split", "merged")):
        _draw_components(axes, points, labels)
        axes.set_title(f"{name}: these peaks are of {len(np.unique(labels[labels >= 0]))} clusters", fontsize=10)
    return figure


def _draw_templates(stages: Stages) -> Figure:
    templates = stages.units.templates
    waveforms = templates.waveforms_of(0)
    chosen = np.argsort(-np.abs(waveforms).max(axis=(1, 2)), kind="stable")
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(NUM_UNITS, len(chosen))).round().astype("int64")]
    figure, panels = _new_figure(10, 3.4, 1, len(chosen))
    positions, num_samples = stages.prepared.positions, templates.num_samples
    rate = stages.prepared.recording.get_sampling_frequency()
    for axes, unit, color in zip(panels, chosen, PALETTE):
        seen = np.flatnonzero(waveforms[unit].any(axis=0))
        scale = 20 / max(np.abs(waveforms[unit]).max(), 1e-9)
        across = positions[seen, 0][:, None] + np.linspace(-9, 9, num_samples)
        axes.plot(across.T, (positions[seen, 1][:, None] + scale * waveforms[unit][:, seen].T).T, color=color)
        depth = np.abs(waveforms[unit]).max()
        axes.set_title(f"{depth:.0f} SD of the noise", fontsize=9)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    figure.supxlabel(
        f"whitened templates at their contacts, {1e3 * num_samples / rate:.1f} ms, each to its own scale", fontsize=9
    )
    return figure


def _draw_matching(stages: Stages) -> Figure:
    start, stop = _busy_window(stages)
    channels = _channels_drawn(stages, start, stop)
    rate, templates = stages.prepared.recording.get_sampling_frequency(), stages.units.templates
    waveforms = templates.waveforms_of(0)
    traces = stages.whitened.recording.get_traces(start_frame=start, end_frame=stop)[:, channels]
    margin = templates.num_samples
    explained = np.zeros((stop - start + 2 * margin, len(waveforms), len(channels)), dtype="float32")
    samples, units = stages.matched["sample_index"], stages.matched["unit_index"]
    for spike in np.flatnonzero((samples >= start - margin // 2) & (samples < stop + margin // 2)):
        first = samples[spike] - templates.num_before - start + margin
        explained[first : first + margin, units[spike]] += waveforms[units[spike]][:, channels]
    explained = explained[margin:-margin]
    figure, (left, right) = _new_figure(10, 3.4, 1, 2, sharey=True)
    height = 12.0
    _draw_traces(left, traces, rate, height, color=GREY)
    times = 1e3 * np.arange(len(traces)) / rate
    shown = np.flatnonzero(np.abs(explained).max(axis=(0, 2)) > 1)
    for number, unit in enumerate(shown):
        for place in range(len(channels)):
            own = np.where(np.abs(explained[:, unit, place]) > 0.3, explained[:, unit, place], np.nan)
            left.plot(times, place * height + own, color=PALETTE[number % len(PALETTE)], linewidth=1)
    _draw_traces(right, traces - explained.sum(axis=1), rate, height, color="#404040")
    left.set_title("whitened traces, and the templates that explain them", fontsize=10)
    right.set_title("residual", fontsize=10)
    return figure
