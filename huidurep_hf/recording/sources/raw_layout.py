"""Whether a raw binary file looks like what its reader was told: type of the samples and number of channels."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

logger = logging.getLogger("huidurep_hf")

# From the middle of the file.
NUM_BYTES = 2**19
MAX_CHANNELS = 1024
MIN_SAMPLES = 16 * MAX_CHANNELS
# Neighbouring samples of one channel differ by so much less (mean square) than those of other distances in the file.
MAX_RATIO = 0.8
# Of every other sample, which with an odd number of channels has its neighbours two samples away.
MAX_RATIO_OF_HALVES = 0.92
# The shortest distance of at least this share of the clearest one: its multiples are nearly as clear.
MIN_SHARE_OF_CLEAREST = 0.7
# Samples of a recording, whatever their unit: a wrong type gives exponents from one end to the other.
MAX_SPREAD, SIZES = 1e6, (1e-15, 1e15)


def warn_of_wrong_layout(path: str | Path, dtype: np.dtype, num_channels: int) -> None:
    """Warn where a file looks like one of another type or number of channels; say which.

    Types of one byte and of the other byte order are left to
    [`~huidurep_hf.recording.sources.plausibility.warn_of_misread_samples`].

    Args:
        path: raw binary file of interleaved channels.
        dtype: of its samples, as it was given.
        num_channels: as it was given.
    """
    data = _read_middle(path, dtype.itemsize * num_channels)
    likely = dtype.name
    if dtype.itemsize > 1 and dtype.isnative:
        likely = _likely_type(data) or dtype.name
    # Signed or not: their neighbours differ alike.
    is_right = likely == dtype.name.removeprefix("u")
    samples = _as_samples(data, dtype if is_right else np.dtype(likely))
    found = None if samples is None else _likely_channels(samples)
    flags = [] if is_right else [f"--dtype {likely}"]
    if found not in (None, num_channels):
        flags.append(f"--num-channels {found}")
    if flags:
        logger.warning(
            "%s looks like %s of %s interleaved channels and not like %s of %d, by how much samples resemble each"
            " other; read it so (%s).",
            *(path, likely, found or num_channels, dtype.name, num_channels, " ".join(flags)),
        )
    elif samples is None and dtype.kind == "f" and any(data):
        logger.warning("The samples of %s are no plausible %s; check --dtype.", path, dtype.name)


def _likely_type(data: bytes) -> str | None:
    """Type by the halves of words of four bytes: of a wider type the lower half is noise. None where all is noise."""
    words = np.frombuffer(data[: len(data) // 4 * 4], dtype="<i2")
    low, high = words[::2], words[1::2]
    if len(high) and np.isin(high, (0, -1)).all():
        # The signs of small numbers.
        return "int32" if low.any() else None
    halves = [_unit_sd(half) for half in (low, high)]
    is_clear = [half is not None and _clearness(half).max() > 1 - MAX_RATIO_OF_HALVES for half in halves]
    if all(is_clear):
        return "int16"
    if not is_clear[1]:
        return None
    return "int32" if _as_samples(data, np.dtype("float32")) is None else "float32"


def _likely_channels(samples: np.ndarray) -> int | None:
    clearness = _clearness(samples)
    if clearness.max() <= 1 - MAX_RATIO:
        # Noise without memory says nothing.
        return None
    return int(np.flatnonzero(clearness >= MIN_SHARE_OF_CLEAREST * clearness.max())[0]) + 1


def _read_middle(path: str | Path, frame: int) -> bytes:
    num_frames = Path(path).stat().st_size // frame
    wanted = min(max(NUM_BYTES // frame, 1), num_frames)
    with open(path, "rb") as file:
        file.seek((num_frames - wanted) // 2 * frame)
        return file.read(wanted * frame)


def _as_samples(data: bytes, dtype: np.dtype) -> np.ndarray | None:
    """Samples of SD 1, None if a recording cannot have them."""
    samples = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype=dtype)
    if not np.isfinite(samples).all():
        return None
    sizes = np.abs(samples[samples != 0].astype("float64"))
    if dtype.kind == "f" and len(sizes):
        low, middle, high = np.percentile(sizes, [1, 50, 99])
        if high > MAX_SPREAD * low or not SIZES[0] < middle < SIZES[1]:
            return None
    return _unit_sd(samples)


def _unit_sd(samples: np.ndarray) -> np.ndarray | None:
    """None for constant samples, and for too few to tell."""
    if len(samples) < MIN_SAMPLES:
        return None
    samples = samples.astype("float64")
    sd = samples.std()
    return (samples - samples.mean()) / sd if 0 < sd < np.inf else None


def _clearness(samples: np.ndarray) -> np.ndarray:
    """How much less samples differ at each distance from 1 than at the distances beside it, `(MAX_CHANNELS,)`."""
    size = 2 ** int(np.ceil(np.log2(len(samples) + MAX_CHANNELS + 2)))
    spectrum = np.fft.rfft(samples, size)
    products = np.fft.irfft(np.abs(spectrum) ** 2, size)[: MAX_CHANNELS + 2]
    correlation = products / (len(samples) - np.arange(MAX_CHANNELS + 2))
    differences = np.maximum(1 - correlation, 1e-12)
    # At a distance of 1 there is no shorter one to compare with.
    beside = np.minimum(differences[1:-2], differences[3:])
    return np.concatenate([[0.0], 1 - differences[2:-1] / beside])
