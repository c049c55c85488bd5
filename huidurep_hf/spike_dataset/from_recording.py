"""Make a spike dataset of a recording: its peaks alone, or the spikes of a sorting as labels."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from ..recording.parameters import PreparationParameters
from ..recording.scan import prepare
from ..recording.settings import DetectionSettings
from ..recording.spikes.alignment import align_spikes, find_main_channels
from ..recording.spikes.detection import detect
from ..recording.spikes.neighborhood import find_neighborhoods
from ..recording.spikes.waveforms import WaveformBatch
from .geometry import PEAK_POSITION, SpikeGeometry, describe, spike_features
from .resampled_waveforms import iterate_resampled

if TYPE_CHECKING:
    from datasets import Dataset
    from spikeinterface.core import BaseRecording, BaseSorting

    from ..recording.preprocessing.preparation import PreparedRecording

logger = logging.getLogger("huidurep_hf")

CHANNELS_SEARCHED = 11
"""A sorting's spike is looked for on so many channels around its unit's largest one."""
CENTER_OF_MASS_MS = 1.0
"""A spike's extent on each channel is measured so far either side of the trough."""
RADIUS_UM = 75.0
"""Contacts farther than this from the peak channel carry more noise than spike into its location."""


@dataclass(frozen=True)
class RecordedSpikesParameters:
    """How spikes are taken from a recording.

    Attributes:
        detect_threshold: of peaks, in units of each channel's noise; a sorting's spikes need none.
        max_spikes: most rows, drawn at random from all spikes. A row takes 5.3 kB.
        freq_min_hz, freq_max_hz: pass band of the preparation.
        name: of the recording, the dataset's `group`; left empty, SpikeInterface's.
        seed: of that draw, and of the chunks on which noise is measured.
    """

    detect_threshold: float = 5.0
    max_spikes: int = 200_000
    freq_min_hz: float = 300.0
    freq_max_hz: float = 6000.0
    name: str = ""
    seed: int = 0


def spikes_from_recording(
    recording: BaseRecording,
    sorting: BaseSorting | None = None,
    parameters: RecordedSpikesParameters | None = None,
    progress: bool = True,
) -> Dataset:
    """Turn a recording into a spike dataset, with the columns that docs/architecture.md states.

    The recording is prepared as for sorting. Waveforms are resampled to 30 kHz by the feature extractor's
    interpolation and given in SDs of each channel's noise, noise included: each row says `unit` "noise_sd".
    Without a sorting every peak is a unit of its own (`labelled` false). With one, `unit_id` is the unit's index in
    `sorting.unit_ids`, its rows stand together in the order of time, and each spike's trough and peak channel are read
    from its own waveform within 0.3 ms of the stated time. `location` is the centre of mass of the squared
    peak-to-peak amplitude.

    Memory is bounded by a chunk of traces and a batch of spikes. Until Python ends the rows lie in an Arrow file in the
    cache of `datasets`; [`~huidurep_hf.spike_dataset.writing.write_spikes`] keeps them.

    Args:
        recording: SpikeInterface recording with a probe, of any rate and number of channels.
        sorting: SpikeInterface sorting of it; left out, peaks are detected.
        parameters: how spikes are taken.
        progress: show a progress bar.

    Returns:
        The dataset; an empty one where there are no spikes.

    Raises:
        TypeError: not a SpikeInterface recording.
        ValueError: no probe, an impossible pass band, or a sorting that is not of this recording.
    """
    parameters = parameters or RecordedSpikesParameters()
    if sorting is not None:
        check_sorting(recording, sorting)
    band = PreparationParameters(freq_min_hz=parameters.freq_min_hz, freq_max_hz=parameters.freq_max_hz)
    prepared = prepare(recording, band, seed=parameters.seed)
    peaks, unit_ids = _find_spikes(prepared, sorting, parameters)
    geometry = SpikeGeometry(unit="noise_sd", labelled=sorting is not None)
    path = _write_arrow(prepared, peaks, unit_ids, geometry, _names(recording, parameters), progress)

    from datasets import Dataset

    spikes = Dataset.from_file(str(path), info=describe(geometry, "unknown"), split="train")
    # Written in the order of time, in which the traces are read once; a reader wants a unit's rows together.
    return spikes if sorting is None else spikes.select(np.argsort(unit_ids, kind="stable"))


def check_sorting(recording: BaseRecording, sorting: BaseSorting) -> None:
    """Refuse a SpikeInterface sorting that cannot be one of a recording.

    Raises:
        ValueError: it has other segments, another sampling rate, or spikes beyond the recording.
    """
    given = sorting.get_num_segments(), sorting.get_sampling_frequency()
    needed = recording.get_num_segments(), recording.get_sampling_frequency()
    if given != needed:
        raise ValueError(
            f"The sorting has {given[0]} segment(s) at {given[1]:g} Hz and the recording {needed[0]} at {needed[1]:g}"
            " Hz; give the sorting of this recording."
        )
    spikes = sorting.to_spike_vector()
    num_samples = np.array([recording.get_num_samples(i) for i in range(needed[0])])
    beyond = (spikes["sample_index"] < 0) | (spikes["sample_index"] >= num_samples[spikes["segment_index"]])
    if beyond.any():
        raise ValueError(
            f"{beyond.sum()} spikes of the sorting lie beyond the recording; give the sorting of this one."
        )


