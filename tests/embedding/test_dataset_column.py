import numpy as np
import pytest
from datasets import load_dataset
from transformers import pipeline

from huidurep_hf import HuiduRepFeatureExtractor, HuiduRepModel
from huidurep_hf.cli.main import main
from huidurep_hf.embedding.dataset_column import embed_dataset
from huidurep_hf.pretraining.dataset import load_spikes


@pytest.fixture(scope="module")
def encoder(tiny_checkpoint):
    return HuiduRepModel.from_pretrained(tiny_checkpoint), HuiduRepFeatureExtractor.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module")
def embedded(spike_dataset, encoder):
    spikes, _ = load_spikes(spike_dataset)
    return embed_dataset(spikes, *encoder, noise_level_uv=10.0, batch_size=7)


def test_a_column_that_the_pipeline_would_give(embedded, spike_dataset, tiny_checkpoint):
    assert embedded.features["embedding"].length == 32
    spikes = load_dataset(str(spike_dataset), split="train")
    embed = pipeline("spike-embedding", model=str(tiny_checkpoint))
    found = np.stack(list(embed(spikes, noise_levels=10.0, batch_size=16)))
    np.testing.assert_allclose(embedded.with_format("numpy")["embedding"][:], found, atol=1e-4)


def test_a_stream_stays_a_stream(embedded, spike_dataset, encoder):
    stream = load_dataset(str(spike_dataset), split="train", streaming=True)
    first = next(iter(embed_dataset(stream, *encoder, noise_level_uv=10.0, batch_size=4)))
    np.testing.assert_allclose(first["embedding"], embedded[0]["embedding"], atol=1e-4)


def test_mistakes_are_named(embedded, encoder):
    with pytest.raises(ValueError, match="--noise-level"):
        embed_dataset(embedded.remove_columns("embedding"), *encoder)
    with pytest.raises(ValueError, match="column 'embedding' already"):
        embed_dataset(embedded, *encoder, noise_level_uv=10.0)


def test_the_command_writes_parquet(embedded, spike_dataset, tiny_checkpoint, tmp_path, capsys):
    out = tmp_path / "spikes.parquet"
    arguments = ["embed", str(spike_dataset), str(out), "--model", str(tiny_checkpoint), "--quiet"]
    assert main(arguments) == 2 and "--noise-level" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert main([*arguments, "--noise-level", "10"]) == 0
    assert f"{len(embedded)} spikes embedded" in capsys.readouterr().out
    read = load_dataset("parquet", data_files=str(out), split="train").with_format("torch")
    np.testing.assert_allclose(read[:]["embedding"], embedded.with_format("numpy")["embedding"][:], atol=1e-4)
    assert read["unit_id"][:].tolist() == embedded["unit_id"][:]
    assert main([*arguments, "--noise-level", "10"]) == 2 and "--overwrite" in capsys.readouterr().err


def test_splits_stay_splits_and_a_unit_must_be_stated(embedded, spike_dataset, encoder):
    splits = load_dataset(str(spike_dataset))
    found = embed_dataset(splits, *encoder, noise_level_uv=10.0)
    assert set(found) == set(splits)
    np.testing.assert_allclose(found["train"][0]["embedding"], embedded[0]["embedding"], atol=1e-4)
    silent = splits["train"].remove_columns("unit")
    for spikes in (silent, silent.to_iterable_dataset()):
        with pytest.raises(ValueError, match="no column unit, so it is no spike dataset"):
            embed_dataset(spikes, *encoder, noise_level_uv=10.0)


@pytest.mark.parametrize("form", ["pandas", "arrow"])
def test_a_format_of_tables(embedded, spike_dataset, encoder, form):
    spikes = load_dataset(str(spike_dataset), split="train").with_format(form)
    found = embed_dataset(spikes, *encoder, noise_level_uv=10.0)
    np.testing.assert_allclose(found[0]["embedding"], embedded[0]["embedding"], atol=1e-4)


@pytest.mark.parametrize("noise", [0, -1.0, float("nan"), float("inf")])
def test_a_noise_level_that_is_none(embedded, encoder, noise):
    with pytest.raises(ValueError, match="above 0"):
        embed_dataset(embedded.remove_columns("embedding"), *encoder, noise_level_uv=noise)
