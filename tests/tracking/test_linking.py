"""Numbers over many sessions, and probabilities of matchings."""

from itertools import permutations, product

import numpy as np

from huidurep_hf.tracking.linking import link_sessions
from huidurep_hf.tracking.probability import find_probabilities, marginals
from huidurep_hf.tracking.settings import TrackingSettings


def test_no_chain_of_weak_links():
    sessions = np.array([0, 1, 2])
    compared = np.ones((3, 3), dtype=bool)
    pairs = np.array([[0, 1], [1, 2], [0, 2]])
    joined = link_sessions(sessions, pairs, np.array([0.99, 0.9, 0.001]), compared, 0.5)
    assert joined.tolist() == [0, 0, 1]
    joined = link_sessions(sessions, pairs, np.array([0.99, 0.9, 0.3]), compared, 0.5)
    assert joined.tolist() == [0, 0, 0]
    # Sessions that were not compared say nothing against it.
    compared[0, 2] = compared[2, 0] = False
    assert link_sessions(sessions, pairs[:2], np.array([0.99, 0.9]), compared, 0.5).tolist() == [0, 0, 0]


def test_no_two_units_of_a_session_share_a_number():
    sessions = np.array([0, 0, 1, 1])
    pairs = np.array([[0, 2], [1, 2], [0, 3], [1, 3]])
    groups = link_sessions(sessions, pairs, np.array([0.99, 0.98, 0.97, 0.6]), np.ones((2, 2), bool), 0.5)
    assert groups.tolist() == [0, 1, 0, 1]


def test_marginals_are_those_of_all_matchings():
    # Without a cycle belief propagation is exact.
    pairs = np.array([[0, 0], [0, 1], [1, 1], [2, 2]])
    odds = np.array([3.0, 0.5, 2.0, 0.1])
    weights, total = np.zeros(4), 0.0
    for used in product([0, 1], repeat=4):
        chosen = pairs[np.array(used, dtype=bool)]
        if len(set(chosen[:, 0])) == len(chosen) == len(set(chosen[:, 1])):
            weight = np.prod(odds[np.array(used, dtype=bool)])
            weights += weight * np.array(used)
            total += weight
    np.testing.assert_allclose(marginals(pairs, odds, 3, 3), weights / total, rtol=1e-4)


def test_share_of_neurons_in_both_sessions_is_learned():
    rng, settings = np.random.default_rng(0), TrackingSettings(prior_share=0.6, prior_weight=3.0)
    pairs = np.array(list(permutations(range(40), 2)) + [(i, i) for i in range(40)])
    for num_common in (0, 10, 40):
        is_same = (pairs[:, 0] == pairs[:, 1]) & (pairs[:, 0] < num_common)
        ratios = np.where(is_same, rng.normal(8, 2, len(pairs)), rng.normal(-8, 2, len(pairs)))
        found = find_probabilities(pairs, ratios, 40, 40, settings)
        assert abs(found.sum() - num_common) < 2
        assert found[is_same].min(initial=1) > 0.5
    assert len(find_probabilities(np.zeros((0, 2), int), np.zeros(0), 3, 0, settings)) == 0
