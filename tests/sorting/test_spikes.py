import numpy as np
import pytest
from spikeinterface.core.base import base_peak_dtype

from huidurep_hf.sorting.spikes import Spikes, in_order, rows_of_units


@pytest.fixture
def table():
    return Spikes(
        segment_index=np.array([1, 0, 0, 0]),
        sample_index=np.array([5, 9, 9, 2]),
        channel_index=np.array([0, 2, 1, 3]),
        place=np.arange(8.0).reshape(4, 2),
    )


def test_columns_and_rows(table):
    assert len(table) == 4
    assert table.names == ["segment_index", "sample_index", "channel_index", "place"]
    assert table["sample_index"].tolist() == [5, 9, 9, 2]
    for rows in ([1, 3], np.array([False, True, False, True]), slice(1, None, 2)):
        assert table[rows]["sample_index"].tolist() == [9, 2]
        assert table[rows]["place"].shape == (2, 2)
    assert len(table[:0]) == len(Spikes()) == 0
    with pytest.raises(KeyError):
        table["unit_index"]


def test_a_table_is_never_changed(table):
    more = table.with_columns(unit_index=np.zeros(4, dtype="int64"), sample_index=np.ones(4, dtype="int64"))
    assert more.names == [*table.names, "unit_index"]
    assert more["sample_index"].tolist() == [1] * 4
    assert table["sample_index"].tolist() == [5, 9, 9, 2] and "unit_index" not in table.names


def test_columns_of_different_lengths_are_refused(table):
    with pytest.raises(ValueError, match="different lengths.*'unit_index': 3"):
        table.with_columns(unit_index=np.zeros(3))


def test_order_is_by_segment_sample_unit_and_channel(table):
    assert table.in_order()["channel_index"].tolist() == [3, 1, 2, 0]
    by_unit = table.with_columns(unit_index=np.array([0, 1, 2, 0])).in_order()
    assert by_unit["channel_index"].tolist() == [3, 2, 1, 0]
    np.testing.assert_array_equal(by_unit["place"], table["place"][[3, 1, 2, 0]])


def test_tables_one_after_the_other(table):
    both = Spikes.concatenate(iter([table, table[:0], table[2:]]))
    assert both["sample_index"].tolist() == [5, 9, 9, 2, 9, 2]
    assert both["place"].shape == (6, 2)


def test_peaks_and_back():
    peaks = np.zeros(3, dtype=base_peak_dtype)
    peaks["sample_index"], peaks["channel_index"], peaks["segment_index"] = [3, 1, 2], [7, 8, 9], [0, 0, 1]
    peaks["amplitude"] = [-1.5, -2.5, 3.5]
    table = Spikes.from_peaks(peaks)
    assert table.names == ["segment_index", "sample_index", "channel_index", "amplitude"]
    assert [table[name].dtype for name in table.names] == ["int32", "int64", "int32", "float32"]
    assert table.to_peaks().tolist() == peaks.tolist() and table.to_peaks().dtype == peaks.dtype


def test_a_table_in_order_stays_what_it_is(table):
    ordered = table.in_order()
    assert ordered is not table
    assert all(ordered.in_order()[name] is ordered[name] for name in ordered.names)
    # Rows that differ in nothing that orders them stay as they are.
    tied = ordered.with_columns(sample_index=np.full(4, 7), channel_index=np.zeros(4, dtype="int64"))
    assert all(tied.in_order()[name] is tied[name] for name in tied.names)
    assert Spikes(segment_index=np.zeros(0), sample_index=np.zeros(0)).in_order()["sample_index"].size == 0


def test_columns_are_ordered_one_by_one(table):
    columns = table.columns
    assert in_order(columns)["channel_index"].tolist() == [3, 1, 2, 0]
    assert columns == {}


def test_a_table_on_disk_is_the_same(table, tmp_path):
    stored = table.on_disk(tmp_path / "peaks")
    assert stored.names == table.names
    for name in table.names:
        np.testing.assert_array_equal(stored[name], table[name])
        assert stored[name].dtype == table[name].dtype
        assert isinstance(stored[name].base, np.memmap)
    # What is written stays in memory, and others of the folder are replaced.
    stored["sample_index"][0] = 77
    np.testing.assert_array_equal(np.load(tmp_path / "peaks" / "sample_index.npy"), table["sample_index"])
    assert len(table[:0].on_disk(tmp_path / "peaks")) == 0


def test_rows_of_units():
    units = np.array([2, -1, 0, 2, 0, -1], dtype="int32")
    assert [rows.tolist() for rows in rows_of_units(units, 4)] == [[2, 4], [], [0, 3], []]
    assert [rows.tolist() for rows in rows_of_units(np.zeros(0, dtype="int64"), 2)] == [[], []]
    assert rows_of_units(np.full(3, -1), 0) == []
