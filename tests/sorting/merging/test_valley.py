import numpy as np
import pytest

from huidurep_hf.sorting.merging.valley import valley_depth, valley_depth_on_line
from huidurep_hf.sorting.parameters import DensitySettings

RIDGE = DensitySettings().discriminant_ridge


def test_two_blobs_have_a_valley_and_halves_of_one_have_none(make_blobs):
    features, labels = make_blobs([[0, 0, 0], [8, 0, 0]], num_spikes=400)
    assert valley_depth(features[labels == 0], features[labels == 1], RIDGE) > 0.9
    one = features[labels == 0]
    # Cut in two where the cut is sharpest: along the line on which it is looked at.
    assert valley_depth(one[one[:, 0] < 0], one[one[:, 0] >= 0], RIDGE) < 0.2


def test_depth_grows_with_distance():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=1000), rng.normal(size=1000)
    depths = [valley_depth_on_line(first, second + distance) for distance in (0, 2, 4, 6)]
    assert depths[0] < 0.1
    assert depths == sorted(depths)
    assert depths[-1] > 0.9


@pytest.mark.parametrize("num_spikes", [0, 1, 2])
def test_few_and_identical_spikes(num_spikes):
    depth = valley_depth(np.zeros((num_spikes, 3)), np.ones((num_spikes, 3)), RIDGE)
    assert 0 <= depth <= 1
    assert valley_depth(np.zeros((5, 3)), np.zeros((5, 3)), RIDGE) == 0
