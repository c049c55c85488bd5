import numpy as np
import pytest

from huidurep_hf.evaluation.sorters.faults import FAULTS, _recording, _tetrode, faults_table


@pytest.mark.slow
def test_every_fault_is_in_the_traces_that_are_sorted():
    truth = _tetrode(0)
    clean = truth.recording.get_traces()
    for fault in FAULTS:
        made = (fault.make or _tetrode)(0)
        spoilt = fault.spoil(made.recording.get_traces().copy(), np.random.default_rng(0))
        recording = _recording(made, spoilt)
        assert recording.get_num_channels() == spoilt.shape[1] and len(spoilt) == len(clean)
        changed = spoilt.shape != clean.shape or not np.array_equal(spoilt, clean, equal_nan=True)
        assert changed == (fault.item != 0), fault.name
    large = next(fault for fault in FAULTS if fault.item == 6).make(0)
    assert max(large.unit_snr.values()) == 40.0
    burst = next(fault for fault in FAULTS if fault.item == 7).make(0)
    intervals = np.diff(burst.sorting.get_unit_spike_train(0)) / 30
    assert np.mean(np.abs(intervals - 3.0) < 0.1) > 0.75


def test_the_table_has_means_and_the_range_of_seeds():
    rows = [
        {
            "item": 1,
            "fault": "noise",
            "seed": seed,
            "num_true_units": 8,
            "num_sorted_units": 7 + seed,
            "num_false_positive_units": seed,
            "accuracy": 0.5 + 0.2 * seed,
        }
        for seed in (0, 1)
    ]
    assert "| 1 | noise | 0.60 (0.50 to 0.70) | 7.5 of 8 | 0.5 |" in faults_table(rows)
