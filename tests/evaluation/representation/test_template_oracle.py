import dataclasses

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from huidurep_hf.evaluation.representation.template_oracle import template_oracle_labels


def test_clear_units_are_all_named_right(spikes):
    assert adjusted_rand_score(spikes.labels, template_oracle_labels(spikes)) > 0.95


def test_a_trough_found_a_few_samples_off_is_forgiven(spikes):
    shift = np.random.default_rng(0).integers(-3, 4, len(spikes.labels))
    moved = np.stack([np.roll(waveform, step, axis=0) for waveform, step in zip(spikes.whitened, shift)])
    late = dataclasses.replace(spikes, whitened=moved)
    assert adjusted_rand_score(spikes.labels, template_oracle_labels(late)) > 0.9


def test_units_of_noise_alone_are_told_apart_by_chance(spikes):
    noise = np.random.default_rng(0).normal(size=spikes.whitened.shape).astype("float32")
    labels = np.random.default_rng(1).integers(0, 4, len(spikes.labels))
    same_place = np.broadcast_to(spikes.channel_indices[:1], spikes.channel_indices.shape)
    nothing = dataclasses.replace(spikes, whitened=noise, labels=labels, channel_indices=same_place)
    assert adjusted_rand_score(labels, template_oracle_labels(nothing)) == pytest.approx(0, abs=0.02)


def test_the_margin_between_two_units_sets_how_many_are_right(spikes):
    """Two units d′ apart: the share of right names is that of a normal deviate below d′ / 2."""
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 2
    whitened = rng.normal(size=(4000, 60, 8)).astype("float32")
    whitened[:, 30, 0] += 20
    whitened[:, 25, 0] += 2 * labels
    whitened[:, 40, 0] -= 10
    two = dataclasses.replace(
        spikes, whitened=whitened, labels=labels, channel_indices=np.tile(np.arange(8), (4000, 1))
    )
    right = (template_oracle_labels(two) == labels).mean()
    # Φ(1) = 0.841
    assert right == pytest.approx(0.841, abs=0.02)


def test_no_spikes(spikes):
    nothing = dataclasses.replace(
        spikes, whitened=spikes.whitened[:0], labels=spikes.labels[:0], channel_indices=spikes.channel_indices[:0]
    )
    assert len(template_oracle_labels(nothing)) == 0
