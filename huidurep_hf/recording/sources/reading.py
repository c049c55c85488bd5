"""Open a recording or a sorting from a path: whatever SpikeInterface reads, chosen by what lies there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .channels import select_channels
from .formats import (
    RAW_FORMAT,
    WHITE_MATTER,
    find_format,
    format_names,
    open_format,
    open_white_matter,
)
from .probe import set_named_probe
from .raw_layout import warn_of_wrong_layout
from .streams import ChoiceError
from .untrusted import refuse_code

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting


RAW_SUFFIXES = (".raw", ".bin", ".dat", ".i16", ".bytes")
RAW_FLAGS = "--sampling-rate, --num-channels and --dtype (and --probe if there are several channels)"
# Where `huidurep sort` puts it in its result folder.
SORTING_OF_RESULT = "sorting"


def read_recording(
    path: str | Path,
    *,
    probe: str | Path | None = None,
    channels: str | None = None,
    stream: str | None = None,
    format: str | None = None,
    raw: dict | None = None,
) -> BaseRecording:
    """Open a recording of any format that SpikeInterface reads, or a raw binary file.

    Args:
        path: file or folder.
        probe: name or file as in [`~huidurep_hf.recording.sources.probe.set_named_probe`], in place of the recording's
            own.
        channels: names and ranges as in [`~huidurep_hf.recording.sources.channels.select_channels`]; all if left out.
        stream: name or id of one of several streams. A file that is one stream of its folder, such as SpikeGLX's
            `.ap.bin`, is that stream.
        format: one of [`~huidurep_hf.recording.sources.formats.format_names`], "binary" for raw binary; told by name
            and content if left out.
        raw: `dict` of `sampling_rate` (Hz), `num_channels`, `dtype`, `gain_uv` and `offset_uv` (µV per count and at
            count 0; the gain is unknown if left out), for a raw binary file of interleaved channels.

    Returns:
        SpikeInterface recording.

    Raises:
        ValueError: nothing readable there; a file that could have code run, such as a pickle; an unknown format;
            several streams and none chosen; channels that are not there; or raw layout missing, superfluous or
            contradicting the file's size.
        ImportError: the reader needs a package that is not installed.
    """
    path = Path(path)
    raw = {name: value for name, value in (raw or {}).items() if value is not None}
    if not path.exists():
        raise ValueError(f"The recording {path} does not exist.")
    if format is not None and format not in format_names():
        raise ValueError(f"Got the format {format!r}; known are {', '.join(format_names())}.")
    if _is_raw(path, format, raw):
        recording = _read_raw(path, **raw)
    elif format == WHITE_MATTER and {"sampling_rate", "num_channels"} <= set(raw):
        recording = open_white_matter(path, raw["sampling_rate"], raw["num_channels"])
    elif raw:
        names = ", ".join("--" + name.replace("_", "-") for name in raw)
        raise ValueError(
            f"Got {names}, which describe a raw binary file, but {path} is none (their names end in"
            f" {', '.join(RAW_SUFFIXES)}). Leave them out, or say --format {RAW_FORMAT}."
        )
    else:
        recording = _read_format(path, format, stream)
    selected = select_channels(recording, channels)
    if probe is not None:
        return set_named_probe(recording, probe, selected)
    return recording if channels is None else recording.select_channels(recording.channel_ids[selected])


def read_sorting(path: str | Path) -> BaseSorting:
    """Open a sorting that SpikeInterface saved, or the one in a result folder of `huidurep sort`.

    Args:
        path: folder or file.

    Returns:
        SpikeInterface sorting.

    Raises:
        ValueError: nothing readable there, no sorting, or a file that could have code run, such as a pickle.
    """
    from spikeinterface.core import BaseSorting, load

    path = Path(path)
    if not path.exists():
        raise ValueError(f"The sorting {path} does not exist.")
    if (path / SORTING_OF_RESULT).is_dir():
        path = path / SORTING_OF_RESULT
    refuse_code(path)
    try:
        sorting = load(path)
    except Exception as error:
        # As with recordings: foreign files fail in many ways.
        raise ValueError(
            f"Cannot read {path} ({_reason(error)}); give the folder of a sorting that SpikeInterface saved, or a "
            "result folder of `huidurep sort`."
        ) from error
    if not isinstance(sorting, BaseSorting):
        raise ValueError(f"{path} holds a {type(sorting).__name__}, not a sorting.")
    return sorting


def _is_raw(path: Path, format: str | None, raw: dict) -> bool:
    if format is not None or path.is_dir():
        return format == RAW_FORMAT
    is_named_so = path.suffix.lower() in RAW_SUFFIXES
    # A layout that is given is meant, also for a file that lies beside another format's header.
    return is_named_so and (bool(raw) or find_format(path) is None)


def _read_raw(
    path: Path,
    sampling_rate: float | None = None,
    num_channels: int | None = None,
    dtype: str | None = None,
    gain_uv: float | None = None,
    offset_uv: float | None = None,
) -> BaseRecording:
    from spikeinterface.core import read_binary

    if path.is_dir():
        raise ValueError(f"{path} is a folder, and raw binary is a file; give its path.")
    if sampling_rate is None or num_channels is None or dtype is None:
        raise ValueError(
            f"{path} is a raw binary file, which does not say its own layout; give {RAW_FLAGS}, or the "
            "--format if it is another one."
        )
    # A column of a table with gaps is of floats.
    is_whole = num_channels == np.floor(num_channels)
    if not (sampling_rate > 0 and np.isfinite(sampling_rate) and num_channels >= 1 and is_whole):
        raise ValueError(
            f"Got a sampling rate of {sampling_rate:g} Hz and {num_channels} channels; both must be > 0 and finite, and"
            " channels are whole."
        )
    num_channels = int(num_channels)
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind.kind not in "iuf":
        raise ValueError(
            f"Got dtype {dtype!r}; give the type of the samples, such as int16, uint16, float32 or '>i2' (big-endian)."
        )
    num_bytes, frame = path.stat().st_size, kind.itemsize * num_channels
    if num_bytes % frame:
        raise ValueError(
            f"{path} has {num_bytes} bytes, which is no multiple of {frame} ({num_channels} channels of {kind});"
            " check --num-channels and --dtype."
        )
    if num_bytes == 0:
        raise ValueError(f"{path} is empty (0 bytes); there is nothing to sort.")
    scale = {} if gain_uv is None else {"gain_to_uV": gain_uv, "offset_to_uV": offset_uv or 0.0}
    if gain_uv is None and offset_uv is not None:
        raise ValueError(f"Got an offset of {offset_uv:g} µV without a gain; give --gain-uv as well.")
    recording = read_binary(path, sampling_frequency=sampling_rate, dtype=kind.str, num_channels=num_channels, **scale)
    recording.annotate(format=RAW_FORMAT)
    warn_of_wrong_layout(path, kind, num_channels)
    return recording


def _read_format(path: Path, format: str | None, stream: str | None) -> BaseRecording:
    from spikeinterface.core import BaseRecording

    refuse_code(path)
    try:
        recording = _open(path, format, stream)
    except ImportError as error:
        package = error.name or "a package"
        raise ImportError(f"Reading {path} needs {package}, which is not installed: pip install {package}") from error
    except ChoiceError:
        raise
    except Exception as error:
        # Readers fail in many ways on foreign files, UnboundLocalError among them.
        raise ValueError(f"Cannot read {path} ({_reason(error)}); {_remedy(path, format)}.") from error
    if not isinstance(recording, BaseRecording):
        raise ValueError(f"{path} holds a {type(recording).__name__}, not a recording.")
    return recording


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _remedy(path: Path, format: str | None) -> str:
    if (known := format or find_format(path)) is None:
        return f"if it is of one of these formats, say so with --format: {', '.join(format_names())}"
    return f"it was taken for {known}: if it is of another format, say so with --format"


def _open(path: Path, format: str | None, stream: str | None) -> object:
    from spikeinterface.core import load

    if format is None:
        format = find_format(path)
    if format is not None:
        return open_format(path, format, stream)
    saved = path / "si_folder.json" if path.is_dir() else path
    if saved.suffix.lower() != ".json" or not saved.is_file():
        raise ValueError("no reader knows it by its name and content")
    # A dumped JSON may hold paths relative to itself.
    return load(saved, base_folder=saved.parent)
