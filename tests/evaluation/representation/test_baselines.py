import dataclasses

import numpy as np
import pytest

from huidurep_hf.evaluation.representation.baselines import (
    aligned_pca_features,
    in_probe_order,
    pca_features,
    place_on_probe,
    placed_pca_features,
    spike_locations,
    whitened_pca_features,
    with_location,
)
from huidurep_hf.evaluation.representation.embedding import agreement, cluster_by_mixture, neighbor_accuracy


def test_simple_features_recover_well_separated_units(spikes):
    aligned, whole = aligned_pca_features(spikes), pca_features(spikes.waveforms)
    assert aligned.shape == (len(spikes.labels), 15) and whole.shape == (len(spikes.labels), 32)
    for features in (aligned, whole, with_location(aligned, spike_locations(spikes))):
        assert neighbor_accuracy(features, spikes.labels) > 0.95
    located = with_location(aligned, spike_locations(spikes))
    num_units = len(np.unique(spikes.labels))
    for features in (aligned, located):
        assert agreement(spikes.labels, cluster_by_mixture(features, num_units, range(3)))[0] > 0.9


def test_alignment_undoes_a_shift_of_part_of_a_sample(spikes):
    time = np.arange(121)
    shape = -10 * np.exp(-0.5 * ((time[None, :] - 42 - np.array([0.0, 0.3, -0.4])[:, None]) / 3) ** 2)
    shifted = dataclasses.replace(
        spikes,
        waveforms=np.repeat(shape[:, :, None], 8, axis=2).astype("float32"),
        labels=np.zeros(3, dtype=int),
        channel_indices=np.tile(np.arange(8), (3, 1)),
    )
    features = aligned_pca_features(shifted)
    unaligned = pca_features(shifted.waveforms[:, 27:72, :5], num_components=2)
    assert np.ptp(features, axis=0).max() < 0.1 * np.ptp(unaligned, axis=0).max()


def test_probe_order_puts_padding_last():
    waveforms = np.arange(4.0)[None, None, :]
    assert in_probe_order(waveforms, np.array([[7, 2, 5, -1]])).ravel().tolist() == [1, 2, 0, 3]


def test_channels_that_the_model_added_are_padding():
    waveforms = np.arange(4.0)[None, None, :]
    assert in_probe_order(waveforms, np.array([[7, 2]])).ravel().tolist() == [1, 0, 2, 3]


def test_each_channel_takes_its_place_on_the_probe(spikes):
    two = dataclasses.replace(spikes, noise_levels=np.ones(5), channel_indices=np.array([[3, 1, -1], [0, 4, 2]]))
    waveforms = np.array([[[1, 2, 9]], [[3, 4, 5]]])
    assert place_on_probe(waveforms, two).tolist() == [[[0, 2, 0, 1, 0]], [[3, 0, 5, 0, 4]]]


def test_places_tell_units_apart_where_their_shapes_do_not(spikes):
    """One shape on two contacts of a long probe: from its peak channel the same, on the probe two."""
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(1, 60, 8)).astype("float32")
    labels = np.arange(200) % 2
    near_or_far = dataclasses.replace(
        spikes,
        whitened=10 * shape + rng.normal(size=(200, 60, 8)).astype("float32"),
        labels=labels,
        noise_levels=np.ones(16),
        channel_indices=np.arange(8) + 8 * labels[:, None],
    )
    assert neighbor_accuracy(placed_pca_features(near_or_far), labels) == 1
    assert neighbor_accuracy(whitened_pca_features(near_or_far), labels) < 0.7


def test_location_is_found(spikes):
    quiet = np.zeros((1, 121, 8), dtype="float32")
    quiet[0, 42, :2] = -10  # as large on the peak channel as on the next
    two = dataclasses.replace(
        spikes,
        waveforms=quiet,
        channel_positions=np.array([[[0, 0], [0, 20], *[[0, 20 * k] for k in range(2, 8)]]], dtype="float32"),
        channel_mask=np.ones((1, 8), dtype=bool),
        peak_positions=np.array([[5.0, 100.0]]),
        labels=np.zeros(1, dtype=int),
    )
    assert spike_locations(two)[0] == pytest.approx([5.0, 110.0], abs=0.01)


def test_both_blocks_have_one_total_variance():
    rng = np.random.default_rng(0)
    joined = with_location(1000 * rng.normal(size=(200, 6)), 1e-3 * rng.normal(size=(200, 2)))
    assert joined[:, :6].var(axis=0).sum() == pytest.approx(1.0, rel=0.02)
    assert joined[:, 6:].var(axis=0).sum() == pytest.approx(1.0, rel=0.02)
    assert (with_location(np.ones((3, 2)), np.ones((3, 2))) == 0).all()


def test_no_spikes(spikes):
    nothing = dataclasses.replace(spikes, waveforms=spikes.waveforms[:0], labels=spikes.labels[:0])
    assert aligned_pca_features(nothing).shape == (0, 15)
    assert pca_features(nothing.waveforms).shape == (0, 32)
