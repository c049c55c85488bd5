import dataclasses

import numpy as np
import pytest

from huidurep_hf.tracking import placement
from huidurep_hf.tracking.displacement import UNSEEN, Displacement, find_displacement, is_sure, search_displacement
from huidurep_hf.tracking.placement import find_displacements, place_sessions
from huidurep_hf.tracking.settings import TrackingSettings
from huidurep_hf.tracking.similarity import common_shapes, see

from .made_fingerprints import make_neurons, see_neurons, two_columns

SETTINGS = TrackingSettings()


def units_found_at(true_um, num_units=5):
    """Probabilities of pairs of units that are found again within some µm of the true displacement."""
    asked = []

    def probabilities_at(um):
        asked.append(um)
        near = np.exp(-0.5 * np.square((um - true_um) / 8))
        return np.append(np.full(num_units, 0.99 * near), 0.05)

    return probabilities_at, asked


@pytest.mark.parametrize("true_um", [-27.3, 13.0, 141.0])
def test_an_unsure_vote_is_refined_around_both_likeliest_displacements(true_um):
    probabilities_at, _ = units_found_at(true_um)
    found = search_displacement(Displacement(-10.0, 6.0, second_um=125.0), probabilities_at, 6, SETTINGS)
    assert abs(found.um - true_um) <= SETTINGS.refinement_step_um / 3
    assert found.error_um == SETTINGS.refinement_step_um / 3


def test_a_single_sure_pair_does_not_outweigh_several():
    def probabilities_at(um):
        several = 0.99 * np.exp(-0.5 * np.square(um / 8))
        alone = 1.0 if abs(um - 24) < 4 else 0.0
        return np.array([several] * 4 + [alone])

    assert abs(search_displacement(Displacement(12.0, 6.0), probabilities_at, 5, SETTINGS).um) <= 2


def test_a_vote_is_sure_where_it_is_ahead_and_units_are_found_again():
    probabilities_at, asked = units_found_at(20.0)
    assert is_sure(Displacement(19.0, 1.2), probabilities_at, 6, SETTINGS)
    assert not is_sure(Displacement(60.0, 1.2), probabilities_at, 6, SETTINGS)
    assert not is_sure(Displacement(19.0, 6.0), probabilities_at, 6, SETTINGS)
    # Units are not compared where the vote is unsure anyway.
    assert not is_sure(UNSEEN, probabilities_at, 6, SETTINGS) and asked == [19.0, 60.0]


def test_searches_are_few_where_sessions_share_nothing(monkeypatch):
    contacts = two_columns(24)
    neurons = make_neurons(40, contacts)
    # As of a few kinds: neurons that are not the same are alike.
    rng = np.random.default_rng(0)
    kinds = rng.normal(0, 1.5, (4, 8))[rng.integers(0, 4, 40)]
    neurons = dataclasses.replace(neurons, embeddings=kinds + rng.normal(0, 0.4, (40, 8)))
    days = [range(0, 40, 2)] * 4 + [range(1, 40, 2)] * 4
    tables = [see_neurons(neurons, contacts, chosen=own, seed=day) for day, own in enumerate(days)]
    shapes = common_shapes(tables)
    seen = [see(table, shapes) for table in tables]
    searched = []

    def search(found, *rest):
        searched.append(found)
        return search_displacement(found, *rest)

    monkeypatch.setattr(placement, "search_displacement", search)
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8)]
    # Neurons of one kind are alike, so that some fit by chance.
    found = find_displacements(tables, seen, pairs, TrackingSettings(min_found_share=0.5, min_sure_votes=3))
    # All sixteen pairs of an early and a late session are unsure, and so many of them are searched.
    assert len(searched) == SETTINGS.max_searches
    # Sessions of few sure votes are searched in more pairs, each in vain so often at most.
    searched.clear()
    find_displacements(tables, seen, pairs, TrackingSettings(min_found_share=0.5, min_sure_votes=4, max_searches=3))
    assert 3 < len(searched) < 16
    for (a, b), one in found.items():
        assert (one.error_um >= SETTINGS.refinement_reach_um) == ((a < 4) != (b < 4))


def test_tetrodes_far_apart_on_a_drive_show_no_displacement():
    # Each shank is a tetrode; all together they span 600 µm.
    tetrode = np.array([[0.0, 0.0], [25.0, 0.0], [0.0, 25.0], [25.0, 25.0]])
    contacts = np.concatenate([tetrode + [0.0, 200.0 * number] for number in range(4)])
    shanks = np.repeat(["a", "b", "c", "d"], 4)
    tables = [see_neurons(make_neurons(8, contacts, seed=seed), contacts, shanks=shanks) for seed in (1, 2)]
    assert find_displacement(*tables, SETTINGS) is UNSEEN


def test_a_sure_vote_at_which_no_unit_is_found_again_is_refined():
    probabilities_at, _ = units_found_at(30.0)
    found = search_displacement(Displacement(5.0, 1.0, second_um=-80.0), probabilities_at, 6, SETTINGS)
    assert abs(found.um - 30.0) <= SETTINGS.refinement_step_um / 3
    # Nothing is found anywhere near: other sessions are to say where these are.
    lost = search_displacement(Displacement(5.0, 1.0), units_found_at(150.0)[0], 6, SETTINGS)
    assert (lost.um, lost.error_um) == (5.0, SETTINGS.refinement_reach_um)
    # An unsure vote gives way to the little that is found, and counts as little.
    unsure = search_displacement(Displacement(12.0, 6.0), units_found_at(30.0, num_units=1)[0], 10, SETTINGS)
    assert abs(unsure.um - 30.0) <= SETTINGS.refinement_step_um / 3
    assert unsure.error_um == SETTINGS.refinement_reach_um
    nothing = search_displacement(Displacement(10.0, 1.0), lambda um: np.zeros(3), 6, SETTINGS)
    assert (nothing.um, nothing.error_um) == (10.0, SETTINGS.refinement_reach_um)


def test_sessions_that_no_pair_places_stay_at_the_first():
    seen = {(0, 1): Displacement(100.0, 1.0), (0, 2): UNSEEN, (1, 2): UNSEEN}
    np.testing.assert_allclose(place_sessions(seen, 3), [0, 100, 0], atol=0.01)
    # Two groups that nothing connects: each from its own first session.
    apart = {(0, 1): Displacement(30.0, 1.0), (2, 3): Displacement(-20.0, 1.0)}
    np.testing.assert_allclose(place_sessions(apart, 4), [0, 30, 0, -20], atol=0.01)


def test_displacements_keep_to_their_limit():
    contacts = two_columns(24)
    neurons = make_neurons(20, contacts)
    tables = [see_neurons(neurons, contacts, displacement=displacement) for displacement in (0.0, 15.0)]
    assert find_displacement(*tables, SETTINGS).um == pytest.approx(15.0, abs=2)
    assert find_displacement(*tables, TrackingSettings(max_displacement_um=0.0)).um == 0.0
    probabilities_at, asked = units_found_at(20.0)
    narrow = TrackingSettings(max_displacement_um=12.0)
    found = search_displacement(Displacement(10.0, 6.0), probabilities_at, 6, narrow)
    assert found.um == 12.0 and max(np.abs(asked)) == 12.0
