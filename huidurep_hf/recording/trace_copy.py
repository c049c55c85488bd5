"""A copy of preprocessed traces, which are then filtered once: in memory if they are few, else in a scratch folder."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numba
import numpy as np
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

from ..workers import Workers
from .blocks import Block, read_with_margin

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseRecordingSegment

    from .preprocessing.preparation import PreparedRecording


logger = logging.getLogger("huidurep_hf")

# Of an empty file that a run leaves where there was no room for a copy.
NO_COPY_SUFFIX = ".not_copied"
# float32 traces of up to this size are held in memory: 140 s of 32 channels at 30 kHz.
MAX_BYTES_IN_MEMORY = 2**29
# Of the free room of a disk, a copy takes at most this share.
MAX_SHARE_OF_DISK = 0.8
# Of a block that is copied alone, so much on both sides: waveforms and filters reach less far.
MARGIN_S = 0.05
# On disk an SD of the noise is so many steps of an integer: rounding adds 0.01 SD of noise, and 1,024 SDs are the most.
STEPS_PER_SD, LARGEST_STEP = 32, 32767


class MemoryCopy:
    """Traces in memory, float32."""

    def __init__(self, recording: BaseRecording):
        self.original = recording
        num_channels = recording.get_num_channels()
        self.traces = [
            np.zeros((recording.get_num_samples(segment), num_channels), dtype="float32")
            for segment in range(recording.get_num_segments())
        ]

    def write(self, block: Block, traces: np.ndarray) -> None:
        """Put `(num_samples, num_channels)` traces of a block in their place."""
        self.traces[block.segment][block.start : block.stop] = traces

    def recording(self) -> BaseRecording:
        """The traces as a SpikeInterface recording with the channels, probe and times of the original."""
        from spikeinterface.core import NumpyRecording

        copied = NumpyRecording(
            self.traces,
            self.original.get_sampling_frequency(),
            t_starts=_start_times(self.original),
            channel_ids=self.original.channel_ids,
        )
        return _with_metadata(copied, self.original)


class DiskCopy:
    """Traces in files of a folder: int16, a step 1/32 SD of each channel's noise; beyond 1,024 SDs they are clipped."""

    def __init__(self, recording: BaseRecording, noise_levels: np.ndarray, folder: Path, name: str):
        self.original = recording
        self.gains = (np.maximum(noise_levels, 1e-12) / STEPS_PER_SD).astype("float32")
        num_channels = recording.get_num_channels()
        self.paths = copy_paths(recording, folder, name)
        self.bytes_per_sample = 2 * num_channels
        for segment, path in enumerate(self.paths):
            # Traces that a stopped run has written are kept.
            with open(path, "ab") as file:
                file.truncate(self.bytes_per_sample * recording.get_num_samples(segment))

    def write(self, block: Block, traces: np.ndarray) -> None:
        """Put `(num_samples, num_channels)` traces of a block in their place."""
        rounded = _rounded(np.ascontiguousarray(traces, dtype="float32"), self.gains)
        # Opened anew: a network file system shows other machines what was written when the file is closed.
        with open(self.paths[block.segment], "r+b", buffering=0) as file:
            file.seek(self.bytes_per_sample * block.start)
            rest = memoryview(rounded).cast("B")
            while rest:
                rest = rest[file.write(rest) :]

    def recording(self) -> BaseRecording:
        """The traces as a lazy float32 SpikeInterface recording with the channels, probe and times of the original."""
        from spikeinterface.core import BinaryRecordingExtractor

        rounded = BinaryRecordingExtractor(
            self.paths,
            self.original.get_sampling_frequency(),
            dtype="int16",
            t_starts=_start_times(self.original),
            num_channels=self.original.get_num_channels(),
            channel_ids=self.original.channel_ids,
        )
        return ScaledRecording(_with_metadata(rounded, self.original), self.gains)


class ScaledRecording(BasePreprocessor):
    """Integer traces times a gain of each channel, in one pass over them.

    Args:
        recording: SpikeInterface recording.
        gains: `(num_channels,)` float32.
    """

    def __init__(self, recording: BaseRecording, gains: np.ndarray):
        super().__init__(recording, dtype="float32")
        for parent in recording.segments:
            self.add_recording_segment(ScaledSegment(parent, gains))
        self._kwargs = {"recording": recording, "gains": gains}


class ScaledSegment(BasePreprocessorSegment):
    """A segment of [`ScaledRecording`]."""

    def __init__(self, parent: BaseRecordingSegment, gains: np.ndarray):
        super().__init__(parent)
        self.gains = np.asarray(gains, dtype="float32")

    def get_traces(self, start_frame: int, end_frame: int, channel_indices: np.ndarray | slice | None) -> np.ndarray:
        """Return scaled traces, `(num_samples, num_channels)` float32."""
        channels = slice(None) if channel_indices is None else channel_indices
        traces = self.parent_recording_segment.get_traces(start_frame, end_frame, channels)
        return np.multiply(traces, self.gains[channels], dtype="float32")


