"""Fingerprints of the units of any sorting; a sort of ours keeps them itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..embedding.peaks import embed_peaks
from ..recording.motion.following import follow_motion
from ..recording.motion.states import displacements_of
from ..recording.parameters import PreparationParameters
from ..recording.scan import prepare
from ..recording.spikes.alignment import align_spikes, find_main_channels
from ..recording.spikes.neighborhood import find_neighborhoods
from ..recording.spikes.waveforms import iterate_waveforms
from ..sorting.clustering.features import centers_of_mass
from ..sorting.output.fingerprint_table import UnitFingerprints
from ..sorting.output.fingerprints import (
    EmbeddedSpikes,
    choose_spikes,
    halves_of_units,
    tabulate_fingerprints,
)
from ..sorting.output.provenance import hash_weights
from ..sorting.output.settings import FingerprintSettings
from ..sorting.spikes import Spikes
from ..spike_dataset.from_recording import check_sorting

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting

    from ..recording.preprocessing.preparation import PreparedRecording
    from ..sorting.encoder import SpikeEncoder

# Channels around a spike's own in which its trough is looked for before it is embedded.
NUM_ALIGNMENT_CHANNELS = 7


def unit_fingerprints(
    recording: BaseRecording,
    sorting: BaseSorting,
    model: str | Path | SpikeEncoder = "huidurep/base",
    *,
    settings: FingerprintSettings | None = None,
    seed: int = 0,
) -> UnitFingerprints:
    """Fingerprints of the units of any sorting: another sorter's, or true spike trains.

    The recording is preprocessed as for sorting; a bounded sample of each unit's spikes is embedded and averaged.

    Args:
        recording: SpikeInterface recording with a probe.
        sorting: SpikeInterface sorting of it.
        model: hub name or folder of a HuiduRep model, or a [`~huidurep_hf.sorting.encoder.SpikeEncoder`].
        settings: [`~huidurep_hf.sorting.output.settings.FingerprintSettings`].
        seed: of the stretches in which noise is measured.

    Returns:
        [`~huidurep_hf.sorting.output.fingerprint_table.UnitFingerprints`].

    Raises:
        TypeError, ValueError: a recording that cannot be used, or a sorting of another one; the message says why.
        OSError: no such model.
    """
    check_sorting(recording, sorting)
    settings = settings or FingerprintSettings()
    encoder = _load_encoder(model) if isinstance(model, (str, Path)) else model
    prepared = prepare(recording, seed=seed)
    vector = sorting.to_spike_vector()
    segment_of = np.full(recording.get_num_segments(), -1)
    segment_of[prepared.segment_indices] = np.arange(len(prepared.segment_indices))
    # Segments too short to be filtered are not there.
    vector = vector[segment_of[vector["segment_index"]] >= 0]
    spikes = Spikes(
        segment_index=segment_of[vector["segment_index"]].astype("int32"),
        sample_index=vector["sample_index"].astype("int64"),
        unit_index=vector["unit_index"].astype("int64"),
    )
    spikes = spikes[np.lexsort((spikes["sample_index"], spikes["segment_index"]))]
    unit_ids, half = np.asarray(sorting.unit_ids), halves_of_units(spikes["unit_index"], len(sorting.unit_ids))
    main_channels = np.zeros(len(unit_ids), dtype="int64")
    sample = EmbeddedSpikes(np.zeros(0, "int64"), np.zeros((0, encoder.embedding_size), "float32"), np.zeros((0, 2)))
    if prepared.recording is not None and len(spikes):
        main_channels = find_main_channels(prepared.recording, _vector(spikes), len(unit_ids), prepared.noise_levels)
        chosen = choose_spikes(prepared, spikes, half, len(unit_ids), settings)
        sample, peaks = _embed(prepared, spikes, chosen, main_channels, encoder)
        prepared, sample = _without_motion(prepared, sample, peaks, seed)
    model_name = hash_weights(encoder.model)
    points_up = np.zeros(len(unit_ids), dtype=bool)
    return tabulate_fingerprints(
        prepared, spikes, half, main_channels, points_up, unit_ids, sample, settings, model_name
    )


def _load_encoder(model: str | Path) -> SpikeEncoder:
    from ..sorting.encoder import SpikeEncoder
    from ..sorting.sorter import SpikeSorter

    sorter = SpikeSorter.from_pretrained(model)
    return SpikeEncoder(sorter.model, sorter.feature_extractor)


def _vector(spikes: Spikes) -> np.ndarray:
    """Spikes as the structured array of SpikeInterface."""
    vector = np.zeros(len(spikes), dtype=[("segment_index", "i8"), ("sample_index", "i8"), ("unit_index", "i8")])
    for column in vector.dtype.names:
        vector[column] = spikes[column]
    return vector


def _without_motion(
    prepared: PreparedRecording, sample: EmbeddedSpikes, peaks: np.ndarray, seed: int
) -> tuple[PreparedRecording, EmbeddedSpikes]:
    """Traces and places corrected for the motion within the session, as a sort does, if the spikes show any."""
    corrected = follow_motion(prepared, peaks, sample.places, PreparationParameters(), seed=seed)
    if not corrected.is_corrected:
        return prepared, sample
    moved = displacements_of(
        corrected.motion, prepared.recording, peaks["segment_index"], peaks["sample_index"], sample.places[:, 1]
    )
    places = sample.places - np.stack([np.zeros(len(moved)), moved], axis=1)
    return corrected, replace(sample, places=places.astype("float32"))


def _embed(
    prepared: PreparedRecording, spikes: Spikes, chosen: np.ndarray, main_channels: np.ndarray, encoder: SpikeEncoder
) -> tuple[EmbeddedSpikes, np.ndarray]:
    """The spikes chosen, embedded, in the order of their troughs; and SpikeInterface's array of these peaks."""
    from spikeinterface.core.base import base_peak_dtype

    near = find_neighborhoods(prepared.positions, prepared.shanks, NUM_ALIGNMENT_CHANNELS)
    # Each at its own trough, as detection would have found it.
    aligned = align_spikes(prepared.recording, _vector(spikes[chosen]), main_channels, near, prepared.noise_levels)
    order = np.lexsort((aligned["sample_index"], aligned["segment_index"]))
    peaks = np.zeros(len(order), dtype=base_peak_dtype)
    for name in aligned.dtype.names:
        peaks[name] = aligned[name][order]
    own_channel = find_neighborhoods(prepared.positions, prepared.shanks, 1)
    for batch in iterate_waveforms(
        prepared.recording, peaks, own_channel, prepared.noise_levels, num_before=0, num_after=1
    ):
        peaks["amplitude"][batch.first : batch.first + len(batch.waveforms)] = batch.waveforms[:, 0, 0]
    embeddings, places = [], []
    for batch in embed_peaks(encoder.model, encoder.feature_extractor, prepared, peaks, denoise=False):
        relative = batch.locations
        if relative is None:
            relative = centers_of_mass(batch.peak_to_peak, batch.positions, batch.mask)
        embeddings.append(batch.embeddings)
        places.append(prepared.positions[peaks["channel_index"][batch.rows]] + relative)
    return EmbeddedSpikes(chosen[order], np.concatenate(embeddings), np.concatenate(places).astype("float32")), peaks
