from types import SimpleNamespace

import numpy as np
import pandas as pd
from spikeinterface.core import NumpySorting

from huidurep_hf.evaluation.sorters.calibration import calibration_table, judge_spikes

RATE = 30000.0


def result_of(samples, units, probabilities):
    sorting = NumpySorting.from_samples_and_labels([samples], [units], RATE, unit_ids=np.unique(units))
    events = pd.DataFrame({"segment": 0, "sample": samples, "unit": units, "probability": probabilities})
    return SimpleNamespace(sorting=sorting, events=events)


def test_spikes_are_judged_by_the_neuron_that_their_unit_agrees_with_most():
    train = np.arange(1000, 60000, 500)
    other = train + 250
    truth = NumpySorting.from_samples_and_labels(
        [np.concatenate([train, other])], [np.repeat(["a", "b"], len(train))], RATE, unit_ids=["a", "b"]
    )
    # Unit 0: neuron a, 10 samples late, and ten spikes of b. Unit 1: nobody's.
    samples = np.concatenate([train + 10, other[:10], np.arange(70000, 71000, 100)])
    units = np.concatenate([np.zeros(len(train) + 10, dtype=int), np.ones(10, dtype=int)])
    order = np.argsort(samples, kind="stable")
    judged = judge_spikes(result_of(samples[order], units[order], np.full(len(samples), 0.9)), truth)
    assert len(judged) == len(samples)
    assert judged["is_right"].sum() == len(train)


def test_table_says_what_share_is_right():
    judged = pd.DataFrame({"probability": [0.85] * 10 + [1.0] * 4, "is_right": [True] * 8 + [False] * 2 + [True] * 4})
    lines = calibration_table(judged).splitlines()
    assert lines[2] == "| 0.8 to 0.9 | 0.850 | 0.800 | 10 |"
    assert lines[3] == "| 0.99 to 1 | 1.000 | 1.000 | 4 |"


def test_no_units():
    empty = SimpleNamespace(sorting=SimpleNamespace(unit_ids=[]))
    assert len(judge_spikes(empty, None)) == 0
