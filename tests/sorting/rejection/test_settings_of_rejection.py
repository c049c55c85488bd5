"""Each setting of rejection changes what is rejected: an extreme value gives another result on a small case."""

import numpy as np
import pytest

from huidurep_hf.sorting.parameters import RejectionSettings, SortingParameters
from huidurep_hf.sorting.rejection.reject_clusters import reject_clusters
from huidurep_hf.sorting.rejection.residual_units import is_residual_unit


@pytest.fixture(scope="module")
def colliding(make_spike_template, make_white_traces):
    """Two neurons, and a cluster of those spikes of the first that one of the second follows after 0.4 to 0.6 ms."""
    rng = np.random.default_rng(0)
    first = rng.permutation(np.arange(300, 590_000, 300))[:600]
    lags = rng.integers(13, 19, 60)
    second = np.r_[first[:60] + lags, rng.permutation(np.arange(450, 590_000, 300))[:500]]
    templates = np.stack([make_spike_template(20.0, 0), make_spike_template(15.0, 2, width=6.0)])
    traces = make_white_traces(templates.astype("float32"), [first, second], 600_000)
    labels = traces.units.copy()
    labels[np.isin(traces.samples, first[:60]) & (traces.units == 0)] = 2
    labels[np.isin(traces.samples, first[:60] + lags) & (traces.units == 1)] = -1
    return traces.prepared, traces.peaks.with_columns(cluster=labels, aligned_sample=traces.samples)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_relative_count", 0.0),
        ("max_collision_residual", 0.0),
        ("min_collision_share", 1.0),
        ("max_collision_lag_ms", 0.3),
        ("min_collision_overlap", 1.0),
        ("max_colliding_units", 1),
    ],
)
def test_collisions(colliding, name, value):
    prepared, spikes = colliding
    numbers = [
        reject_clusters(spikes, prepared, SortingParameters(**given))["cluster"].max() + 1
        for given in ({}, {name: value})
    ]
    assert numbers == [2, 3]


def test_residual_units():
    units, is_detected = np.zeros(100, dtype="int64"), np.arange(100) < 30
    assert is_residual_unit(units, is_detected, np.array([12.0]), 4.5, RejectionSettings()).all()
    assert not is_residual_unit(
        units, is_detected, np.array([12.0]), 4.5, RejectionSettings(min_detected_share=0.0)
    ).any()
