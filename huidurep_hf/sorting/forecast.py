"""What a run will take, from the size of its recording: time, memory and disk; and what it took."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..recording.times import recorded_s
from ..recording.trace_copy import bytes_on_disk, fits_in_memory

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from .parameters import SortingParameters

logger = logging.getLogger("huidurep_hf")

# Seconds of one core, measured by scripts/benchmark_speed.py on processors with AVX-512: filters and matching for each
# channel and second, the model for each embedded spike, clusters and templates for each spike that is learned from.
START_S = 10.0
SCAN_S, ASSIGN_S = 1.2e-3, 0.7e-3
EMBED_S, LEARN_S = 0.5e-3, 1.4e-3
# Peaks of a second and channel: 2 to 12 in recordings of cortex and of SpikeInterface's generator.
PEAKS_PER_CHANNEL_S = 6.0
# A row of the table of detected peaks, on disk.
BYTES_PER_PEAK = 20.0
# Libraries and model; traces of a second and channel that are worked on; templates of clusters, about ten a channel, on
# all channels; waveforms of a learned spike; a row of the table of events (120 to 135 bytes were measured).
FIXED_BYTES, BYTES_PER_CHANNEL, BYTES_PER_PAIR_OF_CHANNELS, BYTES_PER_LEARNED, BYTES_PER_EVENT = (
    0.8e9,
    1e6,
    8e3,
    8e3,
    140.0,
)


@dataclass(frozen=True)
class Forecast:
    """What a run takes.

    Attributes:
        seconds: wall time, s.
        memory_gb: most memory of the process, 10^9 bytes.
        disk_gb: scratch files for the time of the run, 10^9 bytes.
    """

    seconds: float
    memory_gb: float
    disk_gb: float

    def to_dict(self) -> dict[str, float]:
        """Names and values, rounded."""
        return {name: float(f"{value:.3g}") for name, value in asdict(self).items()}

    def __str__(self) -> str:
        return f"{_as_time(self.seconds)}, {self.memory_gb:.1f} GB of memory, {self.disk_gb:.1f} GB of scratch files"


def forecast_run(recording: BaseRecording, parameters: SortingParameters, num_workers: int) -> Forecast:
    """Forecast a run, within a factor of two or three: the number of spikes is not known before.

    Args:
        recording: SpikeInterface recording.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
        num_workers: cores that share the work.
    """
    num_channels, duration_s = recording.get_num_channels(), recorded_s(recording)
    channel_seconds = num_channels * duration_s
    num_peaks = PEAKS_PER_CHANNEL_S * channel_seconds
    learning = parameters.learning
    num_learned = num_peaks
    if parameters.template_matching == "on" and parameters.num_units is None:
        num_learned = min(num_peaks, max(learning.max_learned_peaks, learning.learned_peaks_per_channel * num_channels))
    num_embedded = num_learned + min(num_peaks - num_learned, learning.motion_peaks_per_s * duration_s)
    core_seconds = (SCAN_S + ASSIGN_S) * channel_seconds + EMBED_S * num_embedded + LEARN_S * num_learned
    in_memory = fits_in_memory(recording)
    memory = FIXED_BYTES + BYTES_PER_CHANNEL * num_channels + BYTES_PER_PAIR_OF_CHANNELS * num_channels**2
    memory += BYTES_PER_LEARNED * num_learned
    memory += BYTES_PER_EVENT * num_peaks + (2 * bytes_on_disk(recording) if in_memory else 0)
    disk = BYTES_PER_PEAK * num_peaks + (0 if in_memory else bytes_on_disk(recording))
    return Forecast(START_S + core_seconds / num_workers, 1e-9 * memory, 1e-9 * disk)


def announce(forecast: Forecast, scratch_folder: Path | None) -> None:
    """Log a forecast, and warn where the disk has no room for it."""
    logger.info("forecast: %s", forecast)
    if scratch_folder is not None and 1e9 * forecast.disk_gb > shutil.disk_usage(scratch_folder).free:
        logger.warning(
            "The scratch files of this run take %.1f GB, and %s has %.1f GB left; give another folder by "
            "scratch_folder (--scratch-folder), or the traces are filtered anew in each pass.",
            forecast.disk_gb,
            scratch_folder,
            1e-9 * shutil.disk_usage(scratch_folder).free,
        )


def _as_time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
