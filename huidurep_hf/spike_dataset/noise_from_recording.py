"""Cut noise from the quiet stretches of a recording."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..recording.parameters import PreparationParameters
from ..recording.scan import prepare
from ..recording.settings import DetectionSettings
from ..recording.spikes.detection import detect
from ..recording.spikes.neighborhood import find_neighborhoods
from .geometry import SpikeGeometry
from .noise_snippets import NoiseSnippets
from .resampled_waveforms import iterate_resampled, samples_needed

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ..recording.preprocessing.preparation import PreparedRecording

logger = logging.getLogger("huidurep_hf")


@dataclass(frozen=True)
class NoiseParameters:
    """Where noise is taken from and how much of it.

    Attributes:
        num_snippets: wanted; fewer where the recording has fewer quiet stretches.
        num_samples: of a snippet, at `sampling_rate`.
        sampling_rate: to which recordings of another rate are brought, Hz.
        num_channels: of a snippet: a channel and those nearest to it.
        num_places: channels around which snippets are cut, drawn at random; each has a covariance of its own.
        detect_threshold: of the peaks to stay away from, either sign, in noise SDs.
        distance_ms: between a snippet and any such peak within `radius_um`.
        radius_um: of the snippet's first channel.
        freq_min_hz, freq_max_hz: pass band of the preparation.
        seed: of all draws.
    """

    num_snippets: int = 2000
    num_samples: int = 240
    sampling_rate: float = 30000.0
    num_channels: int = 11
    num_places: int = 16
    detect_threshold: float = 4.5
    distance_ms: float = 2.0
    radius_um: float = 150.0
    freq_min_hz: float = 300.0
    freq_max_hz: float = 6000.0
    seed: int = 0


def noise_from_recording(recording: BaseRecording, parameters: NoiseParameters | None = None) -> NoiseSnippets:
    """Cut stretches without spikes from a recording, prepared as for sorting.

    On a probe of many channels some neuron always fires. A snippet is therefore only as quiet as matters to it: no
    peak near its own place, several ms before and after.

    Args:
        recording: SpikeInterface recording with a probe.
        parameters: where and how much.

    Returns:
        [`NoiseSnippets`] in the order of places; none where the recording is empty or nowhere quiet for so long.

    Raises:
        TypeError: not a SpikeInterface recording.
        ValueError: no probe, or an impossible pass band.
    """
    parameters = parameters or NoiseParameters()
    random = np.random.default_rng(parameters.seed)
    band = PreparationParameters(freq_min_hz=parameters.freq_min_hz, freq_max_hz=parameters.freq_max_hz)
    prepared = prepare(recording, band, seed=parameters.seed)
    if prepared.recording is None:
        return _no_snippets(parameters)
    peaks = detect(prepared, DetectionSettings(detect_threshold=parameters.detect_threshold, peak_sign="both"))
    # A snippet has no trough; its first sample stands for one.
    shape = parameters.num_samples, parameters.num_channels, parameters.sampling_rate
    geometry = SpikeGeometry(*shape, peak_sample=0, unit="noise_sd", labelled=False)
    before, after = samples_needed(prepared.recording.get_sampling_frequency(), geometry)
    starts = _draw_starts(prepared, peaks, before + after, parameters, random)
    if len(starts) < parameters.num_snippets:
        logger.warning("Only %d of %d snippets of noise were found", len(starts), parameters.num_snippets)
    # Of a stretch the margin that resampling needs comes first.
    starts["sample_index"] += before
    waveforms = np.zeros((len(starts), parameters.num_samples, parameters.num_channels), dtype="float32")
    for batch in iterate_resampled(prepared, starts, geometry):
        waveforms[batch.first : batch.first + len(batch.waveforms)] = batch.waveforms
    neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, parameters.num_channels)
    channels = starts["channel_index"]
    order = np.argsort(channels, kind="stable")
    return NoiseSnippets(
        waveforms=waveforms[order],
        positions=neighborhoods.positions[channels][order],
        mask=neighborhoods.mask[channels][order],
        places=channels[order],
        sampling_rate=parameters.sampling_rate,
    )


def _no_snippets(parameters: NoiseParameters) -> NoiseSnippets:
    shape = (0, parameters.num_samples, parameters.num_channels)
    return NoiseSnippets(
        waveforms=np.zeros(shape, dtype="float32"),
        positions=np.zeros((0, shape[2], 2), dtype="float32"),
        mask=np.zeros((0, shape[2]), dtype=bool),
        places=np.zeros(0, dtype="int64"),
        sampling_rate=parameters.sampling_rate,
    )


def _draw_starts(
    prepared: PreparedRecording,
    peaks: np.ndarray,
    num_samples: int,
    parameters: NoiseParameters,
    random: np.random.Generator,
) -> np.ndarray:
    """Return first samples of quiet stretches with their channels, as sorted peaks."""
    places = random.permutation(len(prepared.positions))[: parameters.num_places]
    share = -(-parameters.num_snippets // len(places))
    distance = round(parameters.distance_ms * prepared.recording.get_sampling_frequency() / 1000)
    chosen = []
    for place in places:
        near = np.linalg.norm(prepared.positions - prepared.positions[place], axis=1) <= parameters.radius_um
        near &= prepared.shanks == prepared.shanks[place]
        disturbing = peaks[near[peaks["channel_index"]]]
        found = np.concatenate(
            [
                _quiet_stretches(
                    disturbing, segment, prepared.recording.get_num_samples(segment), num_samples, distance
                )
                for segment in range(prepared.recording.get_num_segments())
            ]
        )
        found["channel_index"] = place
        chosen.append(random.permutation(found)[:share])
    chosen = random.permutation(np.concatenate(chosen))[: parameters.num_snippets]
    return chosen[np.lexsort((chosen["sample_index"], chosen["segment_index"]))]


def _quiet_stretches(
    peaks: np.ndarray, segment: int, segment_samples: int, num_samples: int, distance: int
) -> np.ndarray:
    """Lay as many snippets as fit, without overlap, between the peaks of a segment."""
    samples = peaks["sample_index"][peaks["segment_index"] == segment]
    # The detector looks nowhere near the ends of a segment, so there might be a spike.
    first = np.r_[0, samples] + distance
    last = np.r_[samples, segment_samples] - distance
    starts = np.concatenate([np.arange(start, end - num_samples + 1, num_samples) for start, end in zip(first, last)])
    found = np.zeros(
        len(starts), dtype=[("sample_index", "int64"), ("channel_index", "int64"), ("segment_index", "int64")]
    )
    found["sample_index"], found["segment_index"] = starts, segment
    return found
