import numpy as np
import pytest
from spikeinterface.core import NumpySorting, generate_sorting

from huidurep_hf.evaluation.sorters.ground_truth import score_sorting


@pytest.fixture(scope="module")
def truth():
    return generate_sorting(num_units=4, durations=[20.0], firing_rates=8.0, seed=3)


def test_truth_against_itself_is_perfect(truth):
    units, summary = score_sorting(truth, truth, unit_snr=[1.0, 4.0, 5.0, 9.0])
    assert (units[["accuracy", "precision", "recall"]] == 1.0).all(axis=None)
    assert list(units["matched_unit_id"]) == list(truth.unit_ids)
    assert summary["accuracy"] == summary["accuracy_snr3"] == 1.0
    assert summary["num_true_units_snr3"] == summary["num_well_detected_units_snr3"] == 3
    assert summary["num_false_positive_units"] == summary["num_redundant_units"] == 0
    assert summary["num_overmerged_units"] == 0


@pytest.mark.parametrize("unit_ids", [[], ["never_fires"]])
def test_empty_sorting_scores_zero(truth, unit_ids):
    empty = NumpySorting.from_unit_dict({unit: np.array([], dtype="int64") for unit in unit_ids}, 30000.0)
    units, summary = score_sorting(empty, truth, unit_snr=dict.fromkeys(truth.unit_ids, 5.0))
    assert (units["accuracy"] == 0).all() and summary["accuracy"] == summary["recall_snr3"] == 0.0
    assert summary["num_sorted_units"] == summary["num_false_positive_units"] == 0
    assert all(match is None for match in units["matched_unit_id"])


def test_errors_are_counted_exactly():
    times = {unit: np.arange(100) * 3000 + 700 * unit for unit in range(3)}
    truth = NumpySorting.from_unit_dict(times, 30000.0)
    found = {
        "most": times[0][:90],  # misses a tenth of unit 0
        "first_half": times[1][:60],
        "second_half": times[1][60:],  # repeats unit 1
        "nothing": np.arange(50) * 3000 + 2500,
    }
    units, summary = score_sorting(NumpySorting.from_unit_dict(found, 30000.0), truth, unit_snr=[5, 5, 1])
    assert units["accuracy"].tolist() == pytest.approx([0.9, 0.6, 0.0])
    assert units["precision"].tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert summary["accuracy"] == pytest.approx(0.5) and summary["accuracy_snr3"] == pytest.approx(0.75)
    assert summary["num_well_detected_units"] == 1
    assert summary["num_redundant_units"] == 1 and summary["num_false_positive_units"] == 1


def test_merged_units_are_counted():
    times = {unit: np.arange(100) * 3000 + 700 * unit for unit in range(2)}
    merged = NumpySorting.from_unit_dict({0: np.sort(np.concatenate(list(times.values())))}, 30000.0)
    _, summary = score_sorting(merged, NumpySorting.from_unit_dict(times, 30000.0))
    assert summary["num_overmerged_units"] == 1
    assert "accuracy_snr3" not in summary


def test_silent_true_unit_is_left_out():
    truth = NumpySorting.from_unit_dict({0: np.arange(10) * 3000, 1: np.array([], dtype="int64")}, 30000.0)
    units, summary = score_sorting(truth, truth)
    assert list(units.index) == [0] and summary["accuracy"] == 1.0


def test_wrong_input_is_named(truth):
    with pytest.raises(ValueError, match="segments"):
        score_sorting(generate_sorting(durations=[5.0, 5.0]), truth)
    with pytest.raises(ValueError, match="Hz"):
        score_sorting(generate_sorting(durations=[5.0], sampling_frequency=20000.0), truth)
    with pytest.raises(ValueError, match="one per true unit"):
        score_sorting(truth, truth, unit_snr=[1.0])
    with pytest.raises(ValueError, match="no value"):
        score_sorting(truth, truth, unit_snr={truth.unit_ids[0]: 1.0})


def test_with_a_partial_truth_false_units_are_not_counted(truth):
    part = truth.select_units(truth.unit_ids[:2])
    units, summary = score_sorting(truth, part, exhaustive=False)
    assert (units["accuracy"] == 1.0).all()
    assert summary["num_false_positive_units"] is None
    assert score_sorting(truth, part)[1]["num_false_positive_units"] == 2


def test_far_neurons_are_not_false_and_need_not_be_found():
    times = {unit: np.arange(100) * 3000 + 700 * unit for unit in range(4)}
    near = NumpySorting.from_unit_dict({unit: times[unit] for unit in (0, 1)}, 30000.0)
    far = NumpySorting.from_unit_dict({0: times[2]}, 30000.0)
    found = NumpySorting.from_unit_dict({"near": times[0], "far": times[2], "none": times[3]}, 30000.0)
    _, summary = score_sorting(found, near, far_neurons=far)
    assert summary["num_false_positive_units"] == 1 and summary["num_true_units"] == 2
    assert summary["accuracy"] == 0.5
    assert score_sorting(found, near)[1]["num_false_positive_units"] == 2
    nothing = NumpySorting.from_unit_dict({}, 30000.0)
    assert score_sorting(nothing, near, far_neurons=far)[1]["num_false_positive_units"] == 0
