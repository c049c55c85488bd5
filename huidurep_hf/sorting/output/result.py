"""The result of a run: spike trains, the outcome of every event, and the provenance."""

from __future__ import annotations

import json
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...output_path import PARTIAL, beside, check_writable, claim, followed, identity, put_in_place
from ...recording.times import times_of_samples
from ..spikes import OUTCOMES
from .blanked import BESIDE_BLANKED_MS, blanked_periods, is_beside_blanked
from .fingerprint_table import FINGERPRINTS_FILE, UnitFingerprints
from .fingerprints import fingerprints_of_sort
from .settings import LabelSettings
from .trace_samples import sample_traces
from .unit_table import UNIT_COLUMNS, tabulate_units

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting
    from spikeinterface.core.motion import Motion

    from ..sorted_spikes import SortedSpikes

logger = logging.getLogger("huidurep_hf")

PROVENANCE_FILE = "provenance.json"
TABLE_FILE = "units.csv"
MOTION_FOLDER = "motion"
# Outcome of the spikes of a unit whose label is "noise".
NOISE_UNIT = "noise unit"
README = """# A spike sorting result of huidurep-hf

| file | what it is |
| --- | --- |
| `report.html` | the page: open it in a browser. `huidurep report` writes it again |
| `units.csv` | a row for each unit: place, rate, amplitude, SNR, contamination, label |
| `sorting/` | the spike trains, as SpikeInterface's `load` reads them |
| `events.parquet` | a row for each event: segment, sample, time, channel, place, amplitude, unit (-1: none), outcome |
| `embeddings.npy` | (embedded events, 32): embeddings of the events whose `embedded` is true, in their order |
| `templates.npy` | (units, samples, channels): average spike of each unit, in SDs of the noise, from 1 ms before |
| `spread.npy` | the same shape: SD of single spikes; NaN where too few were read |
| `fingerprints.parquet` | a row for each unit: what `huidurep track` needs to find it again in another session |
| `channels.parquet` | a row for each channel of the templates: name, place (um), shank, noise SD |
| `noise.parquet` | noise SD of each channel in up to 60 seconds of the recording |
| `motion/` | the motion that was followed, as SpikeInterface's `Motion.load` reads it; only if it was |
| `provenance.json` | versions, model, settings, recording, preparation, counts, seconds |
| `blanked.csv` | periods that were blanked, with the reason; events next to one are `beside_blanked` |
| `suggestions.csv` | pairs of units that may be one neuron, and units that may be two, with the reasons |
| `truth/`, `recording/` | of `huidurep example` alone: the true spikes, and the recording |
| `log.txt` | what the command `huidurep` said |

In Python: `from huidurep_hf.sorting.output.result import SortingResult; result = SortingResult.load(FOLDER)`.
"""


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
            "small unit", "noise", "noise unit"), `detected` (False for a spike found by template matching alone),
            `embedded` and `beside_blanked` (within 3 ms of a blanked period). `channel` and `outcome` are categories.
        embeddings: `(num_embedded, embedding_size)` float32, in the order of the events that are `embedded`: all of
            them, but for long recordings.
        templates: `(num_units, num_samples, num_channels)` float32, noise units, 1 ms before to 2 ms after the peak.
        channels: `pandas.DataFrame`, one row per channel of `templates`: `channel`, `x_um`, `y_um`, `shank` (numbered
            from 0), `group` (the recording's own name of it), `noise_level`.
        spread: `(num_units, num_samples, num_channels)` float32 SD of single spikes, noise units; NaN for a unit with
            too few spikes in what was read.
        noise: `pandas.DataFrame`, one row a second that was read, at most 60: `segment`, `time_s` and a column a row of
            `channels`, by its number as text: SD of the noise in the unit of the traces.
        motion: SpikeInterface `Motion` that was followed, or `None`.
        provenance: `dict` of plain JSON values.
        fingerprints: [`~huidurep_hf.sorting.output.fingerprint_table.UnitFingerprints`], by which
            [`~huidurep_hf.tracking.track.track_units`] follows the units across sessions; `None` in results of earlier
            versions.
    """

    sorting: object
    events: pd.DataFrame
    embeddings: np.ndarray
    templates: np.ndarray
    channels: pd.DataFrame
    spread: np.ndarray
    noise: pd.DataFrame
    motion: Motion | None
    provenance: dict
    fingerprints: UnitFingerprints | None = None

    @classmethod
    def from_events(
        cls, recording: BaseRecording, found: SortedSpikes, provenance: dict, *, keep_noise: bool = False
    ) -> SortingResult:
        """Gather what a run has found, and read a few seconds of its traces.

        Args:
            recording: SpikeInterface recording, as given.
            found: [`~huidurep_hf.sorting.sorted_spikes.SortedSpikes`], while its traces are there.
            provenance: counts are added.
            keep_noise: keep units whose label is "noise" as units.
        """
        spikes, prepared = found.events, found.prepared
        # Few bytes for each event: an hour of 384 channels has 14 million.
        channel_ids = np.asarray(recording.channel_ids).astype(str)
        channels_of_events = prepared.channel_indices[spikes["channel_index"]]
        segments = prepared.segment_indices[spikes["segment_index"]]
        samples = spikes["sample_index"]
        margin = round(BESIDE_BLANKED_MS * 1e-3 * recording.get_sampling_frequency())
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
                "beside_blanked": is_beside_blanked(spikes["segment_index"], samples, prepared.blanked, margin),
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
        spread, noise = sample_traces(prepared, spikes, found.waveforms)
        start = time.perf_counter()
        peak_sign = provenance["parameters"]["peak_sign"]
        fingerprints = fingerprints_of_sort(found, provenance["model"]["weights_sha256"], peak_sign)
        logger.info("fingerprints: %.1f s", time.perf_counter() - start)
        result = cls.from_tables(
            events=events,
            embeddings=found.embeddings,
            templates=found.waveforms,
            channels=channels,
            spread=spread,
            noise=noise,
            motion=prepared.motion,
            provenance={**provenance, "counts": _count(events, len(found.waveforms))},
            fingerprints=fingerprints,
        )
        result = result if keep_noise else result.without_noise()
        result.sorting.register_recording(recording)
        return result

    def without_noise(self) -> SortingResult:
        """The same without the units whose label is "noise"; the outcome of their events is "noise unit"."""
        is_noise = (self.units["label"] == "noise").to_numpy()
        if not is_noise.any():
            return self
        # The last entry is for events of no unit.
        number = np.append(np.where(is_noise, -1, np.cumsum(~is_noise) - 1), -1)
        before = self.events["unit"].to_numpy()
        units = number[before]
        is_dropped = (before >= 0) & (units < 0)
        outcome = self.events["outcome"].cat.add_categories([NOISE_UNIT])
        outcome = outcome.where(~is_dropped, NOISE_UNIT)
        probability = np.where(is_dropped, 0, self.events["probability"]).astype("float32")
        events = self.events.assign(unit=units.astype("int32"), probability=probability, outcome=outcome)
        fingerprints = self.fingerprints
        if fingerprints is not None:
            fingerprints = fingerprints.chosen(~is_noise).renumbered(np.arange(np.sum(~is_noise)))
        return type(self).from_tables(
            events=events,
            embeddings=self.embeddings,
            templates=self.templates[~is_noise],
            channels=self.channels,
            spread=self.spread[~is_noise],
            noise=self.noise,
            motion=self.motion,
            provenance={**self.provenance, "counts": _count(events, int((~is_noise).sum()))},
            fingerprints=fingerprints,
        )

    @classmethod
    def from_tables(cls, **tables) -> SortingResult:
        """Make the sorting, with the table of units as properties, from everything else.

        Args:
            tables: attributes of this class but for `sorting`.
        """
        sorting = _sorting_from_events(tables["events"], tables["provenance"]["recording"], len(tables["templates"]))
        return cls(sorting=sorting, **tables)._with_properties()

    def _with_properties(self) -> SortingResult:
        """The same, its table of units as properties of the sorting."""
        table = tabulate_units(self.events, self.templates, self.channels, self.provenance, self.label_settings)
        for name, column in table.items():
            if name != "unit":
                values = column.to_numpy()
                # Text as text: an array of Python objects would be saved as a pickle.
                self.sorting.set_property(name, values.astype(str) if values.dtype == object else values)
        return self

    @property
    def units(self) -> pd.DataFrame:
        """The table of units, a row each; see [`~huidurep_hf.sorting.output.unit_table.tabulate_units`]."""
        columns = {name: self.sorting.get_property(name) for name in UNIT_COLUMNS if name != "unit"}
        return pd.DataFrame({"unit": np.asarray(self.sorting.unit_ids), **columns})[UNIT_COLUMNS]

    @property
    def label_settings(self) -> LabelSettings:
        """Limits of the labels; the defaults in results of versions that did not say them."""
        given, names = self.provenance.get("parameters", {}), LabelSettings.__dataclass_fields__
        return LabelSettings(**{name: given[name] for name in names if name in given})

    @property
    def blanked(self) -> pd.DataFrame:
        """Periods that were blanked, a row each; see [`~huidurep_hf.sorting.output.blanked.blanked_periods`]."""
        return blanked_periods(self.provenance)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Save to a folder, written beside its final place and renamed, so that it is there whole or not at all.

        Args:
            folder: where to; its parents are made.
            overwrite: replace an earlier result.

        Returns:
            `Path` of the folder.

        Raises:
            FileExistsError: the folder is there, and `overwrite` is not set or it holds something else than a result;
                or another run is writing it.
            OSError: it cannot be made.
        """
        folder = followed(folder)
        check_writable(folder)
        with claim(folder):
            check_output_folder(folder, overwrite)
            earlier, partial = identity(folder), beside(folder, PARTIAL)
            try:
                partial.mkdir()
                self._write(partial)
                put_in_place(partial, folder, earlier)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        return folder

    def _write(self, folder: Path) -> None:
        from ...recording.sources.timed_sorting import save_sorting

        spike_times_s = self.events.loc[self.events["unit"] >= 0, "time_s"].to_numpy()
        save_sorting(self.sorting, spike_times_s, _start_times_s(self.provenance["recording"]), folder / "sorting")
        self.events.to_parquet(folder / "events.parquet", index=False)
        self.channels.to_parquet(folder / "channels.parquet", index=False)
        np.save(folder / "embeddings.npy", self.embeddings)
        np.save(folder / "templates.npy", self.templates)
        (folder / PROVENANCE_FILE).write_text(json.dumps(self.provenance, indent=2, allow_nan=False))
        np.save(folder / "spread.npy", self.spread)
        self.noise.to_parquet(folder / "noise.parquet", index=False)
        self.blanked.to_csv(folder / "blanked.csv", index=False)
        if self.fingerprints is not None:
            self.fingerprints.save(folder / FINGERPRINTS_FILE)
        if self.motion is not None:
            self.motion.save(folder / MOTION_FOLDER)
        (folder / "README.md").write_text(README, encoding="utf-8")
        self.units.to_csv(folder / TABLE_FILE, index=False)

    @classmethod
    def load(cls, folder: str | Path) -> SortingResult:
        """Load a result from its folder.

        Raises:
            FileNotFoundError: no result there.
        """
        from spikeinterface.core.motion import Motion

        folder = Path(folder)
        if not (folder / PROVENANCE_FILE).is_file():
            raise FileNotFoundError(f"{folder} holds no sorting result ({PROVENANCE_FILE} is missing).")
        motion = folder / MOTION_FOLDER
        return cls.from_tables(
            events=pd.read_parquet(folder / "events.parquet"),
            embeddings=np.load(folder / "embeddings.npy"),
            templates=np.load(folder / "templates.npy"),
            channels=pd.read_parquet(folder / "channels.parquet"),
            spread=np.load(folder / "spread.npy"),
            noise=pd.read_parquet(folder / "noise.parquet"),
            motion=Motion.load(motion) if motion.is_dir() else None,
            provenance=json.loads((folder / PROVENANCE_FILE).read_text()),
            fingerprints=UnitFingerprints.load(folder) if (folder / FINGERPRINTS_FILE).is_file() else None,
        )


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
    if not folder.exists():
        return
    if not overwrite:
        raise FileExistsError(f"The output {folder} exists already; give another one, or set overwrite (--overwrite).")
    if not (folder / PROVENANCE_FILE).is_file():
        raise FileExistsError(
            f"The output {folder} exists and is not a sorting result (no {PROVENANCE_FILE} in it), so it is not"
            " overwritten; give another one."
        )


def _count(events: pd.DataFrame, num_units: int) -> dict[str, int]:
    outcomes = {str(name): int(count) for name, count in events["outcome"].value_counts().items() if count}
    return {"units": num_units, "events": len(events), **outcomes}


def _sorting_from_events(events: pd.DataFrame, recording_description: dict, num_units: int) -> BaseSorting:
    from spikeinterface.core import NumpySorting
    from spikeinterface.core.base import minimum_spike_dtype

    from ...recording.sources.timed_sorting import set_times

    sorted_events = events.loc[events["unit"] >= 0, ["segment", "sample", "unit", "time_s"]]
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
