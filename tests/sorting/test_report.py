import numpy as np
import pandas as pd

from huidurep_hf.sorting.report import write_report
from huidurep_hf.sorting.unit_table import tabulate_units, template_peak, unit_intervals_ms


def test_table_has_one_row_per_unit(tetrode_result):
    table = tabulate_units(tetrode_result)
    assert table["unit"].tolist() == list(tetrode_result.sorting.unit_ids)
    assert table["num_spikes"].tolist() == list(tetrode_result.sorting.count_num_spikes_per_unit().values())
    np.testing.assert_allclose(table["rate_hz"], table["num_spikes"] / 8.0, atol=0.01)
    assert (table["amplitude"].abs() > 10).all()
    assert (table["snr"] > 3).all()
    assert table["presence"].between(0, 1).all()


def test_intervals_do_not_cross_segments():
    events = pd.DataFrame({"segment": [0, 0, 1, 1], "sample": [0, 30, 15, 75]})
    assert unit_intervals_ms(events, 30000).tolist() == [1.0, 2.0]


def test_template_peak_keeps_its_sign():
    template = np.zeros((10, 3))
    template[4, 1], template[5, 2] = -7, 6
    assert template_peak(template) == (1, -7.0)


def test_files_are_written(tetrode_result, tmp_path):
    paths = write_report(tetrode_result, tmp_path)
    assert [path.name for path in paths] == ["units.csv", "units.md", "units.png"]
    assert all(path.stat().st_size > 50 for path in paths)
    assert len(pd.read_csv(paths[0])) == len(tetrode_result.templates)
    assert paths[2].read_bytes().startswith(b"\x89PNG")
