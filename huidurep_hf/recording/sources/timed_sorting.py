"""Sortings that know when their spikes were, by the clock of the recording and without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from spikeinterface.core import BaseSorting, NumpyFolderSorting
from spikeinterface.core.basesorting import SpikeVectorSortingSegment

TIMES_FILE = "times.npz"


class TimedSegment(SpikeVectorSortingSegment):
    """A segment with the time of each of its spikes.

    Args:
        spikes: SpikeInterface's vector of the spikes of all segments.
        times_s: `(num_spikes,)` time of each.
        start_time_s: of the segment.
        segment_index: which it is.
        unit_ids: of the sorting.
    """

    def __init__(
        self, spikes: np.ndarray, times_s: np.ndarray, start_time_s: float, segment_index: int, unit_ids: np.ndarray
    ):
        super().__init__(spikes, segment_index, unit_ids)
        self.times_s = times_s
        self._t_start = self._native_t_start = start_time_s

    def get_unit_spike_train_in_seconds(
        self, unit_id: str | int, start_time: float | None = None, end_time: float | None = None
    ) -> np.ndarray:
        """Times of a unit's spikes `(num_spikes,)`, s; SpikeInterface takes them where no recording is registered."""
        is_own = (self.spikes["segment_index"] == self.segment_index) & (
            self.spikes["unit_index"] == self.unit_ids.index(unit_id)
        )
        times = self.times_s[is_own]
        first = -np.inf if start_time is None else start_time
        return times[(times >= first) & (times <= (np.inf if end_time is None else end_time))]


class TimedFolderSorting(NumpyFolderSorting):
    """A sorting in SpikeInterface's folder format, with times beside it.

    `spikeinterface.core.load` of the folder gives one. Without this package the folder is read by
    `spikeinterface.core.NumpyFolderSorting`, and the times by `numpy.load`.

    Args:
        folder_path: made by [`save_sorting`].
    """

    def __init__(self, folder_path: str | Path):
        super().__init__(folder_path)
        with np.load(Path(folder_path) / TIMES_FILE) as times:
            set_times(self, times["spike_times_s"], times["start_times_s"])
        self._kwargs = {"folder_path": str(Path(folder_path).absolute())}


def set_times(sorting: BaseSorting, spike_times_s: np.ndarray, start_times_s: np.ndarray) -> None:
    """Give a sorting its segments anew, with times.

    Args:
        sorting: SpikeInterface `NumpySorting` or `NumpyFolderSorting`.
        spike_times_s: `(num_spikes,)` in the order of its spike vector, s.
        start_times_s: `(num_segments,)` of all segments of the recording, also of those without spikes, s.
    """
    spikes = sorting.to_spike_vector()
    # SpikeInterface counts segments by their spikes, and so forgets silent ones at the end.
    sorting.segments.clear()
    for segment, start_time_s in enumerate(start_times_s):
        sorting.add_sorting_segment(TimedSegment(spikes, spike_times_s, float(start_time_s), segment, sorting.unit_ids))


def save_sorting(sorting: BaseSorting, spike_times_s: np.ndarray, start_times_s: np.ndarray, folder: Path) -> None:
    """Save a sorting in a folder that SpikeInterface loads, with its times if they do not follow from the samples.

    Args:
        sorting: SpikeInterface sorting.
        spike_times_s, start_times_s: as of [`set_times`].
        folder: `Path` to be made.
    """
    NumpyFolderSorting.write_sorting(sorting, folder)
    from_samples = sorting.to_spike_vector()["sample_index"] / sorting.get_sampling_frequency()
    if not np.any(start_times_s) and np.array_equal(spike_times_s, from_samples):
        return
    np.savez(folder / TIMES_FILE, spike_times_s=spike_times_s, start_times_s=start_times_s)
    # Which class loads it.
    TimedFolderSorting(folder).dump_to_json(
        folder / "si_folder.json",
        relative_to=folder,
        include_extra_metadata=False,
        include_properties=False,
        include_annotations=False,
    )
