import numpy as np
import pytest

from huidurep_hf.recording.blocks import Block, split_into_blocks
from huidurep_hf.sorting.matching.engine import Matcher
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.workers import Workers

PARAMETERS = SortingParameters()


@pytest.fixture(scope="module")
def matcher(two_neurons):
    return Matcher(two_neurons.prepared, two_neurons.unit_templates(), PARAMETERS)


@pytest.fixture(scope="module")
def matched(matcher):
    return matcher.match()


def share_found(matched, unit, samples):
    """Share of the given spikes of a unit that were matched with it within 0.2 ms."""
    times = matched["sample_index"][matched["unit_index"] == unit]
    return np.mean([np.abs(times - sample).min() <= 6 for sample in samples])


def test_spikes_are_found_also_where_two_overlap(two_neurons, matched):
    for unit in (0, 1):
        assert share_found(matched, unit, two_neurons.samples[two_neurons.units == unit]) > 0.97
    first, second = (two_neurons.samples[two_neurons.units == unit] for unit in (0, 1))
    overlapping = second[np.isin(second, first + 9)]
    assert len(overlapping) == 80
    assert share_found(matched, 1, overlapping) > 0.95
    assert len(matched) < 1.02 * len(two_neurons.samples)
    assert matched["channel_index"].tolist() == np.array([0, 2])[matched["unit_index"]].tolist()
    assert (np.diff(matched["sample_index"]) >= 0).all()
    assert (matched["gain"] > PARAMETERS.min_gain).all()
    assert not matched["is_weakened"].any()


def test_times_are_those_of_the_spikes(two_neurons, matched):
    for unit in (0, 1):
        times = matched["sample_index"][matched["unit_index"] == unit]
        alone = two_neurons.samples[(two_neurons.units == unit) & two_neurons.is_alone]
        gaps = [times[np.abs(times - sample).argmin()] - sample for sample in alone]
        assert np.mean(np.abs(gaps) <= 1) > 0.97 and np.median(gaps) == 0


@pytest.mark.parametrize(("seconds", "num_workers"), [(1.0, 3), (0.37, 1), (100.0, 1)])
def test_blocks_and_workers_change_nothing(two_neurons, matcher, matched, seconds, num_workers):
    blocks = split_into_blocks(two_neurons.prepared.recording, seconds)
    again = matcher.match(blocks, Workers(num_workers))
    for name in ("segment_index", "sample_index", "unit_index", "is_weakened"):
        np.testing.assert_array_equal(again[name], matched[name])
    # Matrix products of other sizes round otherwise.
    np.testing.assert_allclose(again["gain"], matched["gain"], rtol=1e-4)
    np.testing.assert_allclose(again["probability"], matched["probability"], atol=1e-3)
    if seconds == 1.0:
        np.testing.assert_array_equal(again["gain"], matched["gain"])
        np.testing.assert_array_equal(again["probability"], matched["probability"])


def test_some_blocks_have_their_own_spikes(matcher, matched):
    blocks = [Block(0, 30_000, 60_000), Block(0, 590_000, 600_000)]
    found = matcher.match(blocks)
    is_inside = np.any(
        [(matched["sample_index"] >= b.start) & (matched["sample_index"] < b.stop) for b in blocks], axis=0
    )
    np.testing.assert_array_equal(found["sample_index"], matched["sample_index"][is_inside])
    assert matcher.match([])["sample_index"].tolist() == []


def test_spikes_at_the_ends_of_a_segment_are_found(make_spike_template, make_white_traces):
    template = make_spike_template(15.0, 1).astype("float32")
    traces = make_white_traces(template[None], [np.array([32, 5000, 29_936])], 30_000)
    matched = Matcher(traces.prepared, traces.unit_templates(), PARAMETERS).match()
    assert np.abs(matched["sample_index"] - traces.samples).max() <= 1
    # Cut off by the end of the segment.
    cut = traces.prepared.recording.frame_slice(20, 29_950)
    prepared = traces.prepared.__class__(**{**vars(traces.prepared), "recording": cut})
    matched = Matcher(prepared, traces.unit_templates(), PARAMETERS).match()
    assert np.abs(matched["sample_index"] + 20 - traces.samples).max() <= 1


