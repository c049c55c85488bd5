# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Spikes as users have them: arrays, rows of a dataset or batches of its columns, in the extractor's words."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

# What every spike may bring, in a row of a dataset or a dict; a call may state them for all spikes.
SPIKE_ARGUMENTS = (
    "sampling_rate",
    "channel_positions",
    "channel_mask",
    "noise_levels",
    "peak_sample",
    "num_channels",
    "unit",
)
UNITS = ("uV", "noise_sd")
# What rows of a spike dataset have beside these, by which they are known.
DATASET_COLUMNS = (
    "unit_id",
    "location",
    "displacement_um",
    "cell_type",
    "probe",
    "layout",
    "group",
    "labelled",
    "peak_position",
)
# How like a known name a misspelt one is: "sampling_rate_hz" and "noise_level" are, "waveform_id" is not.
LIKENESS = 0.85


@dataclass(frozen=True)
class GivenSpikes:
    """Spikes of one rate, as the feature extractor takes them.

    Attributes:
        waveforms: tensor `(num_spikes, num_samples, num_channels)`, float32.
        stated: what is known of them, by the extractor's arguments.
        is_single: one spike was given, and not several.
    """

    waveforms: torch.Tensor
    stated: dict
    is_single: bool


def read_spikes(
    spikes: np.ndarray | torch.Tensor | Sequence | Mapping[str, Any],
    needs_unit: bool = False,
    padding: bool = True,
    **stated,
) -> GivenSpikes:
    """Return the waveforms and all that is known of them; what a row says itself goes before what a call states.

    Args:
        spikes: `(num_spikes, num_samples, num_channels)` or `(num_samples, num_channels)`, or flat with
            `num_channels`; a ragged list of spikes; or a mapping (a row, or a batch of columns) of
            such a `"waveform"` and any of `SPIKE_ARGUMENTS`.
        needs_unit: the unit must be stated, or the noise by which to divide; rows of a spike dataset always need that,
            and are known by their other columns.
        padding: spikes of several shapes are padded to the largest.
        stated: of all spikes: `SPIKE_ARGUMENTS`.

    Raises:
        ValueError: a mapping without a waveform or with a misspelt name, shapes that do not fit, spikes of several
            rates, a unit that is not known, or clean spikes without noise levels.
    """
    row = spikes if isinstance(spikes, Mapping) else {"waveform": spikes}
    if "waveform" not in row and "waveforms" not in row:
        raise ValueError(f"Got a row of {sorted(row)}; a spike needs 'waveform'.")
    check_names(row)
    is_of_datasets = type(spikes).__module__.split(".")[0] == "datasets"
    needs_unit = needs_unit or is_of_datasets or any(name in row for name in DATASET_COLUMNS)
    given = row["waveform"] if "waveform" in row else row["waveforms"]
    stated = {name: value for name, value in stated.items() if value is not None}
    stated |= {name: row[name] for name in SPIKE_ARGUMENTS if name in row and row[name] is not None}
    if needs_unit:
        check_unit(stated)
    for name in ("sampling_rate", "peak_sample", *([] if is_ragged(given) else ["num_channels"])):
        if name in stated:
            stated[name] = _the_one(name, stated[name])
    if is_ragged(given):
        if not padding:
            raise ValueError("Got spikes of several shapes and padding=False; leave padding out, or give one shape.")
        return _pad([read_spikes(one) for one in _one_by_one(given, stated)])
    waveforms = as_tensor(given, "waveform")
    num_channels = stated.pop("num_channels", None) or (_count_channels(waveforms, row) if row is spikes else None)
    is_flat = waveforms.ndim == 1 or (
        num_channels is not None and waveforms.ndim == 2 and waveforms.shape[1] != num_channels
    )
    if is_flat:
        size = waveforms.shape[-1]
        if num_channels is None or size % num_channels:
            raise ValueError(f"Got a flat waveform of {size} values; give the num_channels that it has.")
        waveforms = waveforms.reshape(*waveforms.shape[:-1], -1, num_channels)
    is_single = waveforms.ndim == 2
    waveforms = waveforms[None] if is_single else waveforms
    shape = waveforms.shape[0], waveforms.shape[-1]
    if "channel_positions" in stated:
        positions = as_tensor(stated["channel_positions"], "channel_positions")
        # Those of many flat waveforms are flat, too, a row each.
        is_flat = positions.ndim == 1 or (is_flat and not is_single and positions.shape == (shape[0], 2 * shape[1]))
        stated["channel_positions"] = positions.reshape(*positions.shape[:-1], -1, 2) if is_flat else positions
    _scale(stated, shape)
    return GivenSpikes(waveforms, stated, is_single)


