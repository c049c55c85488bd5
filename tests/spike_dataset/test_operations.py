"""Whatever users of `datasets` do with a spike dataset, it says what it is; what is none is refused in a sentence."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import (
    Dataset,
    DatasetDict,
    concatenate_datasets,
    interleave_datasets,
    load_dataset,
)

from huidurep_hf import HuiduRepFeatureExtractor, HuiduRepModel
from huidurep_hf.cli.main import main
from huidurep_hf.embedding.dataset_column import embed_dataset
from huidurep_hf.pretraining.dataset import load_spikes
from huidurep_hf.spike_dataset.geometry import SpikeGeometry, read_geometry
from huidurep_hf.spike_dataset.loading import open_spikes

GEOMETRY = SpikeGeometry(121, 8, 30000.0, 42, unit="uV", labelled=True)


@pytest.fixture(scope="module")
def spikes(spike_dataset):
    return open_spikes(spike_dataset).select(range(20))


@pytest.fixture(scope="module")
def encoder(tiny_checkpoint):
    return HuiduRepModel.from_pretrained(tiny_checkpoint), HuiduRepFeatureExtractor.from_pretrained(tiny_checkpoint)


def to_parquet(spikes, folder):
    spikes.to_parquet(str(folder / "spikes.parquet"))
    return open_spikes(folder / "spikes.parquet")


def to_disk(spikes, folder):
    spikes.save_to_disk(str(folder / "saved"))
    return Dataset.load_from_disk(str(folder / "saved"))


OPERATIONS = {
    "to_parquet": to_parquet,
    "save_to_disk": to_disk,
    "pandas and back": lambda spikes, _: Dataset.from_pandas(spikes.to_pandas()),
    "dict and back": lambda spikes, _: Dataset.from_dict(spikes.to_dict()),
    "rows and back": lambda spikes, _: Dataset.from_list(spikes.to_list()),
    "map": lambda spikes, _: spikes.map(lambda row: {"unit_id": row["unit_id"] + 1}),
    "filter": lambda spikes, _: spikes.filter(lambda row: row["unit_id"] > 1),
    "shuffle": lambda spikes, _: spikes.shuffle(seed=0),
    "train_test_split": lambda spikes, _: spikes.train_test_split(test_size=0.5, seed=0)["test"],
    "concatenate_datasets": lambda spikes, _: concatenate_datasets([spikes, spikes]),
    "interleave_datasets": lambda spikes, _: interleave_datasets([spikes, spikes]),
    "to_iterable_dataset": lambda spikes, _: spikes.to_iterable_dataset(),
    "a mapped stream": lambda spikes, _: spikes.to_iterable_dataset().map(lambda row: row),
    "a stream of Parquet": lambda spikes, folder: to_parquet(spikes, folder).to_iterable_dataset(num_shards=2),
    "interleaved streams": lambda spikes, _: interleave_datasets(2 * [spikes.to_iterable_dataset()]),
    "numpy": lambda spikes, _: spikes.with_format("numpy"),
    "torch": lambda spikes, _: spikes.with_format("torch"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_says_what_it_is(spikes, encoder, tmp_path, operation):
    changed = OPERATIONS[operation](spikes, tmp_path)
    assert read_geometry(changed) == GEOMETRY
    row = next(iter(embed_dataset(changed, *encoder, noise_level_uv=10.0, batch_size=5)))
    same = [index for index, other in enumerate(spikes["waveform"]) if np.array_equal(other, row["waveform"])]
    expected = embed_dataset(spikes.select(same[:1]), *encoder, noise_level_uv=10.0)[0]
    np.testing.assert_allclose(np.array(row["embedding"]), expected["embedding"], atol=1e-4)


def test_two_units_in_one_dataset(spikes, labelled_spikes, encoder, tmp_path):
    recorded = spikes.map(lambda row: {"waveform": np.array(row["waveform"]) / 10, "unit": "noise_sd"})
    both = concatenate_datasets([spikes, recorded.cast(spikes.features)])
    assert read_geometry(both).unit == "noise_sd or uV"
    with pytest.raises(ValueError, match="--noise-level"):
        embed_dataset(both, *encoder)
    found = embed_dataset(both, *encoder, noise_level_uv=10.0, batch_size=7).with_format("numpy")["embedding"][:]
    np.testing.assert_allclose(found[:20], found[20:], atol=0.05 * np.abs(found).max())
    both.to_parquet(str(tmp_path / "both.parquet"))
    assert load_spikes(tmp_path / "both.parquet")[1].unit == "noise_sd or uV"


def test_spikes_of_which_nothing_is_known_have_no_embedding(spikes, encoder):
    def spoil(row, index):
        if index == 0:
            return {"waveform": [np.nan] * len(row["waveform"])}
        if index == 1:
            return {"channel_positions": [np.nan] * 16}
        return {"channel_mask": [False] * 8} if index == 2 else {}

    spoilt = spikes.map(spoil, with_indices=True, features=spikes.features)
    found = embed_dataset(spoilt, *encoder, noise_level_uv=10.0).with_format("numpy")["embedding"][:]
    assert np.isnan(found[:3]).all() and np.isfinite(found[3:]).all()


def change(function):
    """Write the rows of a dataset, changed, in a Parquet file of a folder."""

    def apply(spikes, folder):
        (folder / "data").mkdir()
        pq.write_table(function(spikes.with_format("arrow")[:]), folder / "data" / "train-00000-of-00001.parquet")
        return folder

    return apply


def write(content):
    def apply(spikes, folder):
        path = folder / "spikes.parquet"
        spikes.to_parquet(str(path))
        path.write_bytes(content(path.read_bytes()))
        return path

    return apply


def two_shards(spikes, folder):
    (folder / "data").mkdir()
    spikes.to_parquet(str(folder / "data" / "train-00000-of-00002.parquet"))
    more = spikes.add_column("more", list(range(len(spikes))))
    more.to_parquet(str(folder / "data" / "train-00001-of-00002.parquet"))
    return folder


def shorten(table, name):
    lists = table[name].to_pylist()
    lists[3] = lists[3][:-1]
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.array(lists)).replace_schema_metadata()


def replace(table, name, values):
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values)).replace_schema_metadata()


BROKEN = {
    "not Parquet": (write(lambda _: b"no Parquet at all"), "can be read from"),
    "truncated": (write(lambda content: content[: len(content) // 2]), "can be read from"),
    "empty file": (write(lambda _: b""), "can be read from"),
    "empty folder": (lambda spikes, folder: folder, "can be read from"),
    "no rows": (change(lambda table: table[:0]), "no rows|can be read from"),
    "a column is missing": (change(lambda table: table.drop_columns(["channel_mask"])), "no column channel_mask"),
    "the unit is missing": (change(lambda table: table.drop_columns(["unit"])), "no column unit"),
    "the unit is unknown": (change(lambda table: replace(table, "unit", ["mV"] * 20)), "unit is 'mV'"),
    "the unit is not in all rows": (
        change(lambda table: replace(table, "unit", ["uV"] * 19 + [None])),
        "do not say their unit",
    ),
    "several rates": (
        change(lambda table: replace(table, "sampling_rate", [30000.0] * 19 + [24000.0])),
        r"several sampling_rate \(30000.0, 24000.0\)",
    ),
    "a waveform is too short": (change(lambda table: shorten(table, "waveform")), "several lengths of waveform"),
    "a mask is too short": (change(lambda table: shorten(table, "channel_mask")), "several lengths of channel_mask"),
    "positions of other channels": (
        change(lambda table: replace(table, "channel_positions", [[0.0] * 4] * 20)),
        "4 of channel_positions on 8 channels",
    ),
    "numbers for lists": (change(lambda table: replace(table, "waveform", [1.0] * 20)), "lengths of waveform"),
    "a shard has another column": (two_shards, "can be read from"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_spike_dataset_is_one_sentence(spikes, encoder, tmp_path, kind):
    make, message = BROKEN[kind]
    source = make(spikes, tmp_path)
    with pytest.raises(ValueError, match=message) as refused:
        load_spikes(source)
    assert len(str(refused.value)) < 700
    with pytest.raises(ValueError, match=message):
        embed_dataset(open_spikes(source), *encoder, noise_level_uv=10.0)


def test_a_column_more_stays(spikes, encoder, tmp_path):
    more = to_parquet(spikes.add_column("mine", list(range(20))), tmp_path)
    assert embed_dataset(more, *encoder, noise_level_uv=10.0)["mine"][:] == list(range(20))
    assert load_spikes(tmp_path / "spikes.parquet")[1] == GEOMETRY


def test_without_datasets(spike_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert main(["embed", str(spike_dataset), str(tmp_path / "a.parquet"), "--quiet"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("huidurep:")]
    assert "datasets, which is not installed: pip install 'huidurep-hf[pretraining]'" in line


def test_the_command_reads_a_parquet_file(spikes, tiny_checkpoint, tmp_path):
    to_parquet(spikes, tmp_path)
    arguments = ["--model", str(tiny_checkpoint), "--noise-level", "10", "--quiet"]
    assert main(["embed", str(tmp_path / "spikes.parquet"), str(tmp_path / "out.parquet"), *arguments]) == 0
    assert load_dataset("parquet", data_files=str(tmp_path / "out.parquet"), split="train").num_rows == 20


def test_the_command_reads_what_datasets_writes(spikes, tiny_checkpoint, tmp_path):
    spikes.save_to_disk(tmp_path / "saved")
    DatasetDict({"train": spikes, "test": spikes}).save_to_disk(tmp_path / "splits")
    (tmp_path / "pushed" / "data").mkdir(parents=True)
    spikes.to_parquet(tmp_path / "pushed" / "data" / "train-00000-of-00001.parquet")
    arguments = ["--model", str(tiny_checkpoint), "--noise-level", "10", "--quiet", "--overwrite"]
    for source in ("saved", "splits", "pushed"):
        assert main(["embed", str(tmp_path / source), str(tmp_path / "out.parquet"), *arguments]) == 0
        assert load_dataset("parquet", data_files=str(tmp_path / "out.parquet"), split="train").num_rows == 20
    with pytest.raises(ValueError, match="split 'absent'"):
        open_spikes(tmp_path / "splits", "absent")
