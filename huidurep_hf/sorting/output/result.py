"""The result of a run: spike trains, the outcome of every event, and the provenance."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...output_path import check_writable
from ...recording.times import times_of_samples
from ..spikes import OUTCOMES
from .unit_table import tabulate_units

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting

    from ..pipeline import SortedSpikes

PROVENANCE_FILE = "provenance.json"


@dataclass(frozen=True)
class SortingResult:
    """Sorted spike trains and everything needed to judge them.

    Attributes:
        sorting: SpikeInterface `NumpySorting` with the recording's segments; unit ids count from 0, properties are
            the columns of [`~huidurep_hf.sorting.output.unit_table.tabulate_units`], among them `label`.
        events: `pandas.DataFrame`, one row per event, detected or found by template matching, in order of
            segment and time: `segment`, `sample`,
            `time_s` (on the recording's own clock), `channel` (id), `x_um`, `y_um`, `amplitude` (at the peak, in
            `provenance["preparation"]["unit"]`), `unit` (-1 for none), `probability`, `outcome` ("unit", "duplicate",
            "small unit", "noise"), `detected` (False for a spike found by template matching alone), `embedded`.
            `channel` and `outcome` are categories.
        embeddings: `(num_embedded, embedding_size)` float32, in the order of the events that are `embedded`: all of
            them, but for long recordings.
        templates: `(num_units, num_samples, num_channels)` float32, noise units, 1 ms before to 2 ms after the peak.
        channels: `pandas.DataFrame`, one row per channel of `templates`: `channel`, `x_um`, `y_um`, `shank` (numbered
            from 0), `group` (the recording's own name of it), `noise_level`.
        provenance: `dict` of plain JSON values.
    """

    sorting: object
    events: pd.DataFrame
    embeddings: np.ndarray
    templates: np.ndarray
    channels: pd.DataFrame
    provenance: dict

    @classmethod
    def from_events(cls, recording: BaseRecording, found: SortedSpikes, provenance: dict) -> SortingResult:
        """Gather what a run has found.

        Args:
            recording: SpikeInterface recording, as given.
            found: [`~huidurep_hf.sorting.pipeline.SortedSpikes`].
            provenance: counts are added.
        """
        spikes, prepared = found.events, found.prepared
        # Few bytes for each event: an hour of 384 channels has 14 million.
        channel_ids = np.asarray(recording.channel_ids).astype(str)
        channels_of_events = prepared.channel_indices[spikes["channel_index"]]
        segments = prepared.segment_indices[spikes["segment_index"]]
        samples = spikes["sample_index"]
        events = pd.DataFrame(
            {
                "segment": segments.astype("int32"),
                "sample": samples,
                "time_s": times_of_samples(recording, segments, samples),
                "channel": pd.Categorical.from_codes(channels_of_events, channel_ids),
                "x_um": spikes["location_um"][:, 0],
                "y_um": spikes["location_um"][:, 1],
                "amplitude": spikes["amplitude"],
                "unit": spikes["unit_index"].astype("int32"),
                "probability": spikes["probability"].astype("float32"),
                "outcome": pd.Categorical.from_codes(spikes["outcome"], OUTCOMES),
                "detected": spikes["is_detected"],
                "embedded": spikes["is_embedded"],
            },
            copy=False,
        )
        groups = recording.get_channel_groups()
        channels = pd.DataFrame(
            {
                "channel": channel_ids[prepared.channel_indices],
                "x_um": prepared.positions[:, 0],
                "y_um": prepared.positions[:, 1],
                "shank": prepared.shanks,
                "group": prepared.shanks if groups is None else groups[prepared.channel_indices],
                "noise_level": prepared.noise_levels,
            }
        )
        counts = {
            "units": len(found.waveforms),
            "events": len(events),
            **{str(name): int(count) for name, count in events["outcome"].value_counts().items() if count},
        }
        sorting = _sorting_from_events(events, provenance["recording"], len(found.waveforms))
        sorting.register_recording(recording)
        provenance = {**provenance, "counts": counts}
        return cls(sorting, events, found.embeddings, found.waveforms, channels, provenance)._with_properties()

    def _with_properties(self) -> SortingResult:
        """The same, its table of units as properties of the sorting."""
        for name, column in tabulate_units(self).items():
            if name != "unit":
                values = column.to_numpy()
                # Text as text: an array of Python objects would be saved as a pickle.
                self.sorting.set_property(name, values.astype(str) if values.dtype == object else values)
        return self

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Save to a folder, written beside its final place and renamed, so that it is there whole or not at all.

        Args:
            folder: where to; its parents are made.
            overwrite: replace an earlier result.

        Returns:
            `Path` of the folder.

        Raises:
            FileExistsError: the folder is there, and `overwrite` is not set or it holds something else than a result.
            OSError: it cannot be made.
        """
        from ...recording.sources.timed_sorting import save_sorting
        from .report import write_report

        folder = Path(folder)
        check_output_folder(folder, overwrite)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            spike_times_s = self.events.loc[self.events["unit"] >= 0, "time_s"].to_numpy()
            save_sorting(self.sorting, spike_times_s, _start_times_s(self.provenance["recording"]), beside / "sorting")
            self.events.to_parquet(beside / "events.parquet", index=False)
            self.channels.to_parquet(beside / "channels.parquet", index=False)
            np.save(beside / "embeddings.npy", self.embeddings)
            np.save(beside / "templates.npy", self.templates)
            (beside / PROVENANCE_FILE).write_text(json.dumps(self.provenance, indent=2, allow_nan=False))
            write_report(self, beside)
            beside.chmod(0o755)
            _put_in_place(beside, folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> SortingResult:
        """Load a result from its folder.

        Raises:
            FileNotFoundError: no result there.
        """
        folder = Path(folder)
        if not (folder / PROVENANCE_FILE).is_file():
            raise FileNotFoundError(f"{folder} holds no sorting result ({PROVENANCE_FILE} is missing).")
        provenance = json.loads((folder / PROVENANCE_FILE).read_text())
        events = pd.read_parquet(folder / "events.parquet")
        templates = np.load(folder / "templates.npy")
        return cls(
            sorting=_sorting_from_events(events, provenance["recording"], len(templates)),
            events=events,
            embeddings=np.load(folder / "embeddings.npy"),
            templates=templates,
            channels=pd.read_parquet(folder / "channels.parquet"),
            provenance=provenance,
        )._with_properties()


def check_output_folder(folder: str | Path, overwrite: bool) -> None:
    """Refuse an output folder that is there already, or cannot be made, before any work is done.

    Args:
        folder: output folder.
        overwrite: an earlier result may be replaced; anything else may not.

    Raises:
        FileExistsError: the folder is there and must not be replaced.
        OSError: it cannot be made.
    """
    folder = Path(folder)
    check_writable(folder)
    if not folder.exists() and not folder.is_symlink():
        return
    if not overwrite:
        raise FileExistsError(f"The output {folder} exists already; give another one, or set overwrite (--overwrite).")
    if not (folder / PROVENANCE_FILE).is_file():
        raise FileExistsError(
            f"The output {folder} exists and is not a sorting result (no {PROVENANCE_FILE} in it), so it is not"
            " overwritten; give another one."
        )


def _sorting_from_events(events: pd.DataFrame, recording_description: dict, num_units: int) -> BaseSorting:
    from spikeinterface.core import NumpySorting
    from spikeinterface.core.base import minimum_spike_dtype

    from ...recording.sources.timed_sorting import set_times

    sorted_events = events[events["unit"] >= 0]
    spikes = np.zeros(len(sorted_events), dtype=minimum_spike_dtype)
    spikes["segment_index"] = sorted_events["segment"]
    spikes["sample_index"] = sorted_events["sample"]
    spikes["unit_index"] = sorted_events["unit"]
    sorting = NumpySorting(spikes, recording_description["sampling_rate"], np.arange(num_units))
    set_times(sorting, sorted_events["time_s"].to_numpy(), _start_times_s(recording_description))
    return sorting


def _start_times_s(recording_description: dict) -> np.ndarray:
    """Of each segment; results of earlier versions do not say."""
    return np.array(recording_description.get("start_times_s", [0.0] * len(recording_description["num_samples"])))


def _put_in_place(beside: Path, folder: Path) -> None:
    if not folder.exists():
        beside.rename(folder)
        return
    # The earlier result goes only once the new one is in its place.
    earlier = Path(tempfile.mkdtemp(prefix=f".{folder.name}.earlier.", dir=folder.parent))
    os.rename(folder, earlier / "result")
    try:
        beside.rename(folder)
    except BaseException:
        os.rename(earlier / "result", folder)
        raise
    finally:
        if folder.exists():
            shutil.rmtree(earlier, ignore_errors=True)
