"""What must hold for any input: the feature extractor, the waveform cutter, clustering, matching, the result writer."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from spikeinterface.core import NumpyRecording

from huidurep_hf import HuiduRepFeatureExtractor
from huidurep_hf.recording.spikes.neighborhood import find_neighborhoods
from huidurep_hf.recording.spikes.waveforms import iterate_waveforms
from huidurep_hf.sorting.clustering.kmeans import cluster_kmeans
from huidurep_hf.sorting.clustering.mixture import split_by_mixture
from huidurep_hf.sorting.clustering.settings import MixtureSettings
from huidurep_hf.sorting.matching.pairing import pair_with_peaks
from huidurep_hf.sorting.merging.template_distance import find_duplicates
from huidurep_hf.sorting.output.result import SortingResult
from huidurep_hf.sorting.spikes import Spikes

from .made_results import make_result

# Each example is a draw of sizes and a seed; machines that are busy are not the property under test.
few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.slow
@few
@given(st.integers(1, 5), st.integers(20, 90), st.integers(1, 11), st.floats(8000, 50000), st.floats(0.01, 1e6), seeds)
def test_the_extractor_gives_its_window_whatever_the_unit(num_spikes, num_samples, num_channels, rate, gain, seed):
    rng = np.random.default_rng(seed)
    waveforms = rng.normal(size=(num_spikes, num_samples, num_channels)).astype("float32")
    noise = 0.5 + rng.random(num_channels)
    extractor = HuiduRepFeatureExtractor()
    peak = int(rng.integers(0, num_samples))
    made = [
        extractor(scale * waveforms, sampling_rate=rate, noise_levels=scale * noise, peak_sample=peak)["waveforms"]
        for scale in (1.0, gain)
    ]
    assert made[0].shape == (num_spikes, extractor.window_size, num_channels) and made[0].isfinite().all()
    np.testing.assert_allclose(*made, rtol=1e-3, atol=1e-3)
    alone = extractor(waveforms[-1:], sampling_rate=rate, noise_levels=noise, peak_sample=peak)["waveforms"]
    np.testing.assert_allclose(alone[0], made[0][-1], atol=1e-4)


@few
@given(
    st.integers(1, 400),
    st.integers(1, 6),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(1, 9),
    seeds,
)
def test_a_cut_waveform_is_what_is_in_the_traces(num_samples, num_channels, before, after, num_peaks, batch, seed):
    rng = np.random.default_rng(seed)
    traces = rng.normal(size=(num_samples, num_channels)).astype("float32")
    recording = NumpyRecording([traces], 30000.0)
    positions = np.stack([np.zeros(num_channels), 20.0 * np.arange(num_channels)], axis=1)
    recording.set_dummy_probe_from_locations(positions)
    neighborhoods = find_neighborhoods(positions, np.zeros(num_channels, dtype=int), min(3, num_channels))
    peaks = Spikes(
        segment_index=np.zeros(num_peaks, dtype="int64"),
        sample_index=np.sort(rng.integers(0, num_samples, num_peaks)),
        channel_index=rng.integers(0, num_channels, num_peaks),
    )
    batches = iterate_waveforms(
        recording, peaks, neighborhoods, np.ones(num_channels), num_before=before, num_after=after, batch_size=batch
    )
    cut = np.concatenate([one.waveforms for one in batches])
    padded = np.pad(traces, ((before, after), (0, 0)))
    for waveform, sample, channel in zip(cut, peaks["sample_index"], peaks["channel_index"]):
        channels = neighborhoods.channel_indices[channel]
        expected = np.where(channels >= 0, padded[sample : sample + before + after][:, channels], 0)
        np.testing.assert_array_equal(waveform, expected)


@few
@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 8), seeds)
def test_clusters_are_numbers_without_gaps(num_spikes, num_features, num_units, seed):
    features = np.random.default_rng(seed).normal(size=(num_spikes, num_features))
    for labels in (
        cluster_kmeans(features, num_units, seed=seed, num_starts=2),
        split_by_mixture(features, MixtureSettings(), seed=seed) if num_spikes > num_features else np.zeros(0, int),
    ):
        assert labels.dtype == np.int64 and len(labels) in (0, num_spikes)
        assert set(labels) == set(range(labels.max(initial=-1) + 1))
    once, again = (cluster_kmeans(features, num_units, seed=seed, num_starts=2) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.max(initial=-1) < num_units


def table(rng, num_spikes, num_channels):
    return Spikes(
        segment_index=np.sort(rng.integers(0, 2, num_spikes)),
        sample_index=rng.integers(0, 300, num_spikes),
        channel_index=rng.integers(0, num_channels, num_spikes),
    ).in_order()


@few
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 12), seeds)
def test_matched_spikes_and_peaks_are_paired_once_and_near(num_matched, num_peaks, max_gap, seed):
    rng = np.random.default_rng(seed)
    positions = np.stack([np.zeros(6), 20.0 * np.arange(6)], axis=1)
    neighborhoods = find_neighborhoods(positions, np.zeros(6, dtype=int), 3)
    matched, peaks = table(rng, num_matched, 6), table(rng, num_peaks, 6)
    found = pair_with_peaks(matched, peaks, peaks["sample_index"], neighborhoods, max_gap)
    is_paired = found >= 0
    assert len(np.unique(found[is_paired])) == is_paired.sum()
    of_peaks = peaks[found[is_paired]]
    assert (matched["segment_index"][is_paired] == of_peaks["segment_index"]).all()
    assert (np.abs(matched["sample_index"][is_paired] - of_peaks["sample_index"]) <= max_gap).all()


@few
@given(st.integers(0, 60), st.integers(0, 20), seeds)
def test_no_two_spikes_of_a_unit_stay_that_are_one(num_spikes, max_gap, seed):
    rng = np.random.default_rng(seed)
    samples, labels = np.sort(rng.integers(0, 400, num_spikes)), rng.integers(-1, 3, num_spikes)
    is_duplicate = find_duplicates(samples, labels, rng.normal(size=num_spikes), max_gap)
    assert not is_duplicate[labels < 0].any()
    for unit in range(3):
        kept = samples[(labels == unit) & ~is_duplicate]
        assert (np.diff(kept) > max_gap).all() and (len(kept) > 0) == (labels == unit).any()


@settings(few, max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 5), st.integers(0, 200), st.integers(1, 6), st.integers(1, 3), seeds)
def test_a_result_is_read_as_it_was_written(num_units, num_spikes, num_channels, num_segments, seed):
    seconds = tuple(5.0 + np.arange(num_segments))
    made = make_result(num_units, max(num_spikes, 2 * num_units), num_channels=num_channels, seconds=seconds, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder) / "result")
        assert [path.name for path in Path(folder).iterdir()] == ["result"]
        loaded = SortingResult.load(Path(folder) / "result")
    if len(made.events):
        # Parquet keeps no categories of an empty table.
        pd.testing.assert_frame_equal(loaded.events, made.events)
    assert list(loaded.events) == list(made.events) and len(loaded.events) == len(made.events)
    pd.testing.assert_frame_equal(loaded.units, made.units)
    np.testing.assert_array_equal(loaded.templates, made.templates)
    np.testing.assert_array_equal(loaded.embeddings, made.embeddings)
    assert loaded.provenance == made.provenance
    for segment in range(num_segments):
        for unit in range(num_units):
            trains = [one.sorting.get_unit_spike_train(unit, segment_index=segment) for one in (loaded, made)]
            np.testing.assert_array_equal(*trains)
