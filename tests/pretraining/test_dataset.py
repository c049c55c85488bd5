import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from datasets import concatenate_datasets

from huidurep_hf.pretraining.dataset import ProbeBatches, SpikePairs, describe_data, load_spikes
from huidurep_hf.spike_dataset.writing import write_spikes

from ..light_dataset import build_dataset


@pytest.fixture(scope="module")
def pairs(spike_dataset):
    return SpikePairs(*load_spikes(spike_dataset))


def test_rows_come_back_as_written(spike_dataset, pairs):
    spikes, geometry = load_spikes(spike_dataset)
    assert (geometry.num_samples, geometry.num_channels, geometry.peak_sample) == (121, 8, 42)
    batch = pairs.rows(np.array([0, 5]))
    assert batch.waveforms.shape == (2, 121, 8)
    np.testing.assert_array_equal(batch.waveforms[1].numpy().ravel(), np.float32(spikes[5]["waveform"]))
    np.testing.assert_array_equal(batch.positions[1].numpy().ravel(), np.float32(spikes[5]["channel_positions"]))
    assert batch.mask[0].tolist() == [True] * 4 + [False] * 4


def test_both_spikes_of_a_pair_are_of_the_unit(pairs):
    units = np.arange(10)
    random = np.random.default_rng(0)
    first, second, unit_ids = pairs.read(units, random)
    assert unit_ids.tolist() == pairs.unit_ids[units].tolist()
    for index, unit in enumerate(units):
        rows = pairs.rows(np.arange(pairs.first_row[unit], pairs.first_row[unit] + pairs.num_rows[unit])).waveforms
        for spike in (first, second):
            assert any(np.array_equal(spike.waveforms[index], row) for row in rows)
    assert not np.array_equal(first.waveforms, second.waveforms)


def test_pairs_lie_no_farther_apart_than_asked(pairs):
    units = np.arange(len(pairs))
    for limit, expected in ((0.0, True), (20.0, False)):
        first, second, _ = pairs.read(units, np.random.default_rng(1), max_displacement_um=limit)
        assert torch.equal(first.waveforms, second.waveforms) == expected


def test_several_pairs_of_a_unit_are_of_its_rows_and_near_its_first(pairs):
    units = np.arange(6)
    first, second, unit_ids = pairs.read(units, np.random.default_rng(1), 20.0, pairs_per_unit=5)
    assert unit_ids.tolist() == 5 * pairs.unit_ids[units].tolist()
    both = torch.cat([first.waveforms, second.waveforms]).numpy().reshape(10, 6, -1)
    differ = 0
    for index, unit in enumerate(units):
        rows = np.arange(pairs.first_row[unit], pairs.first_row[unit] + pairs.num_rows[unit])
        waveforms = pairs.rows(rows).waveforms.numpy().reshape(len(rows), -1)
        chosen = [np.flatnonzero((waveforms == one).all(axis=1))[0] for one in both[:, index]]
        displacement = pairs.displacements_um[rows[chosen]]
        assert np.abs(displacement - displacement[0]).max() <= 20.0
        differ += len(set(chosen)) > 1
    assert differ > 0


@pytest.mark.slow
def test_recorded_spikes_of_a_pair_are_partners_where_they_are_on_the_same_channels(labelled_spikes, tmp_path):
    pairs = SpikePairs(*load_spikes(write_spikes(labelled_spikes, tmp_path / "mine")))
    first, second, unit_ids = pairs.read(np.arange(len(pairs)), np.random.default_rng(0), pairs_per_unit=50)
    known = first.partners.isfinite().all(dim=2).all(dim=1)
    assert torch.equal(known, second.partners.isfinite().all(dim=2).all(dim=1))
    assert torch.equal(first.partners[known], second.waveforms[known])
    assert torch.equal(second.partners[known], first.waveforms[known])
    assert torch.equal(first.positions[known], second.positions[known])
    assert 0.2 < known.float().mean() < 1.0 and first.partners[~known].isnan().all()
    # No spike is its own partner: there its noise would be learned.
    assert (first.waveforms[known] != second.waveforms[known]).flatten(1).any(dim=1).all()
    doubled = labelled_spikes.select(np.repeat(np.arange(len(labelled_spikes)), 2))
    pairs = SpikePairs(doubled, load_spikes(tmp_path / "mine")[1])
    one, other, _ = pairs.read(np.arange(len(pairs)), np.random.default_rng(0), pairs_per_unit=300)
    same = (one.waveforms == other.waveforms).flatten(1).all(dim=1)
    assert same.any() and one.partners[same].isnan().all()
    moved = first.to("cpu")
    assert torch.equal(moved.partners[known], first.partners[known])