def check_names(names: Collection[str]) -> None:
    """Refuse a name that is like a known one which is not there; columns of other names are let be.

    Raises:
        ValueError: saying which name is likely meant.
    """
    known = ("waveform", "waveforms", *SPIKE_ARGUMENTS)
    for name in names:
        if name in known or name in DATASET_COLUMNS:
            continue
        alike = difflib.get_close_matches(str(name), known, n=1, cutoff=LIKENESS)
        if alike and alike[0] not in names:
            raise ValueError(f"Got a row with {name!r}; did you mean {alike[0]!r}? Rename it, or leave it out.")


def check_unit(names: Container[str]) -> None:
    """Refuse spikes of a dataset where neither their unit nor the noise by which to divide is among the names.

    Raises:
        ValueError: saying what to give.
    """
    if "unit" not in names and "noise_levels" not in names:
        raise ValueError(
            "The dataset does not say the unit of its waveforms; give noise_levels=... in their unit, or"
            " unit='noise_sd' if they are in SDs of noise (the feature extractor takes 'unit' in the rows)."
        )


def is_empty(spikes: object) -> bool:
    """Say whether this is a batch of columns of no rows, which do not say the shape of a waveform."""
    if not isinstance(spikes, Mapping):
        return False
    given = spikes.get("waveform", spikes.get("waveforms"))
    return (isinstance(given, Sequence) or getattr(given, "ndim", 0) > 0) and len(given) == 0


def is_ragged(values: object) -> bool:
    """Say whether these are waveforms of several shapes."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and len({np.shape(value) for value in values}) > 1
    return isinstance(values, Sequence) and len({_shape(value) for value in values}) > 1


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of a waveform, of which a flat list is looked at alone."""
    if hasattr(value, "shape"):
        return tuple(value.shape)
    if isinstance(value, Sequence) and len(value) and np.ndim(value[0]) == 0:
        return (len(value),)
    return np.shape(value)


def _one_by_one(given: np.ndarray | Sequence, stated: dict) -> list[dict]:
    """Return a row for each spike of a ragged list, with its own part of what is stated for each."""
    rows = []
    for index, waveform in enumerate(given):
        row = {"waveform": waveform}
        for name, value in stated.items():
            is_shared = np.ndim(value) == 0 if not isinstance(value, (list, tuple)) else False
            if not is_shared and len(value) != len(given):
                raise ValueError(
                    f"Got {len(given)} waveforms of several shapes and {name} of {len(value)} values; give a list of"
                    " one for each waveform."
                )
            row[name] = value if is_shared else value[index]
        rows.append(row)
    return rows


