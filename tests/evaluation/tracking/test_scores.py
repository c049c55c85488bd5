import numpy as np
import pandas as pd
import pytest
from spikeinterface.core import NumpySorting

from huidurep_hf.evaluation.tracking.method_interface import PAIR_COLUMNS, Tracked, number_groups, tracked_from_matrices
from huidurep_hf.evaluation.tracking.scores import (
    calibration_error,
    chance_calibration_error,
    name_units,
    score_tracking,
)

# Two days of three units; neuron 7 is on both, unit 2 of the second day is none.
NEURONS = [{0: 7, 1: 8, 2: 9}, {0: 9, 1: 7, 2: None}]


def _tracked(rows, numbers):
    pairs = pd.DataFrame(rows, columns=PAIR_COLUMNS)
    units = [(session, unit) for session, of_session in enumerate(NEURONS) for unit in of_session]
    table = pd.DataFrame([(*unit, number) for unit, number in zip(units, numbers)])
    return Tracked(pairs, table.set_axis(["session", "unit", "global_unit"], axis=1))


def test_all_right():
    rows = [(0, 0, 1, 1, 1.0, 5.0, True), (0, 2, 1, 0, 1.0, 4.0, True)]
    scores = score_tracking(_tracked(rows, [0, 1, 2, 2, 0, 3]), NEURONS)
    assert (scores["num_true_pairs"], scores["num_errors"]) == (2, 0)
    for name in ("recall", "precision", "recall_at_1_percent_false", "auc", "global_f1", "adjusted_rand"):
        assert scores[name] == 1.0
    assert scores["calibration_error"] == 0.0


def test_few_pairs_look_wrong_by_chance():
    # One pair of 0.5: it is true or not, half off either way. Many pairs of sure probabilities cannot be off.
    assert chance_calibration_error([[0, 0, 0], [1, 0.5, 1]]) == pytest.approx(0.5)
    assert chance_calibration_error([[40, 0, 0], [60, 60, 50]]) == 0
    few, many = (chance_calibration_error([[count, 0.7 * count, count]]) for count in (10, 1000))
    # The mean of a folded normal distribution.
    assert many == pytest.approx(np.sqrt(2 / np.pi * 0.7 * 0.3 / 1000), rel=0.05) and few > 5 * many
    assert chance_calibration_error([[0, 0, 0]]) is None


def test_one_missed_one_false():
    rows = [
        (0, 0, 1, 1, 0.9, 5.0, True),
        (0, 1, 1, 2, 0.6, 3.0, True),
        (0, 2, 1, 0, 0.2, 2.0, False),
    ]
    scores = score_tracking(_tracked(rows, [0, 1, 2, 3, 0, 1]), NEURONS)
    assert (scores["num_matches"], scores["num_correct"], scores["num_errors"]) == (2, 1, 2)
    assert scores["recall"] == scores["precision"] == scores["recall_at_1_percent_false"] == 0.5
    # One of 7 false pairs is above one of 2 true ones.
    assert scores["auc"] == pytest.approx(1 - 0.5 / 7)
    assert scores["global_recall"] == scores["global_precision"] == scores["global_f1"] == 0.5
    # Bins of 0.9, 0.6 and 0.2: off by 0.1, 0.6 and 0.8.
    assert scores["calibration_error"] == pytest.approx((0.1 + 0.6 + 0.8) / 3)
    assert calibration_error(np.add(scores["calibration_bins"], scores["calibration_bins"])) == pytest.approx(0.5)


def test_equal_scores_are_taken_together():
    rows = [(0, 0, 1, 1, np.nan, 1.0, True), (0, 1, 1, 2, np.nan, 1.0, False)]
    scores = score_tracking(_tracked(rows, range(6)), NEURONS)
    assert scores["recall_at_1_percent_false"] == 0.0
    assert scores["calibration_error"] is None and scores["calibration_bins"] is None


def test_nothing_to_find_and_nothing_found():
    neurons = [{0: 1, 1: 2}, {0: 3}]
    units = pd.DataFrame({"session": [0, 0, 1], "unit": [0, 1, 0], "global_unit": [0, 1, 2]})
    scores = score_tracking(Tracked(pd.DataFrame(columns=PAIR_COLUMNS), units), neurons)
    assert scores["num_true_pairs"] == scores["num_errors"] == 0
    assert scores["recall"] is scores["precision"] is scores["auc"] is scores["global_f1"] is None
    assert scores["adjusted_rand"] == 1.0


def test_a_pair_comes_once_and_in_order():
    row = (0, 0, 1, 1, 0.9, 5.0, True)
    for rows in ([row, row], [(1, 1, 0, 0, 0.9, 5.0, True)]):
        with pytest.raises(ValueError, match="once, the earlier session first"):
            score_tracking(_tracked(rows, range(6)), NEURONS)


def test_tables_from_matrices():
    scores = np.arange(9.0).reshape(3, 3)
    tracked = tracked_from_matrices([["a"], ["b", "c"]], scores, scores > 1, number_groups(3, [(0, 2)]))
    assert tracked.pairs[["unit_a", "unit_b", "score", "is_match"]].to_numpy().tolist() == [
        ["a", "b", 1.0, False],
        ["a", "c", 2.0, True],
    ]
    assert tracked.units["global_unit"].tolist() == [0, 1, 0]
    assert number_groups(2, []).tolist() == [0, 1]


def test_sorted_units_are_called_after_neurons():
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.choice(300_000, 200, replace=False)) for _ in range(3)]
    truth = NumpySorting.from_unit_dict(dict(enumerate(trains[:2])), 30_000.0)
    found = {"good": trains[1], "half": trains[0][:90], "other": trains[2]}
    named = name_units(NumpySorting.from_unit_dict(found, 30_000.0), truth, {0: 70, 1: 71})
    assert named == {"good": 71, "half": None, "other": None}
    assert name_units(NumpySorting.from_unit_dict({}, 30_000.0), truth, {0: 70, 1: 71}) == {}