def test_where_nobody_knows_the_channels_there_are_no_partners(labelled_spikes, spike_dataset, tmp_path):
    mine, older = (write_spikes(labelled_spikes, tmp_path / name) for name in ("mine", "older"))
    for shard in (older / "data").iterdir():
        rows = pq.read_table(shard).drop_columns(["peak_position"])
        pq.write_table(rows.replace_schema_metadata(None), shard)
    described = json.loads((older / "dataset_infos.json").read_text())
    del described["default"]["features"]["peak_position"]
    described["default"]["download_checksums"] = None
    (older / "dataset_infos.json").write_text(json.dumps(described))
    for source, expected in ((older, False), (spike_dataset, False), ([mine, older], True)):
        pairs = SpikePairs(*load_spikes(source))
        first, _, _ = pairs.read(np.arange(len(pairs)), np.random.default_rng(0), pairs_per_unit=20)
        assert (first.partners is not None) == expected
        if expected:
            assert first.partners.reshape(20, len(pairs), -1)[:, len(pairs) // 2 :].isnan().all()
    # Such a dataset can be written again, and be joined by hand with one that knows.
    again = write_spikes(load_spikes(older)[0], tmp_path / "again")
    joined = concatenate_datasets([load_spikes(again)[0].remove_columns("peak_position"), labelled_spikes])
    units = np.repeat(np.arange(8, dtype="int32"), np.bincount(labelled_spikes["unit_id"]).tolist() * 2)
    joined = joined.remove_columns("unit_id").add_column("unit_id", units)
    pairs = SpikePairs(joined, load_spikes(mine)[1])
    assert np.isnan(pairs.peak_positions[: len(labelled_spikes)]).all()
    known = np.asarray(labelled_spikes["peak_position"], dtype="float32")
    np.testing.assert_array_equal(pairs.peak_positions[len(labelled_spikes) :], known)


def test_most_batches_hold_one_probe_and_no_unit_comes_twice_in_an_epoch():
    probes = np.array(["a"] * 40 + ["b"] * 23 + ["c"] * 9)
    batches = ProbeBatches(probes, batch_size=4, seed=0)
    assert batches.batches_per_epoch == 18
    seen = [batches.units(index) for index in range(18)]
    mixed = sum(len(set(probes[units])) > 1 for units in seen)
    # Where one probe ends and the next begins, and where the row is cut: at most one batch each.
    assert mixed <= 3
    together = np.concatenate(seen)
    assert len(set(together.tolist())) == len(together) == 72


def test_batches_follow_from_the_seed_and_can_be_asked_for_in_any_order():
    probes = np.array(["a"] * 20)
    in_order = [ProbeBatches(probes, 5, seed=3).units(index).tolist() for index in range(12)]
    again = ProbeBatches(probes, 5, seed=3)
    assert [again.units(index).tolist() for index in reversed(range(12))] == in_order[::-1]
    assert in_order[:4] != in_order[4:8]
    assert ProbeBatches(probes, 5, seed=4).units(0).tolist() != in_order[0]


def test_missing_dataset_names_the_remedy(tmp_path):
    with pytest.raises(ValueError, match="build_dataset.py"):
        load_spikes(tmp_path / "nothing")


def test_licences_of_all_datasets_are_known_together_also_one_that_states_none(spike_dataset, tmp_path):
    other = build_dataset(tmp_path / "other", num_units_per_probe=5, seed=1)
    infos = json.loads((other / "dataset_infos.json").read_text())
    for stated, expected in (("cc-by-4.0", ["apache-2.0", "cc-by-4.0"]), ("", ["apache-2.0", "unknown"])):
        infos["default"]["license"] = stated
        (other / "dataset_infos.json").write_text(json.dumps(infos))
        assert describe_data(load_spikes([spike_dataset, other])[0])["licenses"] == expected
    assert describe_data(load_spikes(other)[0])["licenses"] == ["unknown"]
