import pytest
from spikeinterface.comparison import compare_sorter_to_ground_truth
from spikeinterface.core import append_recordings, append_sortings

from huidurep_hf.sorting.sorter import SpikeSorter

from ..drifting import drifting_recording


@pytest.mark.slow
@pytest.mark.parametrize("num_segments", [1, 3])
def test_units_are_followed_as_the_probe_drifts(num_segments):
    """By 80 um in 40 s: each neuron passes four contacts."""
    recording, truth = drifting_recording(num_neurons=8, rate_hz=8.0, drift_um=80.0)
    if num_segments > 1:
        edges = [recording.get_num_samples() * i // num_segments for i in range(num_segments + 1)]
        pieces = list(zip(edges[:-1], edges[1:]))
        recording = append_recordings([recording.frame_slice(*piece) for piece in pieces])
        truth = append_sortings([truth.frame_slice(*piece) for piece in pieces])
    result = SpikeSorter.from_pretrained("huidurep/base", device="cpu").sort(recording)
    assert "followed (DREDge)" in result.provenance["preparation"]["steps"][-1]
    comparison = compare_sorter_to_ground_truth(truth, result.sorting, exhaustive_gt=True)
    accuracy = comparison.get_performance(method="by_unit")["accuracy"].astype(float)
    assert (accuracy >= 0.8).sum() >= 7, accuracy
    assert len(result.sorting.unit_ids) <= 9
