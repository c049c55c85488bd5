import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict, Features, List, Value, concatenate_datasets, load_dataset
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset

from huidurep_hf.model.spike_rows_huidurep import DATASET_COLUMNS, SPIKE_ARGUMENTS, read_spikes
from huidurep_hf.spike_dataset.geometry import SpikeGeometry, spike_features

TETRODE = np.array([[0, 0], [25, 0], [0, 25], [25, 25]], dtype="float32")
STATED = {"sampling_rate": 30000, "channel_positions": TETRODE, "peak_sample": 24}


@pytest.fixture(scope="module")
def embed(tiny_checkpoint):
    return pipeline("spike-embedding", model=str(tiny_checkpoint))


@pytest.fixture(scope="module")
def waveforms():
    return np.random.default_rng(0).normal(0, 3, size=(7, 72, 4)).astype("float32")


@pytest.fixture(scope="module")
def expected(embed, waveforms):
    """What extractor and model say by themselves."""
    features = embed.feature_extractor(waveforms, **STATED)
    with torch.no_grad():
        return embed.model(**features).embeddings.numpy()


def close(given, expected):
    return np.allclose(np.asarray(given), expected, atol=1e-5)


def test_one_spike_many_and_lists(embed, waveforms, expected):
    assert embed(waveforms[0], **STATED).shape == (32,)
    for batch_size in (None, 3, 7, 100):
        many = embed(waveforms, batch_size=batch_size, **STATED)
        assert many.dtype == np.float32 and close(many, expected)
    assert close(embed(list(waveforms), **STATED), expected)
    assert close(embed(list(waveforms), batch_size=3, **STATED), expected)
    assert close(embed(torch.from_numpy(waveforms), **STATED), expected)
    assert [part.shape for part in embed([waveforms[:2], waveforms[2:]], **STATED)] == [(2, 32), (5, 32)]
    assert embed([], **STATED) == [] and embed(waveforms[:0], **STATED).shape == (0, 32)


def test_rows_of_different_numbers_of_channels_share_a_batch(embed, waveforms):
    rows = [
        {"waveform": waveforms[i][:, :n], "channel_positions": TETRODE[:n], "peak_sample": 24}
        for i, n in enumerate([4, 2, 3, 1])
    ]
    alone = [embed(row, sampling_rate=30000) for row in rows]
    assert close(embed(rows, batch_size=4, sampling_rate=30000), alone)


def test_a_key_dataset_of_flat_waveforms(embed, waveforms, expected):
    table = Dataset.from_dict({"waveform": list(waveforms.reshape(7, -1))})
    found = list(embed(KeyDataset(table, "waveform"), batch_size=4, num_channels=4, **STATED))
    assert close(found, expected)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, waveforms):
    """A published spike dataset in noise units, in two splits."""
    folder = tmp_path_factory.mktemp("published")
    features = Features({"waveform": List(Value("float32"), length=288), "channel_positions": List(Value("float32"))})
    columns = {"waveform": list(waveforms.reshape(7, -1)), "channel_positions": [TETRODE.ravel()] * 7}
    said = {"sampling_rate": 30000.0, "peak_sample": 24, "unit": "noise_sd"}
    table = Dataset.from_dict(columns, features=features)
    for name, value in said.items():
        table = table.add_column(name, [value] * 7)
    (folder / "data").mkdir()
    for split, rows in (("train", range(7)), ("test", range(2))):
        table.select(rows).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def test_a_spike_dataset_says_its_geometry_itself(embed, folder, expected):
    table = load_dataset(str(folder), split="train")
    for form in (table, table.with_format("numpy"), table.with_format("torch")):
        assert close(list(embed(form, batch_size=4)), expected)
    assert close(list(embed(KeyDataset(table, "waveform"), batch_size=4)), expected)