def _pad(spikes: list[GivenSpikes]) -> GivenSpikes:
    """Join single spikes: channels that one lacks are masked, and what lies beyond its samples is zero."""
    if not all(one.is_single for one in spikes):
        raise ValueError("Got a ragged list of arrays of several spikes; give a list of single spikes.")
    device = spikes[0].waveforms.device
    num_samples, num_channels = (max(one.waveforms.shape[axis] for one in spikes) for axis in (1, 2))
    joined = torch.zeros(len(spikes), num_samples, num_channels, device=device)
    mask = torch.zeros(len(spikes), num_channels, device=device)
    columns = {
        "channel_positions": torch.zeros(len(spikes), num_channels, 2, device=device),
        "noise_levels": torch.ones(len(spikes), num_channels, device=device),
    }
    columns = {name: column for name, column in columns.items() if any(name in one.stated for one in spikes)}
    for index, one in enumerate(spikes):
        _, samples, channels = one.waveforms.shape
        joined[index, :samples, :channels] = one.waveforms[0]
        mask[index, :channels] = as_tensor(one.stated.get("channel_mask", 1.0), "channel_mask").to(device)
        for name, column in columns.items():
            if name in one.stated:
                value = as_tensor(one.stated[name], name).to(device)
                column[index, :channels] = value if value.ndim < column.ndim else value[0]
    stated = {name: spikes[0].stated[name] for name in ("sampling_rate", "peak_sample") if name in spikes[0].stated}
    return GivenSpikes(joined, {**stated, **columns, "channel_mask": mask}, False)


def as_tensor(values: np.ndarray | torch.Tensor | Sequence | float, name: str) -> torch.Tensor:
    """Return float32 values; a tensor stays on its device, and all else is looked at where it lies.

    Raises:
        ValueError: no numbers, or lists of several lengths.
    """
    if isinstance(values, torch.Tensor):
        return values.to(torch.float32)
    if isinstance(values, Sequence) and len(values) and all(isinstance(value, torch.Tensor) for value in values):
        values = torch.stack(list(values)) if len({value.shape for value in values}) == 1 else values
        if isinstance(values, torch.Tensor):
            return values.to(torch.float32)
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds no numbers, or lists of several lengths ({error}); give one shape.") from error
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


def _the_one(name: str, values: np.ndarray | torch.Tensor | Sequence | float) -> int | float | None:
    """Return the value that all spikes share; a batch of columns brings one for each."""
    if np.ndim(values) == 0:
        return values.item() if isinstance(values, (np.generic, np.ndarray, torch.Tensor)) else values
    found = torch.unique(values) if isinstance(values, torch.Tensor) else np.unique(np.asarray(values))
    if len(found) > 1:
        raise ValueError(
            f"The spikes of one batch have several values of {name}: {', '.join(map(str, found[:3].tolist()))}; give"
            " those of one value together."
        )
    return found[0].item() if len(found) else None


def _count_channels(waveforms: torch.Tensor, row: Mapping) -> int | None:
    """Return how many channels mask or positions of a row, or of a batch of columns, speak of."""
    if row.get("channel_mask") is not None:
        return np.shape(row["channel_mask"])[-1]
    shape = np.shape(row["channel_positions"]) if row.get("channel_positions") is not None else ()
    if len(shape) == 3:
        return shape[1]
    if len(shape) == 2:
        return shape[1] // 2 if waveforms.ndim == 2 and shape[0] == len(waveforms) and shape[1] != 2 else shape[0]
    return shape[0] // 2 if shape and shape[0] else None


def _scale(stated: dict, shape: tuple[int, int]) -> None:
    """Say by which noise the waveforms are to be divided: those in SDs of noise by none."""
    units = np.unique(np.asarray(stated.get("unit", []), dtype=str))
    unknown = sorted(set(units.tolist()) - set(UNITS))
    if unknown:
        raise ValueError(f"The unit is {unknown[0]!r}; it must be one of {', '.join(UNITS)}.")
    if "uV" in units and "noise_levels" not in stated:
        raise ValueError(
            "These are clean spikes in µV; the model sees them in units of noise, so give noise_levels=... in µV."
        )
    if units.tolist() == ["noise_sd"]:
        stated.pop("noise_levels", None)
    if "noise_levels" in stated:
        noise = as_tensor(stated["noise_levels"], "noise_levels")
        if noise.ndim == 0:
            noise = noise.expand(shape)
        if len(units) > 1:
            is_clean = torch.from_numpy(np.asarray(stated["unit"], dtype=str) == "uV")[:, None].to(noise.device)
            noise = torch.where(is_clean, noise.expand(shape), 1.0)
        stated["noise_levels"] = noise
    stated.pop("unit", None)
