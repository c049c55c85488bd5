"""A published spike dataset as users of `datasets` meet it: splits, streaming, formats, and a card that drives them."""

import numpy as np
import pytest
import torch
from datasets import get_dataset_split_names, load_dataset, load_dataset_builder
from huggingface_hub import DatasetCard

from huidurep_hf.spike_dataset.geometry import read_geometry
from huidurep_hf.spike_dataset.recorded_card import RecordedCard
from huidurep_hf.spike_dataset.writing import write_spikes


@pytest.fixture(scope="module")
def folder(tmp_path_factory, light_spikes):
    card = RecordedCard(title="Five: spikes", license="cc-by-4.0", source="Made for a test.")
    return write_spikes(light_spikes, tmp_path_factory.mktemp("published") / "spikes", card)


def test_splits_and_description_come_with_it(folder, light_spikes):
    assert get_dataset_split_names(str(folder)) == ["train"]
    assert load_dataset_builder(str(folder)).info.license == "cc-by-4.0"
    spikes = load_dataset(str(folder), split="train")
    assert read_geometry(spikes) == read_geometry(light_spikes)
    assert spikes.features == light_spikes.features


def test_as_tensors_and_as_a_stream(folder, light_spikes):
    spikes = load_dataset(str(folder), split="train").with_format("torch")
    batch = next(iter(torch.utils.data.DataLoader(spikes.select_columns(["waveform", "unit_id"]), batch_size=3)))
    assert batch["waveform"].shape == (3, 288) and batch["unit_id"].tolist() == light_spikes["unit_id"][:3]
    stream = load_dataset(str(folder), split="train", streaming=True).with_format("torch")
    rows = list(stream)
    assert [int(row["unit_id"]) for row in rows] == light_spikes["unit_id"][:]
    expected = np.asarray(light_spikes[4]["waveform"], dtype="float32")
    np.testing.assert_allclose(rows[4]["waveform"].float().numpy(), expected)


def test_the_card_says_where_the_data_lie_and_under_which_licence(folder):
    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.pretty_name == "Five: spikes"
    (config,) = card.data.configs
    assert config["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
    assert list(folder.glob("data/train-*.parquet")) and card.data.size_categories == ["n<1K"]
    assert "More Information Needed" not in card.content