@numba.njit(cache=True, nogil=True)
def _rounded(traces: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Traces in steps of each channel's gain, the nearest, as int16; the largest step where they are larger."""
    num_samples, num_channels = traces.shape
    rounded = np.empty((num_samples, num_channels), dtype=np.int16)
    for sample in range(num_samples):
        for channel in range(num_channels):
            step = np.rint(traces[sample, channel] / gains[channel])
            rounded[sample, channel] = min(max(step, -LARGEST_STEP), LARGEST_STEP)
    return rounded


def copy_paths(recording: BaseRecording, folder: Path, name: str) -> list[Path]:
    """Files of a copy in a folder, one a segment."""
    return [folder / f"{name}_{segment}.int16" for segment in range(recording.get_num_segments())]


def bytes_on_disk(recording: BaseRecording) -> int:
    """Bytes of a copy of a SpikeInterface recording in a scratch folder."""
    return 2 * recording.get_num_channels() * recording.get_total_samples()


def fits_in_memory(recording: BaseRecording) -> bool:
    """Whether a copy of a SpikeInterface recording is held in memory."""
    return 2 * bytes_on_disk(recording) <= MAX_BYTES_IN_MEMORY


def make_copy(
    recording: BaseRecording,
    noise_levels: np.ndarray,
    folder: Path | None,
    name: str,
    is_shared: bool = False,
    num_samples: int | None = None,
) -> MemoryCopy | DiskCopy | None:
    """Choose where preprocessed traces are kept.

    Args:
        recording: SpikeInterface recording of the preprocessed traces.
        noise_levels: `(num_channels,)` SD of the noise, in the unit of the traces.
        folder: scratch folder on a disk; without one only what is small enough for memory is copied.
        name: of the copy's files.
        is_shared: other processes write to it and read from it, so that it cannot be in memory.
        num_samples: that will be written, of all segments together; all if left out. What is not written takes no room
            on a disk.

    Returns:
        Where to write; None where there is no room: the traces are then filtered again in each pass. A run that goes on
        after it was stopped keeps to what was chosen then, whatever room there is now: parts of its passes follow from
        these traces.
    """
    if fits_in_memory(recording) and not is_shared:
        return MemoryCopy(recording)
    if folder is None:
        return None
    free, needed = shutil.disk_usage(folder).free, bytes_on_disk(recording)
    if num_samples is not None:
        needed = needed * num_samples // recording.get_total_samples()
    no_room = folder / f"{name}{NO_COPY_SUFFIX}"
    is_begun = all(path.is_file() for path in copy_paths(recording, folder, name))
    if no_room.is_file():
        logger.warning(
            "The run began without a copy of the preprocessed traces, and goes on so; to begin anew, remove %s.", folder
        )
        return None
    if not is_begun and needed > MAX_SHARE_OF_DISK * free:
        no_room.touch()
        logger.warning(
            "A copy of the preprocessed traces takes %.1f GB, and %s has %.1f GB left: they are filtered anew in each "
            "pass, which takes longer.",
            1e-9 * needed,
            folder,
            1e-9 * free,
        )
        return None
    logger.info("prepare: preprocessed traces go to %s for the time of the run (%.1f GB)", folder, 1e-9 * needed)
    return DiskCopy(recording, noise_levels, folder, name)


def copy_blocks(
    prepared: PreparedRecording, blocks: list[Block], folder: Path | None, workers: Workers
) -> PreparedRecording:
    """Keep the traces of some blocks, so that they are computed once.

    Args:
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        blocks: which are read from now on, with a margin of 50 ms.
        folder: scratch folder; as for [`make_copy`].
        workers: who share the blocks.

    Returns:
        The same recording, its traces there in the blocks and 0 elsewhere; or as given where there is no room.
    """
    margin = round(MARGIN_S * prepared.recording.get_sampling_frequency())
    num_samples = sum(block.stop - block.start + 2 * margin for block in blocks)
    num_samples = min(num_samples, prepared.recording.get_total_samples())
    copy = make_copy(
        prepared.recording, prepared.noise_levels, folder, "corrected", workers.is_remote, num_samples=num_samples
    )
    if copy is None:
        return prepared
    job = partial(_copy_block, recording=prepared.recording, copy=copy, margin=margin)
    for _ in workers.map(job, blocks):
        pass
    return dataclasses.replace(prepared, recording=copy.recording())


def _copy_block(block: Block, *, recording: BaseRecording, copy: MemoryCopy | DiskCopy, margin: int) -> None:
    traces, start = read_with_margin(recording, block, margin)
    copy.write(Block(block.segment, start, start + len(traces)), traces)


def _start_times(recording: BaseRecording) -> list[float] | None:
    """Start time of each segment, s; SpikeInterface gives None for those that have none beside others that do."""
    starts = recording.get_segment_t_starts()
    return starts and [start or 0.0 for start in starts]


def _with_metadata(copied: BaseRecording, original: BaseRecording) -> BaseRecording:
    original.copy_metadata(copied)
    for segment in range(original.get_num_segments()):
        if original.has_time_vector(segment):
            copied.set_times(original.get_times(segment), segment_index=segment)
    return copied
