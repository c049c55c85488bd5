"""Channels chosen by their names or by ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

MAX_NAMES_SHOWN = 8


def select_channels(recording: BaseRecording, channels: str | None) -> np.ndarray:
    """Find the channels that a user names.

    Args:
        recording: SpikeInterface recording.
        channels: names and ranges with commas between, such as "0-63,70" or "A-000,A-004"; a range includes its last
            channel. Numbers that are not all names count the channels from 0. All if left out.

    Returns:
        `(num_selected,)` indices of channels, in the order given, each once.

    Raises:
        ValueError: no such channel.
    """
    if channels is None:
        return np.arange(recording.get_num_channels())
    num_channels, names = recording.get_num_channels(), _index_of_name(recording)
    numbers = {str(index): index for index in range(num_channels)}
    items = [part.strip() for part in str(channels).split(",")]
    found = [_find(item, names) for item in items]
    if None in found:
        # Names may be numbers themselves, counted from 1: one count for all.
        found = [_find(item, numbers) or _find(item, names) for item in items]
    if None in found:
        raise ValueError(
            f"The recording has no channels {items[found.index(None)]!r}; it has {num_channels} "
            f"({some_of(recording.channel_ids)}): give names, or ranges that count from 0 such as 0-63,70."
        )
    return np.array(list(dict.fromkeys(index for part in found for index in part)), dtype="int64")


def _index_of_name(recording: BaseRecording) -> dict[str, int]:
    """Names that some readers keep beside the ids (Intan's A-000), then the ids, which are the first to be meant."""
    names = recording.get_property("channel_name")
    index_of_name = {} if names is None else {str(name): index for index, name in enumerate(names)}
    return index_of_name | {str(name): index for index, name in enumerate(recording.channel_ids)}


def _find(item: str, index_of: dict[str, int]) -> range | None:
    if item in index_of:
        return range(index_of[item], index_of[item] + 1)
    # Names may have dashes of their own.
    for place in (i for i, character in enumerate(item) if character == "-"):
        first, last = index_of.get(item[:place].strip()), index_of.get(item[place + 1 :].strip())
        if first is not None and last is not None and first <= last:
            return range(first, last + 1)
    return None


def some_of(ids: np.ndarray) -> str:
    """The first of many names, for a message."""
    shown = [str(name) for name in ids[:MAX_NAMES_SHOWN]]
    return ", ".join([*shown, "…"] if len(ids) > MAX_NAMES_SHOWN else shown)
