import numpy as np
import pandas as pd
import pytest
from spikeinterface.core import NumpyRecording, NumpySorting

from huidurep_hf.evaluation.sorters.detected_share import detection_recall, detection_table, recall_of_rows

RATE = 30_000.0


class Truth:
    """Noise of SD 1 (after filtering) on two contacts 200 µm apart; a unit of 20 SD on the one, of 2 SD on the other.

    One in twelve spikes of the small unit comes with one of the large unit.
    """

    unit_snr = {"large": 20.0, "small": 2.0}

    def __init__(self):
        rng = np.random.default_rng(0)
        traces = rng.normal(size=(300_000, 2)) / np.sqrt(5.7 / 15)
        spike = -np.hanning(14)[:, None]
        large, small = np.arange(1000, 299_000, 1000), np.arange(1500, 299_000, 1000)
        small[::12] -= 500
        for sample in large:
            traces[sample - 7 : sample + 7] += 20 * spike * [[1, 0]]
        for sample in small:
            traces[sample - 7 : sample + 7] += 2 * spike * [[0, 1]]
        self.recording = NumpyRecording([traces.astype("float32")], RATE)
        self.recording.set_dummy_probe_from_locations(np.array([[0.0, 0.0], [0.0, 200.0]]))
        labels = np.repeat(["large", "small"], [len(large), len(small)])
        self.sorting = NumpySorting.from_samples_and_labels(
            [np.concatenate([large, small])], [labels], RATE, unit_ids=["large", "small"]
        )


def test_large_spikes_are_seen_and_small_ones_are_not():
    units = detection_recall(Truth()).set_index("snr")
    assert units.loc[20.0, "detected"] > 0.99
    # Nor are the large ones 200 µm away taken for them.
    assert units.loc[2.0, "detected"] < 0.06
    assert units["num_spikes"].tolist() == [298, 298]


def test_table_has_a_line_for_each_range_with_units():
    units = pd.DataFrame({"snr": [3.5, 3.9, 30.0], "detected": [0.2, 0.4, 1.0], "sorted": [0.5, 0.7, 1.0]})
    lines = detection_table(units).splitlines()
    assert lines[0] == "| SNR | units | detected | sorted |"
    assert lines[2].startswith("| 3 to 4 | 2 | 0.30 ± 0.10 | 0.60 ± 0.10 |")
    assert lines[3].startswith("| 12 and more | 1 | 1.00 |")
    assert len(lines) == 4


def test_recall_is_of_our_row():
    rows = [
        {"sorter": "lupin", "condition": "tetrode", "recording_seed": 100, "units": [{"recall": 0.1}]},
        {"sorter": "huidurep", "condition": "tetrode", "recording_seed": 100, "units": [{"recall": 0.9}]},
    ]
    assert recall_of_rows(rows, "tetrode", 100) == [0.9]
    with pytest.raises(ValueError, match="no row of huidurep for tetrode, seed 101"):
        recall_of_rows(rows, "tetrode", 101)
