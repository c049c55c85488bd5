from spikeinterface.comparison import compare_sorter_to_ground_truth

from huidurep_hf.sorting.sorter import SpikeSorter

from ..drifting import drifting_recording


def test_units_are_followed_as_the_probe_drifts():
    """By 80 um in 40 s: each neuron passes four contacts."""
    recording, truth = drifting_recording(num_neurons=8, rate_hz=8.0, drift_um=80.0)
    result = SpikeSorter.from_pretrained("huidurep/base", device="cpu").sort(recording)
    assert "followed (DREDge)" in result.provenance["preparation"]["steps"][-1]
    comparison = compare_sorter_to_ground_truth(truth, result.sorting, exhaustive_gt=True)
    accuracy = comparison.get_performance(method="by_unit")["accuracy"].astype(float)
    assert (accuracy >= 0.8).sum() >= 7, accuracy
    assert len(result.sorting.unit_ids) <= 9
