"""Compiled pursuit against a slow one that subtracts from the traces themselves."""

import numpy as np
import pytest

from huidurep_hf.sorting.matching.pursuit import BIN, judge, pursue, subtract_known
from huidurep_hf.sorting.matching.template_bank import build_bank, delayed
from huidurep_hf.sorting.parameters import MatchingSettings

WHOLE = MatchingSettings(max_rank=20, max_lost_energy=0.0)
THRESHOLD, REFRACTORY, NUM_SAMPLES = 20.0, 10, 90
DELAYS = np.linspace(-0.5, 0.5, WHOLE.num_shifts)


@pytest.fixture(scope="module")
def crowd(make_spike_template):
    """Five units on twelve channels, two of which are alike, and traces full of overlapping spikes of any delay."""
    rng = np.random.default_rng(0)
    shapes = [(5.0, 1.0, 3.0), (5.0, 1.3, 3.3), (8.0, 5.0, 4.0), (6.0, 9.0, 3.0), (9.0, 10.0, 5.0)]
    templates = np.stack([make_spike_template(size, at, 12, width) for size, at, width in shapes])
    for template, (_, at, _) in zip(templates, shapes):
        template[:, np.abs(np.arange(12) - at) > 3] = 0
    templates = templates.astype("float32")
    traces = rng.normal(size=(2500, 12)).astype("float32")
    for start in rng.integers(0, len(traces) - NUM_SAMPLES, 70):
        spike = delayed(templates[rng.integers(5)], rng.uniform(-0.5, 0.5))
        traces[start : start + NUM_SAMPLES] += rng.uniform(0.8, 1.2) * spike
    return templates, traces


def gains_of(traces, rows):
    """Energy that each row's template takes away at each time, `(num_rows, num_times)`."""
    windows = np.lib.stride_tricks.sliding_window_view(traces, NUM_SAMPLES, axis=0)
    return 2 * np.einsum("tcs,rsc->rt", windows, rows, optimize=True) - np.square(rows).sum(axis=(1, 2))[:, None]


def nearest_shift(gains, blocked, time):
    offset = 0.0
    if 0 < time < len(gains) - 1 and not blocked[time - 1] and not blocked[time + 1]:
        curvature = 2 * gains[time] - gains[time - 1] - gains[time + 1]
        if curvature > 0:
            offset = np.clip(0.5 * (gains[time + 1] - gains[time - 1]) / curvature, -0.5, 0.5)
    return int(np.round((offset + 0.5) * (len(DELAYS) - 1)))


def pursue_slowly(traces, rows):
    left = traces.astype("float64")
    blocked = np.zeros((len(rows), len(traces) - NUM_SAMPLES + 1), dtype=bool)
    found = []
    while True:
        gains = gains_of(left, rows)
        row, time = np.unravel_index(np.where(blocked, -np.inf, gains).argmax(), gains.shape)
        if blocked[row, time] or gains[row, time] <= THRESHOLD:
            return found, left
        shift = nearest_shift(gains[row], blocked[row], time)
        found.append((time, row, shift, gains[row, time]))
        blocked[row, max(time - REFRACTORY + 1, 0) : time + REFRACTORY] = True
        left[time : time + NUM_SAMPLES] -= delayed(rows[row], DELAYS[shift])


def arrays_of(bank):
    return bank.source, bank.factor, bank.near, bank.slot, bank.overlaps


