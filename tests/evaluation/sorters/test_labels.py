import numpy as np
import pandas as pd
import pytest
from spikeinterface.core import NumpySorting

from huidurep_hf import SpikeSorter
from huidurep_hf.evaluation.sorters import labels
from huidurep_hf.evaluation.sorters.labels import judge_sorters, judge_units, label_table
from huidurep_hf.evaluation.sorters.peers import is_installed
from huidurep_hf.simulation.recordings.recordings import example_recording

TIMES = {unit: np.arange(100) * 3000 + 700 * unit for unit in range(3)}


def sorting_of(trains):
    return NumpySorting.from_unit_dict(trains, 30000.0)


def test_units_are_judged_by_the_nearest_neuron_of_any_sorting():
    near, far = sorting_of({0: TIMES[0], 1: TIMES[1]}), sorting_of({0: TIMES[2]})
    found = {
        "whole": TIMES[0],
        "most": TIMES[1][:70],
        "rest": TIMES[1][70:],
        "far": TIMES[2][:60],
        "none": TIMES[0] + 99,
    }
    judged = judge_units(sorting_of(found), ["good", "good", "mua", "mua", "noise"], [near, far])
    assert list(judged["label"]) == ["good", "good", "mua", "mua", "noise"]
    np.testing.assert_allclose(judged["agreement"], [1.0, 0.7, 0.3, 0.6, 0.0])
    assert list(judged["is_best"])[:4] == [True, True, False, True]


def test_no_units_are_no_rows():
    assert len(judge_units(sorting_of({}), [], [sorting_of(TIMES)])) == 0


def test_the_table_counts_units_of_each_sorter_and_label():
    ours = pd.DataFrame(
        {"label": ["good", "good", "mua"], "agreement": [0.9, 0.6, 0.9], "is_best": [True, True, False]}
    )
    peers = pd.DataFrame({"label": ["none"] * 2, "agreement": [0.9, 0.2], "is_best": [True, True]})
    table = label_table(pd.concat([ours.assign(sorter="huidurep"), peers.assign(sorter="mountainsort5")]))
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert lines == [
        ["huidurep", "good", "2", "1", "1", "0", "100 %"],
        ["huidurep", "multi-unit", "1", "0", "0", "1", "0 %"],
        ["huidurep", "noise", "0", "0", "0", "0", "–"],
        ["mountainsort5", "no labels", "2", "1", "0", "1", "50 %"],
    ]


@pytest.mark.slow
@pytest.mark.skipif(not is_installed("spikesift"), reason="SpikeSift is not installed")
def test_ours_and_a_peer_are_judged_on_the_same_recording(monkeypatch):
    def generate(condition, seed):
        return example_recording(condition, duration_s=20.0, seed=seed)

    monkeypatch.setattr(labels, "_generate", generate)
    judged = judge_sorters(SpikeSorter.from_pretrained("huidurep/base"), ["spikesift"], ["tetrode"], [0])
    ours, peers = (judged[judged["sorter"] == sorter] for sorter in ("huidurep", "spikesift"))
    assert len(ours) + len(peers) == len(judged) and len(ours) and len(peers)
    assert set(ours["label"]) <= {"good", "mua", "noise"} and set(peers["label"]) == {"none"}
    assert (ours["agreement"] >= 0.8).sum() >= 3 and (peers["agreement"] >= 0.8).any()


def test_an_unknown_condition_is_one_sentence():
    with pytest.raises(ValueError, match="there are"):
        judge_sorters(None, [], ["octode"], [902])
