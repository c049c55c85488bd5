import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from huidurep_hf.sorting.matching.template_bank import GROUP_SIZE, build_bank, delayed
from huidurep_hf.sorting.parameters import MatchingSettings

# Nothing of a template is lost.
WHOLE = MatchingSettings(max_rank=20, max_lost_energy=0.0, max_lost_share=0.0)


@pytest.fixture(scope="module")
def templates(make_spike_template):
    """More than a group of units in a row of 40 channels; each is seen on six, so that not all meet."""
    rng = np.random.default_rng(0)
    waveforms = []
    for channel in np.linspace(2, 37, GROUP_SIZE + 7):
        waveform = make_spike_template(rng.uniform(5, 15), channel, 40, width=rng.uniform(3, 6))
        waveform[:, np.abs(np.arange(40) - channel) > 3] = 0
        details = gaussian_filter1d(rng.normal(size=waveform.shape), 1.5, axis=0)
        waveforms.append(waveform + 0.2 * details * (waveform != 0))
    return np.stack(waveforms).astype("float32")


def test_objective_is_the_energy_that_a_template_takes_away(templates):
    bank = build_bank(templates, WHOLE)
    traces = np.random.default_rng(1).normal(size=(333, 40)).astype("float32")
    gains = bank.objective(traces)
    windows = np.lib.stride_tricks.sliding_window_view(traces, 90, axis=0).transpose(0, 2, 1)
    left = np.square(windows[None] - templates[:, None]).sum(axis=(2, 3))
    expected = np.square(windows).sum(axis=(1, 2))[None] - left
    assert gains.shape == (len(templates), 333 - 90 + 1)
    np.testing.assert_allclose(gains, expected, atol=0.02)
    np.testing.assert_allclose(bank.norms, np.square(templates).sum(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("num_samples", [90, 91, 121, 122, 200])
def test_objective_of_traces_of_any_length(templates, num_samples):
    bank = build_bank(templates[:3], WHOLE)
    traces = np.random.default_rng(1).normal(size=(200, 40)).astype("float32")
    np.testing.assert_allclose(
        bank.objective(traces[:num_samples]), bank.objective(traces)[:, : num_samples - 89], atol=1e-3
    )


def test_few_components_lose_little(templates):
    settings = MatchingSettings()
    bank = build_bank(templates, settings)
    traces = templates[5]
    lost = build_bank(templates, WHOLE).objective(traces)[5, 0] - bank.objective(traces)[5, 0]
    # Twice the product with what is left out, which is its energy.
    assert 0 <= lost <= 2 * max(settings.max_lost_energy, 0.05 * bank.norms[5])
    # Each template in one group.
    members = np.concatenate([np.unique(group.template_of) for group in bank.groups])
    assert sorted(members) == list(range(len(templates)))
    ranks = np.bincount(np.concatenate([group.template_of for group in bank.groups]), minlength=len(templates))
    assert ranks.min() >= 1 and ranks.max() <= settings.max_rank


def test_overlaps_are_products_with_a_delayed_template_at_each_lag(templates):
    some = templates[:12]
    bank = build_bank(some, WHOLE)
    num_samples, delays = 90, np.linspace(-0.5, 0.5, WHOLE.num_shifts)
    for template in (0, 5, 11):
        near = bank.near[template][bank.near[template] >= 0]
        # Those that share a channel.
        shares = (some.any(axis=1) & some[template].any(axis=0)).any(axis=1)
        assert near.tolist() == np.flatnonzero(shares).tolist()
        for shift, delay in enumerate(delays):
            # With what a delay moves beyond the ends.
            shifted = delayed(np.pad(some[template], ((90, 90), (0, 0))), delay)
            for place, other in enumerate(near):
                found = bank.overlaps[template, shift, bank.slot[template, place]]
                expected = np.zeros(2 * num_samples - 1)
                for lag in range(-num_samples + 1, num_samples):
                    # The other begins `lag` samples after this one.
                    expected[lag + num_samples - 1] = (shifted[90 + lag : 180 + lag] * some[other]).sum()
                np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_weakened_copy_has_the_gain_of_a_smaller_template(templates):
    weakened = np.array([1, 7])
    bank = build_bank(templates, WHOLE, weakened, 0.65)
    num_templates = len(templates)
    assert bank.source.tolist() == [*range(num_templates), 1, 7]
    np.testing.assert_allclose(bank.factor, [1.0] * num_templates + [0.65] * 2, rtol=1e-6)
    traces = np.random.default_rng(1).normal(size=(300, 40)).astype("float32") + np.tile(templates[7], (4, 1))[:300]
    alone = build_bank(templates, WHOLE).objective(traces)
    gains = bank.objective(traces)
    np.testing.assert_array_equal(gains, alone)
    rows = bank.with_weakened(gains)
    np.testing.assert_allclose(rows[:num_templates], gains, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(
        rows[num_templates:],
        build_bank((0.65 * templates[weakened]).astype("float32"), WHOLE).objective(traces),
        atol=0.05,
    )
    # The copy meets what its template meets, and the template itself.
    for row, source in ((num_templates, 1), (num_templates + 1, 7)):
        near = set(bank.near[row][bank.near[row] >= 0])
        assert {row, source} <= near
        assert near - {num_templates, num_templates + 1} == set(bank.near[source]) - {
            -1,
            num_templates,
            num_templates + 1,
        }


def test_no_templates():
    bank = build_bank(np.zeros((0, 90, 4), dtype="float32"), WHOLE)
    assert bank.objective(np.zeros((200, 4), dtype="float32")).shape == (0, 111)


def test_half_a_sample_twice_is_one_sample(two_neurons):
    templates = two_neurons.templates
    twice = delayed(delayed(templates, 0.5), 0.5)
    np.testing.assert_allclose(twice[:, 10:80], templates[:, 9:79], atol=0.02)
    np.testing.assert_allclose(delayed(templates, 0.0), templates, atol=1e-5)
    np.testing.assert_allclose(delayed(delayed(templates, 0.3), -0.3)[:, 10:80], templates[:, 10:80], atol=0.02)
