"""A recording becomes a Parquet table: one row per detected spike, with its embedding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from ..output_path import check_writable
from ..recording.scan import prepare
from ..recording.settings import DetectionSettings
from ..recording.spikes.detection import detect
from ..recording.times import times_of_samples
from ..workers import Workers
from .peaks import embed_peaks

if TYPE_CHECKING:
    import pyarrow as pa
    from spikeinterface.core import BaseRecording

    from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ..model.modeling_huidurep import HuiduRepModel
    from ..recording.preprocessing.preparation import PreparedRecording


def embed_recording(
    recording: BaseRecording,
    path: str | Path,
    model: HuiduRepModel,
    feature_extractor: HuiduRepFeatureExtractor,
    *,
    detect_threshold: float = 5.0,
    batch_size: int = 512,
    seed: int = 0,
    num_workers: int | None = None,
    progress: bool = False,
) -> int:
    """Detect the spikes of a recording and write each with its embedding; memory is bounded by some batches.

    The columns are `segment_index`, `sample_index`, `time_s` (on the recording's own clock), `channel_id`, `x_um` and
    `y_um` of the peak channel, `amplitude` (largest denoised peak-to-peak, in SDs of noise) and `embedding`.

    Args:
        recording: SpikeInterface recording with a probe.
        path: of the Parquet file. It appears when it is complete.
        model: HuiduRep model, on the device and in the precision it is to run with.
        feature_extractor: its feature extractor.
        detect_threshold: of peaks, in SDs of each channel's noise.
        batch_size: spikes in one pass.
        seed: of the chunks on which noise is measured.
        num_workers: threads that share the batches; as many as there are cores if left out.
        progress: show a progress bar.

    Returns:
        Number of rows; a recording without spikes gives a table without rows.

    Raises:
        TypeError, ValueError: a recording that cannot work; the message says what to do.
        OSError: the file cannot be made.
    """
    import pyarrow.parquet as pq

    path = Path(path)
    check_writable(path)
    prepared = prepare(recording, seed=seed)
    peaks = detect(prepared, DetectionSettings(detect_threshold=detect_threshold))
    schema = _schema(model.config.embedding_size)
    partial = path.with_name(path.name + ".partial")
    model.eval()
    try:
        with (
            pq.ParquetWriter(partial, schema) as writer,
            tqdm(total=len(peaks), desc="embed", unit="spike", disable=not progress) as bar,
        ):
            for rows in _rows(prepared, peaks, model, feature_extractor, batch_size, Workers(num_workers)):
                writer.write_batch(_batch(rows, schema))
                bar.update(len(rows["sample_index"]))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return len(peaks)


def _schema(embedding_size: int) -> pa.Schema:
    import pyarrow as pa

    columns = {
        "segment_index": pa.int32(),
        "sample_index": pa.int64(),
        "time_s": pa.float64(),
        "channel_id": pa.string(),
        "x_um": pa.float32(),
        "y_um": pa.float32(),
        "amplitude": pa.float32(),
        "embedding": pa.list_(pa.float32(), embedding_size),
    }
    return pa.schema(list(columns.items()))


def _batch(rows: dict[str, np.ndarray], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    flat = pa.array(rows["embedding"].ravel(), type=pa.float32())
    rows = {**rows, "embedding": pa.FixedSizeListArray.from_arrays(flat, schema.field("embedding").type.list_size)}
    return pa.record_batch([pa.array(rows[name], type=schema.field(name).type) for name in schema.names], schema=schema)


def _rows(
    prepared: PreparedRecording,
    peaks: np.ndarray,
    model: HuiduRepModel,
    feature_extractor: HuiduRepFeatureExtractor,
    batch_size: int,
    workers: Workers,
) -> Iterator[dict[str, np.ndarray]]:
    """Yield columns of consecutive spikes."""
    if len(peaks) == 0:
        return
    channel_ids = np.asarray(prepared.recording.channel_ids).astype(str)
    for batch in embed_peaks(model, feature_extractor, prepared, peaks, batch_size=batch_size, workers=workers):
        spikes = peaks[batch.rows]
        positions = prepared.positions[spikes["channel_index"]]
        yield {
            # Segments too short to be filtered are not in the prepared recording, which numbers the others anew.
            "segment_index": np.asarray(prepared.segment_indices)[spikes["segment_index"]],
            "sample_index": spikes["sample_index"],
            "time_s": times_of_samples(prepared.recording, spikes["segment_index"], spikes["sample_index"]),
            "channel_id": channel_ids[spikes["channel_index"]],
            "x_um": positions[:, 0],
            "y_um": positions[:, 1],
            "amplitude": batch.peak_to_peak.max(axis=1),
            "embedding": batch.embeddings,
        }
