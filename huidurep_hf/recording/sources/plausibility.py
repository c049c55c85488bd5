"""Warnings about samples that were read as what they are not, and about units that cannot be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ..preprocessing.noise_sample import random_stretches
from ..settings import NoiseSettings

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

logger = logging.getLogger("huidurep_hf")

# Every fourth of the stretches that noise is measured on: five of 0.5 s.
STRIDE = 4
# Of samples that wrap around, at least so many lie in the outer half of the range, and some jump across it.
MIN_SHARE_OUTSIDE, MIN_JUMP = 0.75, 7 / 8
# Read in the other order of bytes, samples differ so many times less from one to the next: then they are of that order.
MIN_STEP_RATIO = 3.0
# Share of the channels that say so: a broken one may swing between both ends of its range.
MIN_SHARE_OF_CHANNELS = 0.25
# Bytes in the wrong order fill the range with noise; traces in steps of 256 do not, and would look alike else.
MIN_SD_OF_SWAPPED = 0.1
# Noise of amplifiers and tissue in the pass band of spikes, µV.
NOISE_UV = (0.5, 200.0)


def warn_of_misread_samples(recording: BaseRecording) -> None:
    """Warn where integers jump about as unsigned ones do that are read as signed, the reverse, or in wrong byte order.

    Args:
        recording: SpikeInterface recording, as it was read; a few seconds of it are looked at. Traces of other types
            are left alone.
    """
    dtype = np.dtype(recording.get_dtype())
    if dtype.kind not in "iu" or recording.get_num_channels() == 0:
        return
    stretches = [
        recording.get_traces(segment_index=block.segment, start_frame=block.start, end_frame=block.stop)
        for block in random_stretches(recording, NoiseSettings(), seed=0)[::STRIDE]
    ]
    stretches = [np.ascontiguousarray(traces) for traces in stretches if len(traces) > 1]
    if not stretches:
        return
    size = dtype.itemsize
    signs = np.dtype(f"{dtype.byteorder}{'u' if dtype.kind == 'i' else 'i'}{size}")
    if _wrap_around(stretches, dtype):
        known, other = ("signed", "unsigned") if dtype.kind == "i" else ("unsigned", "signed")
        logger.warning(
            "The samples jump across the whole range of %s, as %s ones do that are read as %s; read them as %s "
            '(--dtype %s, or traces.view("%s")).',
            *(dtype.name, other, known, signs.name, signs.name, signs.name),
        )
    elif size > 1 and _fills_its_range(stretches, dtype) and _is_smoother_as(stretches, dtype.newbyteorder()):
        swapped = dtype.newbyteorder().str
        order = "big" if swapped.startswith(">") else "little"
        logger.warning(
            "The samples are noise over the whole range of %s, and none in the other order of bytes; read them as "
            "%s-endian (--dtype '%s', or traces.view(\"%s\")).",
            *(dtype.name, order, swapped, swapped),
        )


def warn_of_absurd_noise(noise_levels: np.ndarray, unit: str) -> None:
    """Warn where the noise is none of an amplifier: then the gain is wrong.

    Args:
        noise_levels: `(num_channels,)` SD of the filtered traces' noise.
        unit: of the traces; nothing can be said of "raw".
    """
    if unit != "uV" or len(noise_levels) == 0:
        return
    median = float(np.median(noise_levels))
    if not NOISE_UV[0] <= median <= NOISE_UV[1]:
        logger.warning(
            "The noise is %.3g µV, and that of an amplifier and tissue between %g and %g µV: the gain of the recording "
            "must be wrong, and amplitudes with it; give the true one (--gain-uv, or recording.set_channel_gains), for "
            "traces in volts 1e6.",
            median,
            *NOISE_UV,
        )


def _wrap_around(stretches: list[np.ndarray], dtype: np.dtype) -> bool:
    limits = np.iinfo(dtype)
    # As floats: differences of unsigned integers wrap around, and those of large ones overflow.
    middle, span = (float(limits.max) + limits.min) / 2, float(limits.max) - limits.min
    traces = [one.astype("float64") - middle for one in stretches]
    is_outside = np.mean(np.abs(np.concatenate(traces)) > span / 4, axis=0) > MIN_SHARE_OUTSIDE
    jumps = np.max([np.abs(np.diff(one, axis=0)).max(axis=0) for one in traces], axis=0) > MIN_JUMP * span
    return bool(np.mean(is_outside & jumps) >= MIN_SHARE_OF_CHANNELS)


def _is_smoother_as(stretches: list[np.ndarray], dtype: np.dtype) -> bool:
    now, then = _mean_steps(stretches), _mean_steps([traces.view(dtype) for traces in stretches])
    return bool(np.mean(now > MIN_STEP_RATIO * then) >= MIN_SHARE_OF_CHANNELS)


def _mean_steps(stretches: list[np.ndarray]) -> np.ndarray:
    """Mean difference from one sample to the next, `(num_channels,)`."""
    steps = [np.abs(np.diff(traces.astype("float64"), axis=0)).mean(axis=0) for traces in stretches]
    return np.mean(steps, axis=0)


def _fills_its_range(stretches: list[np.ndarray], dtype: np.dtype) -> bool:
    sd = np.median(np.concatenate(stretches).std(axis=0, dtype="float64"))
    return bool(sd > MIN_SD_OF_SWAPPED * 2.0 ** (8 * dtype.itemsize))