@pytest.mark.parametrize("form", ["pandas", "arrow"])
def test_formats_of_tables_are_read_as_rows(embed, folder, expected, form):
    table = load_dataset(str(folder), split="train")
    for spikes in (table, table.to_iterable_dataset()):
        assert close(list(embed(spikes.with_format(form), batch_size=4)), expected)
    assert close(list(embed(KeyDataset(table.with_format(form), "waveform"))), expected)


def test_no_rows_give_no_embeddings(embed, folder):
    table = load_dataset(str(folder), split="train")
    for rows in (table[:0], table.with_format("torch")[:0]):
        found = embed(rows)
        assert found.shape == (0, 32) and found.dtype == np.float32
        assert embed.feature_extractor(rows)["waveforms"].shape == (0, 72, embed.feature_extractor.num_channels)


def test_a_stream_is_read_as_it_goes(embed, folder, expected):
    stream = load_dataset(str(folder), split="train", streaming=True)
    found = embed(stream, batch_size=2)
    assert close(next(iter(found)), expected[0])
    assert close(list(embed(stream, batch_size=2)), expected)
    assert close(list(embed(load_dataset(str(folder), split="test", streaming=True))), expected[:2])


def test_rows_and_columns_of_any_mapping(embed, folder, expected):
    from types import MappingProxyType

    table = load_dataset(str(folder), split="train")
    assert close(embed(MappingProxyType(table[0])), expected[0])
    assert close(embed(table[:7]), expected) and close(embed(table.with_format("torch")[:7]), expected)
    in_map = table.map(lambda row: {"embedding": embed(row)})
    assert close(in_map["embedding"][:], expected)
    of_columns = table.map(lambda rows: {"embedding": embed(rows)}, batched=True, batch_size=3)
    assert close(of_columns["embedding"][:], expected)


def test_splits_give_splits(embed, folder, expected):
    found = embed(load_dataset(str(folder)), batch_size=3)
    assert set(found) == {"train", "test"}
    assert close(list(found["train"]), expected) and close(list(found["test"]), expected[:2])


def test_a_dataset_that_states_no_unit_is_refused(embed, folder, expected):
    table = load_dataset(str(folder), split="train").remove_columns("unit")
    for spikes in (table, table.to_iterable_dataset(), DatasetDict({"train": table})):
        with pytest.raises(ValueError, match="does not say the unit"):
            embed(spikes)
    assert close(list(embed(table, unit="noise_sd")), expected)
    assert close(list(embed(table, noise_levels=1.0)), expected)
    with pytest.raises(ValueError, match="does not say the unit"):
        table.map(lambda row: {"embedding": embed(row)})
    with pytest.raises(ValueError, match="does not say the unit"):
        list(embed(table.to_iterable_dataset().map(lambda row: row)))
    with pytest.raises(ValueError, match="unit is 'mV'; it must be one of uV, noise_sd"):
        embed({**table[0], "unit": "mV"})


def test_rows_are_known_as_those_of_a_spike_dataset(embed, folder, waveforms, expected):
    """Where the dataset itself is out of sight, its other columns tell."""
    silent = load_dataset(str(folder), split="train").remove_columns("unit").add_column("unit_id", list(range(7)))
    forms = (
        KeyDataset(silent, "waveform"),
        silent[0],
        silent[:3],
        list(silent),
        (row for row in silent),
        torch.utils.data.Subset(silent, [0, 2]),
    )
    for spikes in forms:
        with pytest.raises(ValueError, match="does not say the unit"):
            list(embed(spikes))
    with pytest.raises(ValueError, match="does not say the unit"):
        embed.feature_extractor(silent[:3])
    assert close(embed(silent[:], unit="noise_sd"), expected)
    assert close(embed.feature_extractor({**silent[:3], "unit": "noise_sd"})["waveforms"], waveforms[:3])
    # A mapping of one's own is taken at its word.
    assert close(embed({"waveform": waveforms, **STATED}), expected)


