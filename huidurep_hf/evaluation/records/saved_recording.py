"""A generated recording on disk, where other processes read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

CHUNK_DURATION = "60s"


def save_recording(recording: BaseRecording, folder: Path) -> None:
    """Save a recording as a binary folder of SpikeInterface.

    In few chunks: SpikeInterface collects garbage after each, which takes most of the time.

    Args:
        recording: whose traces are in memory.
        folder: made by this.
    """
    recording.save(folder=folder, format="binary", chunk_duration=CHUNK_DURATION, progress_bar=False, verbose=False)
