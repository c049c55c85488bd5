"""Streams of a file: what each holds, and which one is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from neo.rawio.baserawio import BaseRawIO


class ChoiceError(ValueError):
    """A path holds several recordings, and it is not said which is meant, or none is; the message lists them."""


@dataclass(frozen=True)
class Stream:
    """One of the streams of a recording.

    Attributes:
        name, id: as the format has them.
        num_channels: of the stream.
        sampling_rate: Hz.
    """

    name: str
    id: str
    num_channels: int
    sampling_rate: float

    def __str__(self) -> str:
        names = self.name if self.name == self.id else f"{self.name} (id {self.id})"
        channels = "1 channel" if self.num_channels == 1 else f"{self.num_channels} channels"
        return f"{names}: {channels} at {self.sampling_rate:g} Hz"


def streams_of_neo(reader: BaseRawIO) -> list[Stream]:
    """List the streams of a neo reader whose header is parsed."""
    channels = reader.header["signal_channels"]
    streams = []
    for name, stream_id in zip(reader.header["signal_streams"]["name"], reader.header["signal_streams"]["id"]):
        rates = channels["sampling_rate"][channels["stream_id"] == stream_id]
        streams.append(Stream(str(name), str(stream_id), len(rates), float(rates[0]) if len(rates) else np.nan))
    return streams


def choose_stream(streams: Sequence[Stream], wanted: str | None, path: Path) -> Stream:
    """Choose a stream by name or id, or the only one; a stream of synchronisation pulses is none to choose from.

    Args:
        streams: of the recording.
        wanted: name or id; None for the only one.
        path: of the recording, for errors.

    Raises:
        ChoiceError: no such stream, or several; the message lists them and what each holds.
    """
    if wanted is None:
        found = [stream for stream in streams if "SYNC" not in stream.name.upper()] or list(streams)
        problem = f"{path} holds {len(found)} streams"
    else:
        found = [stream for stream in streams if wanted in (stream.name, stream.id)]
        problem = f"{path} has no stream {wanted!r}" if not found else f"{path} has {len(found)} streams {wanted!r}"
    if len(found) != 1:
        listed = "; ".join(map(str, streams)) or "none"
        raise ChoiceError(f"{problem}; choose one with --stream, by name or id: {listed}.")
    return found[0]
