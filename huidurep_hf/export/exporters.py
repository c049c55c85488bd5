"""One function a format; each takes a result and writes one file or folder."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..recording.settings import PreprocessingSettings
from ..sorting.output.unit_table import template_peak
from ..sorting.rerun import differing_traces
from .spike_times import times_of_recording_s

if TYPE_CHECKING:
    from pynwb import NWBFile
    from spikeinterface.core import BaseRecording, BaseSorting, SortingAnalyzer

    from ..sorting.output.result import SortingResult

ANALYZER_EXTENSIONS = (
    *("random_spikes", "waveforms", "templates", "noise_levels", "unit_locations", "spike_amplitudes"),
    *("correlograms", "template_similarity"),
)


@dataclass(frozen=True)
class Source:
    """What an export may need beside the result.

    Attributes:
        recording: SpikeInterface recording that was sorted.
        session_start: date and time of the recording, for NWB.
        subject: fields of NWB's `Subject`, such as `subject_id`, `species`, `sex`, `age`.
    """

    recording: BaseRecording | None = None
    session_start: datetime | None = None
    subject: dict[str, str] | None = None


def export_result(result: SortingResult, path: str | Path, to: str, source: Source | None = None) -> Path:
    """Write a result for another tool.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].
        path: file or folder that is made.
        to: one of `FORMATS`.
        source: recording and date, where the format needs them.

    Returns:
        `Path` that was made.

    Raises:
        FileExistsError: the path is there.
        ValueError: something is missing that the format needs, or the recording is not the one that was sorted.
        ImportError: a package is missing; the message names the extra.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists already; choose another name for the export.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} for {path.name}; make it first.")
    if to in SUFFIXES:
        _check_suffix(path, SUFFIXES[to])
    # Of the same ending, which some formats need.
    partial = path.with_name(f".partial-{path.name}")
    _remove(partial)
    try:
        FORMATS[to](result, partial, source or Source())
        partial.rename(path)
    finally:
        _remove(partial)
    return path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)


def export_analyzer(result: SortingResult, path: Path, source: Source) -> None:
    """Write a folder of SpikeInterface's `SortingAnalyzer`."""
    _analyze(result, source, format="binary_folder", folder=path)


def export_gui(result: SortingResult, path: Path, source: Source) -> None:
    """Write an analyzer for spikeinterface-gui, which opens none without a unit."""
    if len(result.templates) == 0:
        raise ValueError("The result has no unit, and spikeinterface-gui opens none without; export an analyzer.")
    export_analyzer(result, path, source)


def export_phy(result: SortingResult, path: Path, source: Source) -> None:
    """Write a folder for phy, with labels as `cluster_group.tsv`; segments follow one another, as phy knows none."""
    from spikeinterface.exporters import export_to_phy

    if len(result.templates) == 0:
        raise ValueError("The result has no unit, and phy opens none without; there is nothing to export.")
    properties = ["snr", "contamination", "mean_probability", "presence"]
    analyzer = _analyze(result, source, one_segment=True, format="memory")
    without = {"add_quality_metrics": False, "add_template_metrics": False}
    # phy's own path to the copied traces is relative, as the folder gets its name at the end.
    export_to_phy(analyzer, path, additional_properties=properties, use_relative_path=True, verbose=False, **without)
    if len(result.templates) == 1:
        # phylib drops an axis of length 1, and fails; a second template that is 0 and has no spike keeps it.
        for name in ("templates", "template_ind", "similar_templates", "pc_feature_ind"):
            array = np.load(path / f"{name}.npy")
            num_axes = 2 if name == "similar_templates" else 1
            np.save(path / f"{name}.npy", np.pad(array, [(0, int(axis < num_axes)) for axis in range(array.ndim)]))
    is_sorted = (result.events["unit"] >= 0).to_numpy()
    # phy shows what is called spike_*.npy beside its own features.
    np.save(path / "spike_probability.npy", result.events.loc[is_sorted, "probability"].to_numpy())
    np.save(path / "spike_positions.npy", result.events.loc[is_sorted, ["x_um", "y_um"]].to_numpy())
    if len(result.embeddings):
        embeddings = np.full((len(is_sorted), result.embeddings.shape[1]), np.nan, dtype="float32")
        embeddings[result.events["embedded"]] = result.embeddings
        np.save(path / "embeddings.npy", embeddings[is_sorted])
    shanks = np.unique(source.recording.get_channel_groups(), return_inverse=True)[1]
    np.save(path / "channel_shanks.npy", shanks.astype("int32"))
    groups = pd.DataFrame({"cluster_id": np.arange(len(result.units)), "group": result.units["label"]})
    groups.to_csv(path / "cluster_group.tsv", sep="\t", index=False)


