import numpy as np
import pytest

from huidurep_hf.simulation.neurons.membrane import random_membrane
from huidurep_hf.simulation.neurons.morphology import AXON, INITIAL_SEGMENT, SOMA
from huidurep_hf.simulation.neurons.neuron_families import FAMILIES, SEGMENTS_RANGE, random_morphology


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def neuron(request):
    return request.param, random_morphology(request.param, np.random.default_rng(3))


def test_a_tree_of_branches(neuron):
    family, branches = neuron
    assert [branch.kind for branch in branches].count(SOMA) == 1
    assert branches[0].kind == SOMA and branches[0].parent == -1
    assert SEGMENTS_RANGE[0] <= sum(branch.num_segments for branch in branches) <= SEGMENTS_RANGE[1]
    for index, branch in enumerate(branches[1:], start=1):
        assert 0 <= branch.parent < index
        parent = branches[branch.parent]
        assert branch.points.shape == (branch.num_segments + 1, 3)
        lengths = np.linalg.norm(np.diff(branch.points, axis=0), axis=1)
        np.testing.assert_allclose(lengths, lengths[0])
        assert 0 < lengths[0] <= 60
        if parent.kind != SOMA:
            place = branch.parent_place * parent.num_segments
            np.testing.assert_allclose(branch.points[0], parent.points[round(place)], atol=1e-9)
            assert place == pytest.approx(round(place))
            assert branch.path_um == pytest.approx(parent.path_um + branch.parent_place * parent.length_um)
        else:
            assert np.linalg.norm(branch.points[0]) == pytest.approx(branches[0].diameters[0] / 2)


def test_diameters(neuron):
    family, branches = neuron
    assert family.soma_um[0] <= branches[0].diameters[0] <= family.soma_um[1]
    for branch in branches[1:]:
        assert (branch.diameters > 0.25).all()
        assert (branch.diameters < branches[0].diameters[0] / 2).all()
        assert (np.diff(branch.diameters) <= 0).all()


def test_one_axon(neuron):
    _, branches = neuron
    kinds = [branch.kind for branch in branches]
    assert kinds.count(INITIAL_SEGMENT) == 1
    assert branches[kinds.index(AXON)].parent == kinds.index(INITIAL_SEGMENT)
    assert 11 <= branches[kinds.index(INITIAL_SEGMENT)].length_um <= 75


def test_pyramidal_neurons_point_up():
    family = FAMILIES[0]
    heights = []
    for seed in range(10):
        points = np.vstack([branch.points for branch in random_morphology(family, np.random.default_rng(seed))])
        heights.append(points[:, 1].max())
    assert family.upright and np.mean(heights) > 150


def test_the_initial_segment_is_the_hottest():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        branches = random_morphology(FAMILIES[seed % len(FAMILIES)], rng)
        membrane = random_membrane(branches, bool(seed % 2), rng)
        sodium = [densities[:, 0].max() for densities in membrane.densities]
        hottest = [branch.kind for branch in branches].index(INITIAL_SEGMENT)
        assert max(sodium) == sodium[hottest]
        assert membrane.threshold_mv[hottest] == min(membrane.threshold_mv) < membrane.threshold_mv[0]
        assert all(len(values) == branch.num_segments for values, branch in zip(membrane.densities, branches))
