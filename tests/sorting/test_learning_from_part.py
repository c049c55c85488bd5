import numpy as np
import pytest
from spikeinterface.comparison import compare_sorter_to_ground_truth
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.blocks import split_into_blocks
from huidurep_hf.recording.preprocessing.whitening import whiten
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.trace_copy import copy_blocks
from huidurep_hf.simulation.recordings.examples import example_recording
from huidurep_hf.sorting.sorter import SpikeSorter
from huidurep_hf.workers import Workers

from ..drifting import drifting_recording


@pytest.mark.slow
@pytest.mark.parametrize("drifting_templates", ["on", "off"])
def test_all_of_a_drifting_recording_is_sorted_though_units_are_learned_from_a_part(drifting_templates):
    recording, truth = drifting_recording(num_neurons=8, seconds=30.0, rate_hz=8.0, drift_um=80.0, last_size=0.7)
    sorter = SpikeSorter.from_pretrained("huidurep/base", device="cpu")
    part = {"max_learned_peaks": 1000, "learned_peaks_per_channel": 10}
    # With drifting templates few events are embedded, and without all.
    most = 0 if drifting_templates == "on" else 300_000
    result = sorter.sort(recording, **part, drifting_templates=drifting_templates, max_embedded_events=most)
    assert "followed (DREDge)" in result.provenance["preparation"]["steps"][-1]
    comparison = compare_sorter_to_ground_truth(truth, result.sorting, exhaustive_gt=True)
    accuracy = comparison.get_performance(method="by_unit")["accuracy"].astype(float)
    # Spikes shrink while the probe moves, and units stay one.
    assert (accuracy >= 0.8).sum() >= 7, accuracy
    assert len(result.sorting.unit_ids) <= 9
    is_embedded = result.events["embedded"].to_numpy()
    if drifting_templates == "on":
        # Those of the blocks that units are learned from.
        assert 500 < is_embedded.sum() == len(result.embeddings) < 1500 < len(is_embedded)
    else:
        assert is_embedded.all()
    # Of traces that are not there all embeddings would be the same.
    assert np.isfinite(result.embeddings).all()
    assert len(np.unique(result.embeddings, axis=0)) == len(result.embeddings)


@pytest.mark.slow
def test_where_few_events_are_embedded_motion_is_estimated_from_the_same_places():
    recording = example_recording(duration_s=25.0).recording
    sorter = SpikeSorter.from_pretrained("huidurep/base", device="cpu")
    part = {"max_learned_peaks": 1000, "learned_peaks_per_channel": 10, "motion_peaks_per_s": 30.0}
    few, all_of_them = (sorter.sort(recording, **part, max_embedded_events=most) for most in (0, 300_000))
    for result in (few, all_of_them):
        assert "motion not followed: it is" in result.provenance["preparation"]["steps"][-1]
    assert few.provenance["preparation"] == all_of_them.provenance["preparation"]
    columns = ["sample", "channel", "unit", "outcome", "probability"]
    assert few.events[columns].equals(all_of_them.events[columns])
    # Those that units are learned from.
    assert all_of_them.events["embedded"].all()
    is_embedded = few.events["embedded"].to_numpy()
    assert 500 < is_embedded.sum() == len(few.embeddings) <= 1000
    np.testing.assert_array_equal(few.embeddings, all_of_them.embeddings[is_embedded])


@pytest.mark.parametrize("num_blocks", [2, 60])
def test_noise_is_whitened_by_what_it_is_in_the_whole_recording(num_blocks):
    traces = np.random.default_rng(0).normal(size=(300_000, 4)).astype("float32")
    recording = NumpyRecording([traces], 5000.0)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(4), 20.0 * np.arange(4)], axis=1))
    prepared = prepare(recording)
    blocks = split_into_blocks(prepared.recording)[:num_blocks]
    part = copy_blocks(prepared, blocks, None, Workers(1))
    whole, of_part = whiten(prepared), whiten(part, noise_from=prepared.recording)
    np.testing.assert_array_equal(of_part.sample_sd, whole.sample_sd)
    last = blocks[-1]
    given = [each.recording.get_traces(0, last.start, last.stop) for each in (whole, of_part)]
    np.testing.assert_array_equal(*given)