def evenly(gains):
    """Weights where the noise is never raised."""
    return np.ones((len(gains), -(-gains.shape[1] // BIN)), dtype="float32")


def run(templates, traces, weakened=None, factor=1.0):
    bank = build_bank(templates, WHOLE, weakened, factor)
    gains = np.ascontiguousarray(bank.objective(traces))
    if weakened is not None:
        gains = bank.with_weakened(gains)
    found = pursue(gains, *arrays_of(bank), evenly(gains), np.float32(THRESHOLD), REFRACTORY)
    return bank, gains, found


@pytest.mark.parametrize("weakened", [None, np.array([0, 3])])
def test_the_same_spikes_as_in_the_traces_themselves(crowd, weakened):
    templates, traces = crowd
    rows = templates if weakened is None else np.concatenate([templates, 0.65 * templates[weakened]])
    _, gains, (times, found_rows, shifts, found_gains) = run(templates, traces, weakened, 0.65)
    expected, left = pursue_slowly(traces, rows.astype("float64"))
    assert len(expected) > 60
    # Products of FFTs round otherwise than sums do, so that two near ties may change places.
    assert sorted(zip(times, found_rows, shifts)) == sorted((time, row, shift) for time, row, shift, _ in expected)
    by_place = {(time, row): gain for time, row, _, gain in expected}
    np.testing.assert_allclose(
        found_gains, [by_place[time, row] for time, row in zip(times, found_rows)], rtol=1e-3, atol=0.1
    )
    assert (np.diff(found_gains) < 0).mean() > 0.5
    # What is left are the gains in the residual.
    np.testing.assert_allclose(gains, gains_of(left, rows), atol=0.2)


def test_one_row_has_no_second_spike_at_once(crowd):
    templates, traces = crowd
    _, _, (times, rows, _, _) = run(templates, 2.2 * traces)
    for row in range(len(templates)):
        assert np.diff(np.sort(times[rows == row])).min() >= REFRACTORY


def test_nothing_above_the_threshold_and_short_traces(crowd):
    templates, traces = crowd
    _, _, found = run(templates, 0 * traces)
    assert [len(each) for each in found] == [0] * 4
    _, _, (times, rows, _, _) = run(templates, np.ascontiguousarray(templates[2]))
    assert (times.tolist(), rows.tolist()) == ([0], [2])


def test_known_spikes_are_subtracted_alike(crowd):
    templates, traces = crowd
    bank, left, (times, rows, shifts, _) = run(templates, traces)
    gains = np.ascontiguousarray(bank.objective(traces))
    found = subtract_known(gains, *arrays_of(bank), times, rows)
    # In the order in which they were found each has the shift that it had, but for neighbours that were blocked.
    assert (found == shifts).mean() > 0.9
    residual = traces.astype("float64")
    for time, row, shift in zip(times, rows, found):
        residual[time : time + NUM_SAMPLES] -= delayed(templates[row], DELAYS[shift])
    np.testing.assert_allclose(gains, gains_of(residual, templates.astype("float64")), atol=0.2)


@pytest.mark.parametrize("unit_of_row", [[0, 1, 2, 3, 4], [0, 0, 1, 2, 2], [0, 1, 2, 1, 0]])
def test_probabilities_are_those_of_traces_less_the_other_spikes(crowd, unit_of_row):
    templates, traces = crowd
    bank, gains, (times, rows, shifts, _) = run(templates, traces)
    reach, low, high, noise, weight = 4, 0.75, 1.33, 20.0, 0.5
    unit_of_row = np.array(unit_of_row)
    probabilities = judge(
        gains, bank.source, bank.near, bank.slot, bank.overlaps, bank.norms, evenly(gains), unit_of_row, times,
        rows, shifts, reach, low, high, noise, weight,
    )  # fmt: skip
    residual = traces.astype("float64")
    for time, row, shift in zip(times, rows, shifts):
        residual[time : time + NUM_SAMPLES] -= delayed(templates[row], DELAYS[shift])
    is_seen = templates.any(axis=1)
    for spike, (time, row, shift) in enumerate(zip(times, rows, shifts)):
        own = residual.copy()
        own[time : time + NUM_SAMPLES] += delayed(templates[row], DELAYS[shift])
        evidence = {}
        for other in np.flatnonzero((is_seen & is_seen[row]).any(axis=1)):
            gains_of_other = []
            for lag in range(-reach, reach + 1):
                if 0 <= time + lag <= len(traces) - NUM_SAMPLES:
                    window, norm = own[time + lag : time + lag + NUM_SAMPLES], np.square(templates[other]).sum()
                    product = (window * templates[other]).sum()
                    scale = np.clip(product / norm, low, high)
                    gains_of_other.append(2 * scale * product - scale**2 * norm)
            evidence[other] = np.exp(0.5 * weight * (max(gains_of_other) - noise))
        of_unit = sum(value for other, value in evidence.items() if unit_of_row[other] == unit_of_row[row])
        assert probabilities[spike] == pytest.approx(of_unit / (1 + sum(evidence.values())), abs=0.02)
    # The first two are distinguished at times.
    assert (probabilities.mean() < 0.98) == (unit_of_row[1] == 1)
