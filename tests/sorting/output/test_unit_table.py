import dataclasses

import numpy as np
import pandas as pd
import pytest

from huidurep_hf.sorting.output.settings import LabelSettings
from huidurep_hf.sorting.output.unit_table import label_unit, tabulate_units, template_peak, unit_intervals_ms


def table_of(result, **limits):
    tables = {name: getattr(result, name) for name in ("events", "templates", "channels", "provenance")}
    return tabulate_units(**tables, limits=LabelSettings(**limits))


def test_table_has_one_row_per_unit(tetrode_result):
    table = table_of(tetrode_result)
    assert table["unit"].tolist() == list(tetrode_result.sorting.unit_ids)
    assert table["num_spikes"].tolist() == list(tetrode_result.sorting.count_num_spikes_per_unit().values())
    np.testing.assert_allclose(table["rate_hz"], table["num_spikes"] / 8.0, atol=0.01)
    assert (table["amplitude"].abs() > 10).all()
    assert (table["snr"] > 3).all()
    assert table["presence"].between(0, 1).all()


def test_the_sorting_has_the_table_as_properties(tetrode_result):
    table, sorting = table_of(tetrode_result), tetrode_result.sorting
    assert sorting.get_property("label").tolist() == table["label"].tolist()
    assert sorting.get_property("num_spikes").tolist() == table["num_spikes"].tolist()
    assert (table["label"] == "good").sum() == 3


@pytest.mark.parametrize(
    ("snr", "contamination", "probability", "label"),
    [
        (8.0, 0.0, 0.95, "good"),
        (2.5, 0.0, 0.95, "mua"),
        (8.0, 0.3, 0.95, "mua"),
        (8.0, 0.0, 0.7, "mua"),
        (8.0, 0.0, 0.4, "mua"),
        (4.0, 0.0, 0.75, "mua"),
        (4.0, 0.0, 0.6, "noise"),
    ],
)
def test_labels(snr, contamination, probability, label):
    assert label_unit(snr, contamination, probability, LabelSettings()) == label


def test_limits_are_settings_of_the_sort(tetrode_result):
    assert (table_of(tetrode_result, min_snr_of_good=1000.0)["label"] == "mua").all()
    strict = {**tetrode_result.provenance, "parameters": {"min_snr_of_good": 1000.0}}
    assert (dataclasses.replace(tetrode_result, provenance=strict).label_settings.min_snr_of_good) == 1000.0
    # A result of a version whose limits were not settings.
    former = dataclasses.replace(tetrode_result, provenance={**tetrode_result.provenance, "parameters": {}})
    assert former.label_settings == LabelSettings()


def test_spikes_within_the_refractory_period_are_contamination(tetrode_result):
    clean = table_of(tetrode_result)
    events = tetrode_result.events.copy()
    of_first = events[events["unit"] == 0]
    # As many foreign spikes again, 1.5 ms after each.
    foreign = of_first.assign(sample=of_first["sample"] + 45)
    doubled = dataclasses.replace(tetrode_result, events=pd.concat([events, foreign]).sort_values("sample"))
    contaminated = table_of(doubled)
    assert clean["contamination"][0] == 0
    assert contaminated["contamination"][0] > 0.5
    assert contaminated["label"][0] == "mua"


def test_intervals_do_not_cross_segments():
    events = pd.DataFrame({"segment": [0, 0, 1, 1], "sample": [0, 30, 15, 75]})
    assert unit_intervals_ms(events, 30000).tolist() == [1.0, 2.0]


def test_template_peak_keeps_its_sign():
    template = np.zeros((10, 3))
    template[4, 1], template[5, 2] = -7, 6
    assert template_peak(template) == (1, -7.0)
