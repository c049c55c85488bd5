"""Match at a lower sampling rate: traces are decimated, and gains are interpolated.

Band-passed spikes have little above the pass band, so that their products with a template are almost the same at a
lower sampling rate (sampling theorem; Crochiere & Rabiner, Multirate Digital Signal Processing, 1983). At 30 kHz and up
to 6 kHz every other sample is enough: half of the products over channels, and a quarter of those over time.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
from scipy.ndimage import convolve1d
from scipy.signal import firwin

# The filter reaches so many samples of the lower rate to each side.
REACH = 12
# Taps whose products are added up in one loop.
TAPS_AT_ONCE = 8
# Shape of the Kaiser window. At 30 kHz and step 2 the gain is 1/2 at 7.5 kHz, and 1/100 and less from 8.4 kHz on.
KAISER_BETA = 4.5
# A rate that is measured, such as 29,999.95 Hz, is taken for the round one.
RATE_TOLERANCE = 0.01


def decimation_step(sampling_rate: float, highest_hz: float, min_samples_per_period: float) -> int:
    """How many samples one may stand for; 1 where every one is needed.

    Args:
        sampling_rate: Hz.
        highest_hz: upper end of the band of the spikes, Hz.
        min_samples_per_period: samples in a period of that frequency at the lower rate, at least.
    """
    return max(int(sampling_rate / (min_samples_per_period * highest_hz) + RATE_TOLERANCE), 1)


def reach_of_filters(step: int) -> int:
    """Samples at the ends of traces whose gains are not exact: decimation and interpolation reach so far."""
    return 2 * REACH * step if step > 1 else 0


@cache
def phase_taps(step: int) -> np.ndarray:
    """Taps of the low-pass for each phase, `(step, num_taps)` float32; of phase 0 only the middle one is not 0.

    Args:
        step: at least 2.
    """
    padded = np.zeros(step * (2 * REACH + TAPS_AT_ONCE), dtype="float32")
    padded[: 2 * REACH * step + 1] = _low_pass(step)
    return np.ascontiguousarray(padded.reshape(-1, step).T)


def _low_pass(step: int) -> np.ndarray:
    """A windowed sinc `(2 * REACH * step + 1,)` that is 0 at each multiple of `step` but the middle.

    So interpolation keeps the samples that there are.
    """
    taps = firwin(2 * REACH * step + 1, 1 / step, window=("kaiser", KAISER_BETA))
    taps[::step] = 0
    taps[REACH * step] = 1 / step
    return taps


def low_passed(waveforms: np.ndarray, step: int) -> np.ndarray:
    """Waveforms `(num_templates, num_samples, num_channels)` without what the lower rate cannot show, float32."""
    return convolve1d(waveforms, _low_pass(step), axis=1, mode="constant").astype("float32")


def decimate(traces: np.ndarray, step: int, num_samples: int) -> np.ndarray:
    """Low-pass traces and keep one sample of `step`, from the first on.

    Args:
        traces: `(num_channels, num_trace_samples)` float32.
        step: at least 2.
        num_samples: to be given; beyond the ends of the traces there is nothing.

    Returns:
        `(num_channels, num_samples)` float32.
    """
    taps = phase_taps(step)
    needed = step * (num_samples + taps.shape[1])
    kept = min(traces.shape[1], needed - step * REACH)
    padded = np.zeros((len(traces), needed), dtype="float32")
    padded[:, step * REACH : step * REACH + kept] = traces[:, :kept]
    decimated = np.zeros((len(traces), num_samples), dtype="float32")
    _add_phases(padded, taps, decimated)
    return decimated


def interpolate(products: np.ndarray, step: int, norms: np.ndarray, gains: np.ndarray) -> None:
    """Write gains at all samples from products at one of `step`.

    Args:
        products: `(num_templates, num_coarse + 2 * REACH + TAPS_AT_ONCE)` float32; the first and last are beyond the
            ends.
        step: samples that each stands for.
        norms: `(num_templates,)` that are subtracted.
        gains: `(num_templates, num_times)` float32, which is written.
    """
    # Product k lies at sample k * step: what is between is a sum over those around it.
    _interpolate(products, (step * phase_taps(step)).astype("float32"), norms, gains)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _add_correlation(total: np.ndarray, values: np.ndarray, taps: np.ndarray) -> None:
    """Add to each of the totals the sum of taps times the values from there on.

    Args:
        total: `(num_times,)` float32, which is written.
        values: `(num_times + num_taps,)` float32 at least.
        taps: `(num_taps,)` float32, a multiple of eight.
    """
    for tap in range(0, len(taps), TAPS_AT_ONCE):
        # Eight products in one loop, so that the sums are read and written once for all of them.
        c = taps[tap : tap + TAPS_AT_ONCE]
        c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
        x = values[tap : tap + len(total) + TAPS_AT_ONCE]
        for time in range(len(total)):
            early = c0 * x[time] + c1 * x[time + 1] + c2 * x[time + 2] + c3 * x[time + 3]
            late = c4 * x[time + 4] + c5 * x[time + 5] + c6 * x[time + 6] + c7 * x[time + 7]
            total[time] += early + late


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def add_up_in_time(
    in_space: np.ndarray, temporal: np.ndarray, template_of: np.ndarray, products: np.ndarray, start: int, stop: int
) -> None:
    """Correlate the traces in each spatial component with its temporal one, and add this to its template's products.

    Args:
        in_space: `(num_components, stop - start + num_padded_samples)` float32.
        temporal: `(num_components, num_padded_samples)` float32.
        template_of: `(num_components,)` rows of `products`.
        products: `(num_templates, num_times + 2 * REACH + TAPS_AT_ONCE)` float32; time 0 stands at `REACH`.
        start, stop: times that are added to.
    """
    for component in range(len(template_of)):
        total = products[template_of[component], REACH + start : REACH + stop]
        _add_correlation(total, in_space[component], temporal[component])


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _add_phases(padded: np.ndarray, taps: np.ndarray, decimated: np.ndarray) -> None:
    step, num_samples = len(taps), decimated.shape[1]
    values = np.empty(num_samples + taps.shape[1], dtype=np.float32)
    for channel in range(len(padded)):
        for time in range(num_samples):
            decimated[channel, time] = taps[0, REACH] * padded[channel, step * (time + REACH)]
        for phase in range(1, step):
            for time in range(len(values)):
                values[time] = padded[channel, step * time + phase]
            _add_correlation(decimated[channel], values, taps[phase, : 2 * REACH])


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _interpolate(products: np.ndarray, taps: np.ndarray, norms: np.ndarray, gains: np.ndarray) -> None:
    step, num_times = len(taps), gains.shape[1]
    num_coarse = (num_times + step - 1) // step
    between = np.empty(num_coarse, dtype=np.float32)
    for template in range(len(products)):
        for time in range(num_coarse):
            gains[template, step * time] = products[template, REACH + time] - norms[template]
        for phase in range(1, step):
            between[:] = -norms[template]
            # Tap r of a phase belongs to the product r - REACH + 1 from there.
            _add_correlation(between, products[template, 1:], taps[step - phase, : 2 * REACH])
            for time in range((num_times - phase + step - 1) // step):
                gains[template, step * time + phase] = between[time]
