"""Command-line arguments for reading a recording's file, shared by the command and the scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from spikeinterface.core import BaseRecording


RAW_LAYOUT = ("sampling_rate", "num_channels", "dtype", "gain_uv", "offset_uv")


def add_layout(parser: ArgumentParser) -> None:
    """Add the flags to a parser.

    Args:
        parser: `argparse.ArgumentParser` of a command that reads a recording.
    """
    layout = parser.add_argument_group("recording")
    layout.add_argument("--probe", help="tetrode, linear:NUM_CONTACTS:PITCH_UM, or a probeinterface .json")
    layout.add_argument("--channels", help="names or ranges that count from 0, such as 0-63,70 (default: all)")
    layout.add_argument("--stream", help="one of several streams, by name or id")
    layout.add_argument("--format", help="name of the format, if it is not told by name and content")
    layout.add_argument("--sampling-rate", type=float, metavar="HZ", help="raw binary: sampling rate")
    layout.add_argument("--num-channels", type=int, help="raw binary: number of interleaved channels")
    layout.add_argument("--dtype", help="raw binary: type of a sample, such as int16")
    layout.add_argument("--gain-uv", type=float, help="raw binary: µV per count; unknown if left out")
    layout.add_argument("--offset-uv", type=float, help="raw binary: µV at count 0")


def open_recording(path: str | Path, options: Namespace) -> BaseRecording:
    """Open a recording with the layout that the flags give.

    Args:
        path: as in [`~huidurep_hf.recording.sources.reading.read_recording`].
        options: parsed arguments of a parser with [`add_layout`].

    Returns:
        SpikeInterface recording.

    Raises:
        ValueError: nothing readable there, or raw layout missing, superfluous or contradicting the file's size.
        ImportError: the reader needs a package that is not installed.
    """
    from .reading import read_recording

    raw = {name: getattr(options, name) for name in RAW_LAYOUT}
    return read_recording(
        path,
        probe=options.probe,
        channels=options.channels,
        stream=options.stream,
        format=options.format,
        raw=raw,
    )
