import numpy as np
import pytest
from spikeinterface.core import NumpySorting

from huidurep_hf.report.agreement import compare


def test_units_are_matched_and_missed_units_named(made_result, truth):
    agreement = compare(made_result.sorting, truth, is_truth=True, names=("the sorting", "the truth"))
    units = agreement.units.set_index("unit")
    assert [units.loc[f"t{unit}", "matched_unit"] for unit in range(5)] == list(range(5))
    assert (units.loc[[f"t{unit}" for unit in range(5)], ["agreement", "precision", "recall"]] == 1).all(axis=None)
    assert units.loc["missing", "matched_unit"] is None and units.loc["missing", "recall"] == 0
    assert agreement.unmatched == [5]
    assert list(agreement.matrix.columns) == [0, 1, 2, 3, 4, 5] and agreement.matrix.iloc[0, 0] == 1
    assert agreement.sentences()[1] == "Units of the truth that the sorting missed: missing."


def test_nothing_can_be_compared_with(made_result):
    empty = made_result.sorting.select_units([])
    assert len(compare(made_result.sorting, empty).unmatched) == 6
    assert compare(empty, made_result.sorting).units["matched_unit"].isna().all()


def test_sortings_of_different_recordings_are_refused(made_result):
    with pytest.raises(ValueError, match="2 segments"):
        compare(made_result.sorting, NumpySorting.from_unit_dict([{0: np.array([1])}], 30000.0))
    with pytest.raises(ValueError, match="20000 Hz"):
        compare(made_result.sorting, NumpySorting.from_unit_dict([{0: np.array([1])}, {0: np.array([1])}], 20000.0))
