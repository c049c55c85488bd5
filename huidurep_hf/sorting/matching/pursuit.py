"""Matching pursuit in one stretch of traces: the best explained spike first, then the best of the residual.

Greedy subtraction of templates (Mallat & Zhang 1993), as template-matching sorters do it (YASS: Lee et al. 2020). All
is done on the gains of the templates: subtracting a spike changes those of the templates that share its channels, at
the lags at which they overlap, by products that are computed beforehand.
"""

import numba
import numpy as np

# The best gain is kept for each of these stretches, so that few are looked through after a subtraction.
BIN = 32


@numba.njit(cache=True, nogil=True)
def pursue(
    gains: np.ndarray,
    source: np.ndarray,
    factor: np.ndarray,
    near: np.ndarray,
    slot: np.ndarray,
    overlaps: np.ndarray,
    weights: np.ndarray,
    threshold: float,
    refractory: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find spikes, and subtract them from the gains.

    Args:
        gains: `(num_rows, num_times)` float32 of [`~huidurep_hf.sorting.matching.template_bank.TemplateBank`]; changed
            in place to the gains in the residual.
        source, factor, near, slot, overlaps: of the bank.
        weights: `(num_rows, num_bins)` float32, by which gains count in each stretch of `BIN` times: 1, and less where
            the noise is raised.
        threshold: least weighted gain of a spike.
        refractory: a row has no second spike within this many samples.

    Returns:
        `(times, rows, shifts, found_gains)`, each `(num_spikes,)`: sample at which the template begins, row, index of
        the sub-sample shift, and weighted gain, in the order in which they were found.
    """
    num_rows, num_times = gains.shape
    num_samples, num_shifts = (overlaps.shape[3] + 1) // 2, overlaps.shape[1]
    num_bins = (num_times + BIN - 1) // BIN
    is_blocked = np.zeros((num_rows, num_times), dtype=np.bool_)
    has_blocked = np.zeros((num_rows, num_bins), dtype=np.bool_)
    best = np.full((num_bins, num_rows), -np.inf, dtype=np.float32)
    top = np.full(num_bins, -np.inf, dtype=np.float32)
    for row in range(num_rows):
        for b in range(num_bins):
            best[b, row] = weights[row, b] * _largest_of_bin(gains[row], b)
            top[b] = max(top[b], best[b, row])
    times, rows, shifts, found = [np.int64(0)], [np.int64(0)], [np.int64(0)], [np.float32(0)]
    while num_bins > 0:
        b = np.argmax(top)
        if not top[b] > threshold:
            break
        row = np.argmax(best[b])
        gain, time = _best_of_bin(gains[row], is_blocked[row], b)
        shift = _nearest_shift(gains[row], is_blocked[row], time, num_shifts)
        times.append(np.int64(time))
        rows.append(np.int64(row))
        shifts.append(np.int64(shift))
        found.append(weights[row, b] * gain)
        for blocked in range(max(time - refractory + 1, 0), min(time + refractory, num_times)):
            is_blocked[row, blocked] = True
            has_blocked[row, blocked // BIN] = True
        first, last = max(time - num_samples + 1, 0), min(time + num_samples - 1, num_times - 1)
        _subtract(gains, source, factor, near, slot, overlaps, row, shift, time, first, last)
        for changed in range(first // BIN, last // BIN + 1):
            for place in range(near.shape[1]):
                other = near[row, place]
                if other < 0:
                    break
                if has_blocked[other, changed]:
                    largest = _best_of_bin(gains[other], is_blocked[other], changed)[0]
                else:
                    largest = _largest_of_bin(gains[other], changed)
                best[changed, other] = weights[other, changed] * largest
            top[changed] = best[changed].max()
    return np.array(times[1:]), np.array(rows[1:]), np.array(shifts[1:]), np.array(found[1:])


@numba.njit(cache=True, nogil=True)
def judge(
    gains: np.ndarray,
    source: np.ndarray,
    near: np.ndarray,
    slot: np.ndarray,
    overlaps: np.ndarray,
    norms: np.ndarray,
    weights: np.ndarray,
    unit_of_row: np.ndarray,
    times: np.ndarray,
    rows: np.ndarray,
    shifts: np.ndarray,
    reach: int,
    scale_low: float,
    scale_high: float,
    noise: float,
    weight: float,
) -> np.ndarray:
    """Estimate how likely each spike is of its unit, and not of another near it or noise.

    The spike's own template is added back; each template near it is then fitted to the residual of all other spikes,
    scaled and shifted a little.

    Args:
        gains: of the residual that [`pursue`] leaves.
        source, near, slot, overlaps: of the bank, of rows without weakened ones.
        norms: `(num_rows,)` energy of each template.
        weights: as for [`pursue`].
        unit_of_row: `(num_rows,)` unit of each.
        times, rows, shifts: of the spikes.
        reach: samples by which a template may be shifted.
        scale_low, scale_high: by which it may be scaled.
        noise: gain at which a template is as likely as noise.
        weight: weight of the log likelihood, 0 to 1.

    Returns:
        `(num_spikes,)` float32.
    """
    num_samples, num_times = (overlaps.shape[3] + 1) // 2, gains.shape[1]
    probabilities = np.zeros(len(times), dtype=np.float32)
    gain_of_place = np.empty(near.shape[1])
    for spike in range(len(times)):
        row, time = rows[spike], times[spike]
        largest, count = noise, 0
        for place in range(near.shape[1]):
            other = near[row, place]
            if other < 0:
                break
            best = -np.inf
            for lag in range(-reach, reach + 1):
                if not 0 <= time + lag < num_times:
                    continue
                own = overlaps[source[row], shifts[spike], slot[row, place], lag + num_samples - 1]
                product = 0.5 * (gains[other, time + lag] + norms[other]) + own
                scale = min(max(product / norms[other], scale_low), scale_high)
                best = max(best, 2 * scale * product - scale * scale * norms[other])
            # A gain is twice the log likelihood ratio against no spike.
            gain_of_place[place] = best * weights[row, time // BIN]
            largest = max(largest, gain_of_place[place])
            count = place + 1
        total, of_unit = np.exp(0.5 * weight * (noise - largest)), 0.0
        for place in range(count):
            share = np.exp(0.5 * weight * (gain_of_place[place] - largest))
            total += share
            if unit_of_row[near[row, place]] == unit_of_row[row]:
                of_unit += share
        probabilities[spike] = of_unit / total
    return probabilities


# The largest of numbers does not depend on their order, which lets the compiler use vector instructions.
@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc"})
def _largest_of_bin(gains: np.ndarray, b: int) -> float:
    largest = np.float32(-np.inf)
    for time in range(b * BIN, min((b + 1) * BIN, len(gains))):
        largest = max(largest, gains[time])
    return largest


@numba.njit(cache=True, nogil=True)
def _best_of_bin(gains: np.ndarray, is_blocked: np.ndarray, b: int) -> tuple[float, int]:
    best, at = np.float32(-np.inf), -1
    for time in range(b * BIN, min((b + 1) * BIN, len(gains))):
        if gains[time] > best and not is_blocked[time]:
            best, at = gains[time], time
    return best, at


@numba.njit(cache=True, nogil=True)
def _nearest_shift(gains: np.ndarray, is_blocked: np.ndarray, time: int, num_shifts: int) -> int:
    """Index of the shift nearest to the top of a parabola through the gains around a maximum."""
    offset = 0.0
    if 0 < time < len(gains) - 1 and not is_blocked[time - 1] and not is_blocked[time + 1]:
        before, after = gains[time - 1], gains[time + 1]
        curvature = 2 * gains[time] - before - after
        if curvature > 0:
            offset = min(max(0.5 * (after - before) / curvature, -0.5), 0.5)
    return int(np.round((offset + 0.5) * (num_shifts - 1)))


@numba.njit(cache=True, nogil=True)
def subtract_known(
    gains: np.ndarray,
    source: np.ndarray,
    factor: np.ndarray,
    near: np.ndarray,
    slot: np.ndarray,
    overlaps: np.ndarray,
    times: np.ndarray,
    rows: np.ndarray,
) -> np.ndarray:
    """Subtract spikes whose times and rows are known, in their order, at the sub-sample shift that fits each.

    Args:
        gains, source, factor, near, slot, overlaps: as for [`pursue`]; the gains are changed.
        times, rows: `(num_spikes,)`.

    Returns:
        `(num_spikes,)` int64 indices of the shifts.
    """
    num_samples, num_shifts, num_times = (overlaps.shape[3] + 1) // 2, overlaps.shape[1], gains.shape[1]
    shifts = np.zeros(len(times), dtype=np.int64)
    nowhere = np.zeros(num_times, dtype=np.bool_)
    for spike in range(len(times)):
        row, time = rows[spike], times[spike]
        shifts[spike] = _nearest_shift(gains[row], nowhere, time, num_shifts)
        first, last = max(time - num_samples + 1, 0), min(time + num_samples - 1, num_times - 1)
        _subtract(gains, source, factor, near, slot, overlaps, row, shifts[spike], time, first, last)
    return shifts


@numba.njit(cache=True, nogil=True)
def _subtract(
    gains: np.ndarray,
    source: np.ndarray,
    factor: np.ndarray,
    near: np.ndarray,
    slot: np.ndarray,
    overlaps: np.ndarray,
    row: int,
    shift: int,
    time: int,
    first: int,
    last: int,
) -> None:
    offset = (overlaps.shape[3] + 1) // 2 - 1 - time
    for place in range(near.shape[1]):
        other = near[row, place]
        if other < 0:
            break
        products = overlaps[source[row], shift, slot[row, place]]
        scale = 2 * factor[row] * factor[other]
        for at in range(first, last + 1):
            gains[other, at] -= scale * products[at + offset]
