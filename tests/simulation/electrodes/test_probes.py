import numpy as np
import pytest
from scipy.spatial.distance import pdist

from huidurep_hf.simulation.electrodes.probes import (
    BENCHMARK_PROBES,
    HELD_OUT_PROBES,
    TRAINING_PROBES,
    contact_positions,
    make_probe,
)

NUM_CONTACTS = {
    "tetrode": {4},
    "linear": {16, 32},
    "neuronexus32": {32},
    "neuropixels1": {64},
    "neuropixels1_96": {96},
    "neuropixels2": {64},
    "random_planar": set(range(4, 49)),
    "tetrode_diamond": {4},
    "poly2_32": {32},
    "polytrode_64": {64},
}


def test_held_out_layouts_are_in_no_training():
    assert len(TRAINING_PROBES) == 6
    assert set(HELD_OUT_PROBES) == {"tetrode_diamond", "poly2_32", "polytrode_64"}
    assert not set(TRAINING_PROBES) & set(HELD_OUT_PROBES)


@pytest.mark.parametrize("name", TRAINING_PROBES + HELD_OUT_PROBES + BENCHMARK_PROBES)
def test_contacts(name):
    for seed in range(20):
        contacts = contact_positions(name, seed)
        assert contacts.shape[1] == 2
        assert len(contacts) in NUM_CONTACTS[name]
        assert pdist(contacts).min() >= 11.9
        np.testing.assert_allclose(contacts.min(axis=0) + contacts.max(axis=0), 0, atol=1e-9)
        assert (np.diff(contacts[:, 1]) >= 0).all()
        np.testing.assert_array_equal(contacts, contact_positions(name, seed))


def test_the_seed_draws_what_is_free():
    for name in ("tetrode", "linear", "random_planar"):
        assert np.ptp(contact_positions(name, 1), axis=0).sum() != np.ptp(contact_positions(name, 2), axis=0).sum()
    sides = [pdist(contact_positions("tetrode", seed)).min() for seed in range(50)]
    assert 15 <= min(sides) < 20
    assert 35 < max(sides) <= 40


def test_make_probe():
    probe = make_probe("poly2_32")
    np.testing.assert_array_equal(probe.contact_positions, contact_positions("poly2_32"))
    np.testing.assert_array_equal(probe.device_channel_indices, np.arange(32))


def test_unknown_layout():
    with pytest.raises(ValueError, match="'octrode'; expected one of .*neuropixels1"):
        contact_positions("octrode")