def test_a_misspelt_name_in_a_row_is_refused(embed, waveforms, expected):
    names = {
        "channel_position": "channel_positions",
        "noise_level": "noise_levels",
        "sampling_rate_hz": "sampling_rate",
    }
    for wrong, right in names.items():
        with pytest.raises(ValueError, match=f"'{wrong}'; did you mean '{right}'"):
            embed({"waveform": waveforms, wrong: 1.0})
    # Columns that spike datasets have, and others of one's own.
    row = dict.fromkeys(spike_features(SpikeGeometry(unit="noise_sd")))
    row |= {"waveform": waveforms[0], **STATED, "unit": "noise_sd", "embedding": 0, "waveform_id": 3, "units": "noise"}
    assert close(embed(row), expected[0])


def test_rows_of_two_units_are_divided_by_the_noise_where_they_are_clean(embed, folder, expected):
    table = load_dataset(str(folder), split="train")
    clean = table.map(lambda row: {"waveform": 10 * np.array(row["waveform"]), "unit": "uV"})
    both = concatenate_datasets([table, clean])
    twice = np.concatenate([expected, expected])
    assert close(list(embed(both, noise_levels=10.0)), twice) and close(embed(both[:], noise_levels=10.0), twice)
    with pytest.raises(ValueError, match="give noise_levels"):
        embed(both[:])


def test_rows_of_several_numbers_of_channels_and_rates(embed, folder, expected, waveforms):
    row = load_dataset(str(folder), split="train")[0]
    fewer = {**row, "waveform": waveforms[1][:, :3].ravel(), "channel_positions": TETRODE[:3].ravel()}
    columns = {name: [row[name], fewer[name]] for name in row}
    assert close(embed(columns), [expected[0], embed(fewer)])
    with pytest.raises(ValueError, match="several values of sampling_rate: 24000.0, 30000.0"):
        embed({**columns, "sampling_rate": [24000.0, 30000.0]})


def test_what_a_batch_of_tensors_shares():
    columns = {"waveform": torch.zeros(3, 72, 4), "sampling_rate": torch.tensor([30000.0] * 3)}
    assert read_spikes(columns).stated["sampling_rate"] == 30000
    with pytest.raises(ValueError, match="several values of sampling_rate: 24000.0, 30000.0"):
        read_spikes({**columns, "sampling_rate": torch.tensor([24000.0, 30000.0, 30000.0])})


def test_the_columns_of_a_spike_dataset_are_known():
    columns = set(spike_features(SpikeGeometry(unit="noise_sd")))
    assert columns == {"waveform", *DATASET_COLUMNS, *SPIKE_ARGUMENTS} - {"noise_levels", "num_channels"}


def test_mistakes_are_named(embed, waveforms):
    with pytest.raises(ValueError, match="give sampling_rate"):
        embed(waveforms)
    with pytest.raises(ValueError, match="noise_levels"):
        embed(waveforms, unit="uV", **STATED)
    with pytest.raises(ValueError, match="num_channels"):
        embed(waveforms[0].ravel(), **STATED)
    with pytest.raises(ValueError, match="needs 'waveform'"):
        embed([{"traces": waveforms}], **STATED)
    with pytest.raises(TypeError, match="sampling_hz"):
        embed(waveforms, sampling_hz=30000)
    with pytest.raises(ValueError, match="single spikes, or one array"):
        embed([waveforms[:2], waveforms[2:]], batch_size=2, **STATED)


def test_noise_levels_and_precision(tiny_checkpoint, embed, waveforms, expected):
    assert close(embed(10 * waveforms, noise_levels=10.0, unit="uV", **STATED), expected)
    half = pipeline("spike-embedding", model=str(tiny_checkpoint), dtype=torch.bfloat16, device="cpu")
    found = half(waveforms, **STATED)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_saved_pipelines_come_back_without_trust(embed, waveforms, expected, tmp_path):
    embed.save_pretrained(tmp_path)
    assert close(pipeline("spike-embedding", model=str(tmp_path))(waveforms, **STATED), expected)