def export_nwb(result: SortingResult, path: Path, source: Source) -> None:
    """Write an NWB file: electrodes; units with times, templates, probabilities, locations and the table of units."""
    with _named_extra("nwb"):
        from pynwb import NWBHDF5IO, NWBFile
        from pynwb.file import Subject
    if source.session_start is None:
        raise ValueError(
            "NWB needs the date of the recording; give --session-start, such as 2026-01-31T14:00:00+01:00."
        )
    start = source.session_start
    file = NWBFile(
        session_description=f"spikes sorted by huidurep-hf from {result.provenance['recording']['description']}",
        identifier=str(uuid.uuid4()),
        session_start_time=start if start.tzinfo else start.astimezone(),
        subject=Subject(**source.subject) if source.subject else None,
    )
    device = file.create_device(name="probe", description="probe of the recording")
    groups = {
        shank: file.create_electrode_group(f"shank{shank}", f"shank {shank}", "unknown", device=device)
        for shank in sorted(set(result.channels["shank"]))
    }
    file.add_electrode_column("rel_x", "place on the probe, um")
    file.add_electrode_column("rel_y", "place along the probe, um")
    file.add_electrode_column("channel_name", "name of the channel in the recording")
    for _, channel in result.channels.iterrows():
        file.add_electrode(
            group=groups[channel["shank"]],
            location="unknown",
            rel_x=float(channel["x_um"]),
            rel_y=float(channel["y_um"]),
            channel_name=str(channel["channel"]),
        )
    _add_nwb_units(file, result)
    with NWBHDF5IO(str(path), "w") as out:
        out.write(file)


def export_pynapple(result: SortingResult, path: Path, source: Source) -> None:
    """Write a pynapple `TsGroup` (.npz) with the table of units as metadata; `pynapple.load_file` reads it."""
    with _named_extra("pynapple"):
        import pynapple
    times_s = times_of_recording_s(result)
    trains = {unit: pynapple.Ts(train["time_s"].to_numpy()) for unit, train in _trains(result, times_s)}
    units = result.units.drop(columns=["unit", "rate_hz"])
    length = _end_s(result, times_s)
    support = pynapple.IntervalSet(*length)
    group = pynapple.TsGroup(trains, time_support=support)
    if len(units):
        group.set_info(units)
    group.save(str(path))


def export_parquet(result: SortingResult, path: Path, source: Source) -> None:
    """Write a folder of `units.parquet` and `spikes.parquet`, a row a spike of a unit, with its embedding."""
    spikes = result.events.copy()
    spikes["time_s"] = times_of_recording_s(result)
    # A missing embedding becomes None.
    spikes["embedding"] = pd.Series(list(result.embeddings), index=spikes.index[spikes["embedded"]], dtype=object)
    spikes = spikes[spikes["unit"] >= 0]
    path.mkdir()
    spikes.to_parquet(path / "spikes.parquet", index=False)
    result.units.to_parquet(path / "units.parquet", index=False)


def export_matlab(result: SortingResult, path: Path, source: Source) -> None:
    """Write a MATLAB file: a row a spike (`spike_unit` counts from 0, as in the table), templates, channels, units."""
    from scipy.io import savemat

    is_sorted = (result.events["unit"] >= 0).to_numpy()
    spikes = result.events[is_sorted]
    tables = {"unit": result.units, "channel": result.channels.rename(columns={"channel": "name"})}
    columns = {
        f"{table}_{name}": values.to_numpy()
        if values.dtype.kind in "biuf"
        else np.array(values.astype(str), dtype=object)
        for table, frame in tables.items()
        for name, values in frame.items()
    }
    content = {
        "spike_time_s": times_of_recording_s(result)[is_sorted],
        "spike_segment": spikes["segment"].to_numpy(),
        "spike_sample": spikes["sample"].to_numpy(),
        "spike_unit": spikes["unit"].to_numpy(),
        "spike_probability": spikes["probability"].to_numpy(),
        "spike_amplitude": spikes["amplitude"].to_numpy(),
        "spike_location_um": spikes[["x_um", "y_um"]].to_numpy(),
        "templates": result.templates,
        "sampling_rate": result.provenance["recording"]["sampling_rate"],
        **columns,
    }
    savemat(path, content, do_compression=True, oned_as="column")


FORMATS: dict[str, Callable[[SortingResult, Path, Source], None]] = {
    "analyzer": export_analyzer,
    "spikeinterface-gui": export_gui,
    "phy": export_phy,
    "nwb": export_nwb,
    "pynapple": export_pynapple,
    "parquet": export_parquet,
    "matlab": export_matlab,
}


