import numpy as np
import pytest

from huidurep_hf.sorting.merging.drift_fragments import explained_share, merge_fragments
from huidurep_hf.sorting.parameters import DriftFragmentSettings

RATE = 30000.0


@pytest.fixture
def fragments(make_spike_template):
    """One neuron in three fragments by displacement, the third 4 samples late; a like one at all displacements."""
    rng = np.random.default_rng(0)
    displacements = rng.uniform(-20, 20, 1200)
    labels = np.digitize(displacements, [-7.0, 7.0])
    labels[:400] = 3
    templates = np.stack([make_spike_template(10.0, 1, decay=decay) for decay in (1.3, 1.6, 2.0, 1.45)])
    templates[2] = np.roll(templates[2], 4, axis=0)
    return labels, displacements, templates.astype("float32")


def test_fragments_are_merged_and_neighbours_are_not(fragments):
    labels, displacements, templates = fragments
    merged, shifts = merge_fragments(labels, displacements, templates, RATE, DriftFragmentSettings())
    assert merged.max() == 1
    assert len(set(merged[labels < 3])) == 1
    assert set(merged[labels == 3]) != set(merged[labels < 3])
    # The third fragment's spikes are moved to where the others have theirs.
    assert set(shifts[labels == 2] - shifts[labels == 0][0]) == {4}


def test_pieces_of_neighbours_go_each_to_its_own(make_spike_template):
    """Two like neurons, each in two fragments: all four replace two others, as fully."""
    displacements = np.random.default_rng(0).uniform(-20, 20, 800)
    is_up = displacements > 0
    labels = np.where(np.arange(800) < 400, np.where(is_up, 0, 3), np.where(is_up, 2, 1))
    decays = {0: 1.3, 3: 1.45, 2: 1.9, 1: 2.1}
    templates = np.stack([make_spike_template(10.0, 1, decay=decays[unit]) for unit in range(4)])
    merged, _ = merge_fragments(labels, displacements, templates.astype("float32"), RATE, DriftFragmentSettings())
    assert len(set(merged[:400])) == len(set(merged[400:])) == 1
    assert merged[0] != merged[400]


def test_unlike_units_are_not_merged(fragments, make_spike_template):
    labels, displacements, templates = fragments
    templates[2] = make_spike_template(10.0, 3, width=8.0)
    merged, _ = merge_fragments(labels, displacements, templates, RATE, DriftFragmentSettings())
    assert merged.max() == 2


def test_nothing_to_merge():
    labels = np.full(3, -1)
    merged, shifts = merge_fragments(labels, np.zeros(3), np.zeros((0, 90, 4)), RATE, DriftFragmentSettings())
    assert merged.tolist() == [-1] * 3
    assert shifts.tolist() == [0] * 3


def test_explained_share_by_displacement():
    assert explained_share(np.array([50.0, 0]), np.array([0, 50.0])) > 0.95
    assert explained_share(np.array([50.0, 50]), np.array([20.0, 20])) == 0
    # Chance alone, in few spikes, is not knowledge.
    rng = np.random.default_rng(0)
    drawn = [
        explained_share(rng.multinomial(20, [0.125] * 8) + 0.0, rng.multinomial(20, [0.125] * 8) + 0.0)
        for _ in range(200)
    ]
    assert np.mean(drawn) < 0.08
