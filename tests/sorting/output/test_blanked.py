import numpy as np
import pandas as pd
import pytest

from huidurep_hf.sorting.output.blanked import is_beside_blanked
from huidurep_hf.sorting.output.result import SortingResult


def test_events_beside_a_period_are_marked_segment_by_segment():
    segments = np.array([0, 0, 0, 0, 1, 1])
    samples = np.array([50, 100, 250, 400, 100, 399])
    found = is_beside_blanked(segments, samples, [(0, 150, 200, "artifact"), (1, 350, 380, "given")], margin=50)
    assert found.tolist() == [False, True, False, False, False, True]
    assert is_beside_blanked(segments[:0], samples[:0], [(0, 1, 2, "given")], margin=5).shape == (0,)
    # A period of a segment without events.
    assert not is_beside_blanked(segments, samples, [(3, 0, 500, "given")], margin=5).any()


@pytest.mark.slow
def test_blanked_periods_are_in_the_result(sorter, tetrode, tmp_path):
    result = sorter.sort(tetrode[0], exclude="2.0-3.0")
    periods = result.blanked
    assert periods["start_s"].tolist() == [pytest.approx(2.0)] and periods["end_s"].tolist() == [pytest.approx(3.0)]
    events = result.events
    is_inside = events["time_s"].between(2.0, 3.0)
    is_near = events["time_s"].between(1.997, 3.003)
    assert not is_inside.any()
    np.testing.assert_array_equal(events["beside_blanked"], is_near)
    saved = pd.read_csv(result.save(tmp_path / "result") / "blanked.csv")
    pd.testing.assert_frame_equal(saved, periods, check_dtype=False)
    pd.testing.assert_frame_equal(SortingResult.load(tmp_path / "result").blanked, periods)


@pytest.mark.slow
def test_without_blanking_the_table_is_empty(tetrode_result):
    assert len(tetrode_result.blanked) == 0 and "reason" in tetrode_result.blanked
    assert not tetrode_result.events["beside_blanked"].any()