SUFFIXES = {"pynapple": ".npz", "matlab": ".mat"}


def _analyze(result: SortingResult, source: Source, *, one_segment: bool = False, **kwargs: object) -> SortingAnalyzer:
    from spikeinterface.core import concatenate_recordings, create_sorting_analyzer
    from spikeinterface.preprocessing import bandpass_filter

    if source.recording is None:
        raise ValueError("The format needs the traces; give the recording that was sorted with --recording.")
    recording = source.recording
    differing = differing_traces(recording, result.provenance["recording"])
    if differing:
        raise ValueError(f"The recording is not the one that was sorted: {', '.join(differing)} differ; give that one.")
    num_samples = [recording.get_num_samples(segment) for segment in range(recording.get_num_segments())]
    parameters = result.provenance["parameters"]
    known = PreprocessingSettings.__dataclass_fields__
    band = PreprocessingSettings(**{name: value for name, value in parameters.items() if name in known})
    freq_max_hz = band.highest_freq_hz(recording.get_sampling_frequency())
    filtered = bandpass_filter(recording, band.freq_min_hz, freq_max_hz, dtype="float32")
    sorting = result.sorting
    sparse = len(result.templates) > 0
    if one_segment and len(num_samples) > 1:
        filtered, sorting = concatenate_recordings([filtered]), _concatenate(sorting, num_samples)
    analyzer = create_sorting_analyzer(sorting, filtered, sparse=sparse, **kwargs)
    if len(result.templates):
        analyzer.compute(list(ANALYZER_EXTENSIONS), progress_bar=False)
    return analyzer


def _concatenate(sorting: BaseSorting, num_samples: Sequence[int]) -> BaseSorting:
    """The segments one after the other; spikes stay in their order, which that of SpikeInterface would not keep."""
    from spikeinterface.core import NumpySorting

    spikes = sorting.to_spike_vector().copy()
    spikes["sample_index"] += np.concatenate([[0], np.cumsum(num_samples)])[spikes["segment_index"]]
    spikes["segment_index"] = 0
    concatenated = NumpySorting(spikes, sorting.sampling_frequency, sorting.unit_ids)
    sorting.copy_metadata(concatenated)
    return concatenated


def _add_nwb_units(file: NWBFile, result: SortingResult) -> None:
    units = result.units
    if len(units) == 0:
        return
    described = {"label": "good, mua (multi-unit) or noise", "snr": "template peak over the noise"}
    for name in units.columns.drop("unit"):
        file.add_unit_column(name, described.get(name, name.replace("_", " ")))
    file.add_unit_column("spike_probability", "probability of each spike", index=True)
    file.add_unit_column("spike_location_um", "place of each spike on the probe, um", index=True)
    is_uv = result.provenance["preparation"]["unit"] == "uV"
    levels = result.channels["noise_level"].to_numpy() * (1e-6 if is_uv else 1.0)
    for unit, train in _trains(result, times_of_recording_s(result)):
        template = result.templates[unit]
        file.add_unit(
            id=unit,
            spike_times=train["time_s"].to_numpy(),
            electrodes=[template_peak(template)[0]],
            spike_probability=train["probability"].to_numpy(),
            spike_location_um=train[["x_um", "y_um"]].to_numpy(),
            waveform_mean=template[:, [template_peak(template)[0]]] * levels[template_peak(template)[0]],
            **{name: _plain(units.loc[unit, name]) for name in units.columns.drop("unit")},
        )


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def _trains(result: SortingResult, times_s: np.ndarray) -> Iterator[tuple[int, pd.DataFrame]]:
    """Unit and its spikes, by the times of all events."""
    events = result.events.assign(time_s=times_s)
    events = events[events["unit"] >= 0]
    yield from ((int(unit), train) for unit, train in events.groupby("unit"))


def _end_s(result: SortingResult, times_s: np.ndarray) -> tuple[float, float]:
    """Start and end of the recording, s, by the times of all events."""
    recording = result.provenance["recording"]
    starts = recording["start_times_s"]
    lengths = np.asarray(recording["num_samples"]) / recording["sampling_rate"]
    end = max(starts[-1] + lengths[-1], starts[0] + lengths.sum(), times_s.max(initial=0))
    return float(starts[0]), float(end)


def _check_suffix(path: Path, suffix: str) -> None:
    if path.suffix != suffix:
        raise ValueError(f"Got the name {path.name} for the export; give one that ends in {suffix}.")


@contextmanager
def _named_extra(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{error}; install the extra: pip install "huidurep-hf[{extra}]".') from None