def test_templates_below_the_least_norm_and_no_templates(two_neurons):
    faint = two_neurons.templates * np.array([1.0, 0.02])[:, None, None]
    matched = Matcher(two_neurons.prepared, two_neurons.unit_templates(faint), PARAMETERS).match()
    assert set(matched["unit_index"]) == {0}
    none = Matcher(two_neurons.prepared, two_neurons.unit_templates(two_neurons.templates[:0]), PARAMETERS).match()
    assert len(none) == 0 and none.names == matched.names


def test_the_least_gain_is_a_setting(two_neurons, matched):
    loud = Matcher(two_neurons.prepared, two_neurons.unit_templates(), SortingParameters(min_gain=300)).match()
    assert (loud["gain"] > 300).all() and 0 < len(loud) < len(matched)


def test_spikes_of_known_units_are_probable_and_of_others_not(two_neurons, matcher):
    alone, units = two_neurons.is_alone, two_neurons.units
    known = two_neurons.peaks.with_columns(unit_index=units)
    assert matcher.judge_known(known)[alone].mean() > 0.97
    # Judged one by one, so that none is subtracted from another that is not there.
    few = np.flatnonzero(alone)[::5]
    wrong = known[few].with_columns(unit_index=1 - units[few])
    assert matcher.judge_known(wrong).mean() < 0.03
    np.testing.assert_array_equal(matcher.judge_known(known, Workers(3)), matcher.judge_known(known, Workers(1)))
    assert len(matcher.judge_known(known[:0])) == 0


def test_the_more_probable_the_more_often_right(make_spike_template, make_white_traces):
    # Two neurons too alike to be distinguished in every spike.
    alike = [make_spike_template(7.0, 1, decay=decay) for decay in (1.5, 2.0)]
    rng = np.random.default_rng(0)
    times = rng.permutation(np.arange(200, 590_000, 250))[:2000]
    traces = make_white_traces(np.stack(alike).astype("float32"), [times[:1000], times[1000:]], 600_000)
    matched = Matcher(traces.prepared, traces.unit_templates(), PARAMETERS).match()
    nearest = np.abs(matched["sample_index"][:, None] - traces.samples[None]).argmin(axis=1)
    assert np.abs(matched["sample_index"] - traces.samples[nearest]).max() <= 6
    assert len(matched) == len(np.unique(nearest)) > 1950
    is_right, probabilities = matched["unit_index"] == traces.units[nearest], matched["probability"]
    assert 0.7 < is_right.mean() < 0.99
    shares = []
    for low, high in ((0.5, 0.65), (0.65, 0.8), (0.8, 1.01)):
        inside = (probabilities >= low) & (probabilities < high)
        shares.append(is_right[inside].mean())
        # In noise that is all Gaussian, spikes are right more often than the part of the evidence that is used says.
        assert shares[-1] > probabilities[inside].mean() - 0.03
    assert shares == sorted(shares) and shares[-1] > shares[0] + 0.1
    # Taken for one unit, they are distinguished from noise alone.
    as_one = Matcher(traces.prepared, traces.unit_templates(), PARAMETERS, unit_of_template=np.zeros(2, dtype="int64"))
    assert as_one.match()["probability"].mean() > 0.97


def test_overlapping_spikes_are_judged_without_each_other(two_neurons, matcher):
    units, overlapped = two_neurons.units, ~two_neurons.is_alone
    assert overlapped.sum() == 160
    known = two_neurons.peaks.with_columns(unit_index=units)
    before = np.zeros(len(units))
    for unit in (0, 1):
        # Of spikes whose neighbours in time nobody knows of.
        own = np.flatnonzero(overlapped & (units == unit))
        before[own] = matcher.judge_known(known[own])
    after = matcher.judge_known(known)
    assert before[overlapped].mean() < 0.6
    assert after[overlapped].mean() > 0.97
    alone = np.flatnonzero(~overlapped)
    np.testing.assert_allclose(after[alone], matcher.judge_known(known[alone]), atol=0.05)
