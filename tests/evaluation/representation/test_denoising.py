import numpy as np
import pytest

from huidurep_hf.evaluation.representation.denoising import (
    best_low_rank_denoiser,
    denoising_table,
    low_rank_denoiser,
    snr_gain_db,
    template_error,
)


@pytest.fixture(scope="module")
def spikes():
    """Spikes of three units with amplitudes of 3, 6 and 12 noise SDs, in white noise."""
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(3, 20, 4))
    shapes /= -shapes.min(axis=(1, 2), keepdims=True)
    labels = np.repeat(np.arange(3), 200)
    clean = shapes[labels] * np.array([3.0, 6.0, 12.0])[labels][:, None, None]
    return clean, clean + rng.normal(size=clean.shape), labels


def test_gain_of_nothing_of_the_truth_and_of_a_tenth(spikes):
    clean, noisy, _ = spikes
    assert snr_gain_db(clean, noisy, noisy) == 0.0
    assert snr_gain_db(clean, noisy, clean) == np.inf
    assert snr_gain_db(clean, noisy, clean + 0.1 * (noisy - clean)) == pytest.approx(20.0)
    assert snr_gain_db(clean, noisy, noisy + 9 * (noisy - clean)) == pytest.approx(-20.0)


def test_template_error_sees_bias_and_not_noise(spikes):
    clean, noisy, labels = spikes
    assert template_error(clean, clean, labels) == 0.0
    assert template_error(clean, 0.7 * clean, labels) == pytest.approx(0.3)
    assert template_error(clean, noisy, labels) < 0.1


def test_low_rank_denoiser_removes_noise(spikes):
    clean, noisy, _ = spikes
    # Three shapes span two dimensions around their mean: 80 noisy values become about 2.
    assert snr_gain_db(clean, noisy, low_rank_denoiser(noisy, 2)) > 12
    _, rank = best_low_rank_denoiser(clean, noisy)
    assert rank == 4


def test_table_bins_by_true_snr(spikes):
    clean, noisy, labels = spikes
    rows = denoising_table(clean, noisy, {"none": noisy, "oracle": clean}, labels)
    assert [(row["snr_min"], row["snr_max"], row["num_spikes"]) for row in rows] == [
        (0.0, 4.0, 200),
        (4.0, 8.0, 200),
        (8.0, 16.0, 200),
        (0.0, None, 600),
    ]
    assert all(row["denoisers"]["none"]["gain_db"] == 0 for row in rows)
    assert all(row["denoisers"]["oracle"] == {"gain_db": np.inf, "template_error": 0.0} for row in rows)


def test_no_spikes():
    nothing = np.zeros((0, 20, 4))
    assert denoising_table(nothing, nothing, {"none": nothing}, np.zeros(0)) == []
    assert low_rank_denoiser(nothing, 4).shape == (0, 20, 4)
    assert np.isnan(snr_gain_db(nothing, nothing, nothing))


def test_shapes_must_agree(spikes):
    clean, noisy, _ = spikes
    with pytest.raises(ValueError, match="one and the same"):
        snr_gain_db(clean, noisy[:, :5], noisy)
