import numpy as np
import pytest

from huidurep_hf.tracking.displacement import (
    UNSEEN,
    Displacement,
    find_displacement,
    place_sessions,
    refine_displacement,
)
from huidurep_hf.tracking.settings import TrackingSettings

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
    found = refine_displacement(Displacement(-10.0, 6.0, second_um=125.0), probabilities_at, 6, SETTINGS)
    assert abs(found.um - true_um) <= SETTINGS.refinement_step_um / 3
    assert found.error_um == SETTINGS.refinement_step_um / 3


def test_a_single_sure_pair_does_not_outweigh_several():
    def probabilities_at(um):
        several = 0.99 * np.exp(-0.5 * np.square(um / 8))
        alone = 1.0 if abs(um - 24) < 4 else 0.0
        return np.array([several] * 4 + [alone])

    assert abs(refine_displacement(Displacement(12.0, 6.0), probabilities_at, 5, SETTINGS).um) <= 2


def test_sure_and_missing_votes_stay_as_they_are():
    probabilities_at, asked = units_found_at(20.0)
    sure = Displacement(19.0, 1.2)
    assert refine_displacement(sure, probabilities_at, 6, SETTINGS) is sure
    assert refine_displacement(UNSEEN, probabilities_at, 6, SETTINGS) is UNSEEN
    assert asked == [19.0]


def test_a_sure_vote_at_which_no_unit_is_found_again_is_refined():
    probabilities_at, _ = units_found_at(30.0)
    found = refine_displacement(Displacement(5.0, 1.0, second_um=-80.0), probabilities_at, 6, SETTINGS)
    assert abs(found.um - 30.0) <= SETTINGS.refinement_step_um / 3
    # Nothing is found anywhere near: other sessions are to say where these are.
    lost = refine_displacement(Displacement(5.0, 1.0), units_found_at(150.0)[0], 6, SETTINGS)
    assert (lost.um, lost.error_um) == (5.0, SETTINGS.refinement_reach_um)
    # An unsure vote gives way to the little that is found, and counts as little.
    unsure = refine_displacement(Displacement(12.0, 6.0), units_found_at(30.0, num_units=1)[0], 10, SETTINGS)
    assert abs(unsure.um - 30.0) <= SETTINGS.refinement_step_um / 3
    assert unsure.error_um == SETTINGS.refinement_reach_um
    nothing = refine_displacement(Displacement(10.0, 1.0), lambda um: np.zeros(3), 6, SETTINGS)
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
    found = refine_displacement(Displacement(10.0, 6.0), probabilities_at, 6, narrow)
    assert found.um == 12.0 and max(np.abs(asked)) == 12.0
