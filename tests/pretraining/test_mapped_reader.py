import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from datasets import Dataset, Features, List, Value, concatenate_datasets

from huidurep_hf.pretraining.dataset import SpikePairs, load_spikes
from huidurep_hf.pretraining.mapped_column import MappedColumn

from ..light_dataset import build_dataset


def test_rows_in_any_order_and_more_than_once():
    """257 rows in chunks of 10 and some that are empty: each row holds its own number, and that times ten."""
    features = Features({"pair": List(Value("float16"), length=2)})
    parts = [range(start, min(start + 10, 257)) for start in range(0, 257, 10)]
    parts.insert(3, range(0))
    column = MappedColumn(
        concatenate_datasets(
            [Dataset.from_dict({"pair": [[n, 10 * n] for n in part]}, features=features) for part in parts]
        ),
        "pair",
        (2, 1),
    )
    assert column.shape == (257, 2, 1) and len(column) == 257
    rows = np.array([256, 0, 100, 100, 10, 9])
    values = column[rows]
    assert values.dtype == np.float32 and values.shape == (6, 2, 1)
    np.testing.assert_array_equal(values[:, :, 0], np.stack([rows, 10 * rows], axis=1).astype(np.float16))
    assert column[np.array([], dtype=int)].shape == (0, 2, 1)


def test_rows_lie_in_the_file_and_not_in_memory(spike_dataset):
    before = pa.total_allocated_bytes()
    spikes, geometry = load_spikes(spike_dataset)
    pairs = SpikePairs(spikes, geometry)
    assert pa.total_allocated_bytes() - before < 0.05 * 2 * 121 * 8 * len(spikes)
    # A view of the file, not a copy.
    assert not pairs.waveforms.chunks[0].flags.owndata and not pairs.waveforms.chunks[0].flags.writeable


def test_a_device_that_holds_the_rows_gives_the_same(spike_dataset):
    """On the CPU in place of a GPU: the same code copies and reads."""
    spikes, geometry = load_spikes(spike_dataset)
    mapped, held = SpikePairs(spikes, geometry), SpikePairs(spikes, geometry)
    assert held.num_bytes == len(spikes) * (121 * 8 * 2 + 8 * 2 * 4)
    held.hold_on(torch.device("cpu"))
    assert held.waveforms.values.dtype == torch.float16
    units = np.arange(min(4, len(mapped)))
    for one, other in zip(*(pairs.read(units, np.random.default_rng(3))[:2] for pairs in (mapped, held))):
        assert torch.equal(one.waveforms, other.waveforms) and one.waveforms.dtype == torch.float32
        assert torch.equal(one.positions, other.positions) and torch.equal(one.mask, other.mask)


def test_selected_rows_are_read_as_selected(spike_dataset):
    spikes, geometry = load_spikes(spike_dataset)
    whole, part = SpikePairs(spikes, geometry), SpikePairs(spikes.select(range(10, 20)), geometry)
    np.testing.assert_array_equal(part.rows(np.arange(10)).waveforms, whole.rows(np.arange(10, 20)).waveforms)


def test_several_datasets_follow_each_other_with_ids_of_their_own(spike_dataset, tmp_path):
    other = build_dataset(tmp_path / "other", num_units_per_probe=5, seed=1)
    sources = [spike_dataset, other]
    first, second, both = (SpikePairs(*load_spikes(source)) for source in (spike_dataset, other, sources))
    assert len(both) == len(first) + len(second) and len(np.unique(both.unit_ids)) == len(both)
    assert both.probes.tolist() == first.probes.tolist() + second.probes.tolist()
    assert not both.is_recorded.any()
    row = both.first_row[len(first)]
    np.testing.assert_array_equal(both.rows(np.array([row])).waveforms, second.rows(np.array([0])).waveforms)
    np.testing.assert_array_equal(both.rows(np.array([row])).locations, second.rows(np.array([0])).locations)


def test_ids_stay_apart_wherever_they_began(spike_dataset, tmp_path):
    late = tmp_path / "late"
    shutil.copytree(spike_dataset, late)
    (path,) = (late / "data").iterdir()
    table = pq.read_table(path)
    ids = pc.add(table["unit_id"], pa.scalar(30, pa.int32()))
    pq.write_table(table.set_column(table.column_names.index("unit_id"), "unit_id", ids), path)
    pairs = SpikePairs(*load_spikes([late, spike_dataset]))
    assert pairs.unit_ids.tolist() == list(range(96))


def test_the_dataset_of_another_geometry_is_named(spike_dataset, tmp_path):
    other = tmp_path / "late"
    shutil.copytree(spike_dataset, other)
    (path,) = (other / "data").iterdir()
    table = pq.read_table(path)
    samples = pa.array([40] * len(table), pa.int32())
    pq.write_table(table.set_column(table.column_names.index("peak_sample"), "peak_sample", samples), path)
    with pytest.raises(ValueError, match="late' are 121 samples .* trough at sample 40; those of .* 42"):
        load_spikes([spike_dataset, other])
    with pytest.raises(ValueError, match="No spike dataset was named"):
        load_spikes([])