def _find_spikes(
    prepared: PreparedRecording, sorting: BaseSorting | None, parameters: RecordedSpikesParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Return peaks sorted by segment and sample, and the unit id of each."""
    random = np.random.default_rng(parameters.seed)
    if sorting is None:
        peaks = detect(prepared, DetectionSettings(detect_threshold=parameters.detect_threshold))
        peaks = peaks[_draw(len(peaks), parameters.max_spikes, random)]
        return peaks, np.arange(len(peaks))
    spikes = sorting.to_spike_vector().copy()
    # Segments too short to be filtered are not in the prepared recording, which numbers the others anew.
    spikes = spikes[np.isin(spikes["segment_index"], prepared.segment_indices)]
    spikes["segment_index"] = np.searchsorted(prepared.segment_indices, spikes["segment_index"])
    if prepared.recording is None:
        spikes = spikes[:0]
    spikes = spikes[_draw(len(spikes), parameters.max_spikes, random)]
    if len(spikes) == 0:
        return spikes, np.zeros(0, dtype="int64")
    noise_levels = prepared.noise_levels
    searched = find_neighborhoods(prepared.positions, prepared.shanks, CHANNELS_SEARCHED)
    main_channels = find_main_channels(prepared.recording, spikes, len(sorting.unit_ids), noise_levels)
    peaks = align_spikes(prepared.recording, spikes, main_channels, searched, noise_levels)
    order = np.lexsort((peaks["sample_index"], peaks["segment_index"]))
    return peaks[order], spikes["unit_index"][order].astype("int64")


def _draw(num_spikes: int, max_spikes: int, random: np.random.Generator) -> np.ndarray:
    return np.sort(random.permutation(num_spikes)[:max_spikes])


def _names(recording: BaseRecording, parameters: RecordedSpikesParameters) -> dict[str, str]:
    probes = recording.get_annotation("probes_info") or [{}]
    model = probes[0].get("model_name") or probes[0].get("name") or "recorded"
    return {"cell_type": "recorded", "probe": model, "group": parameters.name or recording.name or "recording"}


def _write_arrow(
    prepared: PreparedRecording,
    peaks: np.ndarray,
    unit_ids: np.ndarray,
    geometry: SpikeGeometry,
    names: dict,
    progress: bool,
) -> Path:
    import pyarrow as pa
    from datasets.config import HF_DATASETS_CACHE

    # On the disk where `datasets` has room: the folder of temporary files may lie in memory.
    Path(HF_DATASETS_CACHE).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="huidurep_spikes_", dir=HF_DATASETS_CACHE))
    # Not when the dataset is dropped: others that were selected from it may still be read.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "spikes.arrow"
    schema = spike_features(geometry).arrow_schema
    # The same for recordings of the same usable contacts, and in all likelihood for them alone.
    layout = zlib.crc32(prepared.positions.round().astype("int32").tobytes()) & 0x7FFFFFFF
    with (
        pa.ipc.new_stream(path, schema) as writer,
        tqdm(total=len(peaks), desc="cut spikes", disable=not progress) as bar,
    ):
        for batch in iterate_resampled(prepared, peaks, geometry):
            rows = slice(batch.first, batch.first + len(batch.waveforms))
            peak_positions = prepared.positions[peaks["channel_index"][rows]]
            columns = _columns(batch, unit_ids[rows], peak_positions, geometry, names, layout)
            writer.write_batch(pa.record_batch([columns[name] for name in schema.names], schema=schema))
            bar.update(len(batch.waveforms))
    logger.info("Cut %d spikes of %s", len(peaks), names["group"])
    return path


def _columns(
    batch: WaveformBatch,
    unit_ids: np.ndarray,
    peak_positions: np.ndarray,
    geometry: SpikeGeometry,
    names: dict,
    layout: int,
) -> dict:
    import pyarrow as pa

    def rows(values: np.ndarray) -> pa.FixedSizeListArray:
        flat = np.ascontiguousarray(values).reshape(-1)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat), flat.size // len(values))

    # An artefact beyond the range of float16 would become infinite.
    largest = np.finfo("float16").max
    return {
        "waveform": rows(batch.waveforms.clip(-largest, largest).astype("float16")),
        "channel_positions": rows(batch.positions.astype("float32")),
        "channel_mask": rows(batch.mask),
        "unit_id": pa.array(unit_ids.astype("int32")),
        "location": rows(_centers_of_mass(batch, geometry)),
        "displacement_um": pa.array(np.zeros(len(unit_ids), dtype="float32")),
        PEAK_POSITION: rows(peak_positions.astype("float32")),
        "layout": pa.array(np.full(len(unit_ids), layout, dtype="int32")),
        **{name: pa.array([value] * len(unit_ids)) for name, value in (names | geometry.said_in_rows).items()},
    }


def _centers_of_mass(batch: WaveformBatch, geometry: SpikeGeometry) -> np.ndarray:
    """Location of each spike `(num_spikes, 2)`, µm relative to its peak channel."""
    reach = round(CENTER_OF_MASS_MS * geometry.sampling_rate / 1000)
    around = batch.waveforms[:, max(geometry.peak_sample - reach, 0) : geometry.peak_sample + reach + 1]
    is_near = batch.mask & (np.linalg.norm(batch.positions, axis=2) <= RADIUS_UM)
    weight = np.ptp(around, axis=1) ** 2 * is_near
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    return ((weight / total)[:, :, None] * batch.positions).sum(axis=1).astype("float32")
