from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from spikeinterface.core import NumpyRecording, generate_ground_truth_recording

from huidurep_hf import HuiduRepFeatureExtractor, HuiduRepModel
from huidurep_hf.cli.main import main
from huidurep_hf.embedding.recording import embed_recording


@pytest.fixture(scope="module")
def ground_truth():
    """Two segments of loud spikes, and their times."""
    made, truth = generate_ground_truth_recording(
        durations=[3.0, 2.0],
        num_channels=4,
        num_units=3,
        sampling_frequency=20000.0,
        noise_kwargs={"noise_levels": 2.0},
        seed=4,
    )
    return made.save(format="memory", sharedmem=False, progress_bar=False), truth


@pytest.fixture(scope="module")
def recording(ground_truth):
    return ground_truth[0]


@pytest.fixture(scope="module")
def truth(ground_truth):
    return ground_truth[1]


@pytest.fixture(scope="module")
def encoder(tiny_checkpoint):
    return HuiduRepModel.from_pretrained(tiny_checkpoint), HuiduRepFeatureExtractor.from_pretrained(tiny_checkpoint)


def test_a_row_for_each_spike(recording, truth, encoder, tmp_path):
    path = tmp_path / "spikes.parquet"
    num_spikes = embed_recording(recording, path, *encoder, batch_size=13)
    table = pq.read_table(path)
    assert table.num_rows == num_spikes > 20 and set(table["segment_index"].to_pylist()) == {0, 1}
    segments, samples = (table[name].to_numpy() for name in ("segment_index", "sample_index"))
    for spike in truth.to_spike_vector():
        near = np.abs(samples[segments == spike["segment_index"]] - spike["sample_index"])
        assert near.min() <= 12, spike
    assert table["time_s"][0].as_py() == pytest.approx(table["sample_index"][0].as_py() / 20000)
    embeddings = np.stack(table["embedding"].to_numpy())
    assert embeddings.shape == (num_spikes, 32) and np.isfinite(embeddings).all()
    assert set(table["channel_id"].to_pylist()) <= {str(name) for name in recording.channel_ids}
    assert min(table["amplitude"].to_pylist()) > 0


def test_times_are_of_the_recordings_clock(recording, encoder, tmp_path):
    traces = [recording.get_traces(segment_index=segment) for segment in (0, 1)]
    shifted = NumpyRecording(traces, 20000.0, t_starts=[0.0, 500.0])
    shifted.set_probegroup(recording.get_probegroup())
    embed_recording(shifted, tmp_path / "spikes.parquet", *encoder)
    table = pq.read_table(tmp_path / "spikes.parquet").to_pandas()
    starts = table["segment_index"] * 500.0
    np.testing.assert_allclose(table["time_s"], starts + table["sample_index"] / 20000)
    assert set(table["segment_index"]) == {0, 1}


def test_batches_and_threads_change_nothing(recording, encoder, tmp_path):
    tables = []
    for batch_size, num_workers in ((5, 1), (512, 3)):
        path = tmp_path / f"{batch_size}.parquet"
        embed_recording(recording, path, *encoder, batch_size=batch_size, num_workers=num_workers)
        tables.append(np.stack(pq.read_table(path)["embedding"].to_numpy()))
    np.testing.assert_allclose(*tables, atol=1e-4)


def test_silence_gives_no_rows(encoder, tmp_path):
    silent = NumpyRecording([np.zeros((20000, 1), dtype="int16")], sampling_frequency=20000)
    assert embed_recording(silent, tmp_path / "silent.parquet", *encoder) == 0
    assert pq.read_table(tmp_path / "silent.parquet").column_names[-1] == "embedding"


@pytest.mark.slow
def test_the_command(recording, tiny_checkpoint, tmp_path, capsys):
    recording.save(folder=tmp_path / "session", progress_bar=False)
    out = tmp_path / "spikes.parquet"
    arguments = ["embed", str(tmp_path / "session"), str(out), "--model", str(tiny_checkpoint), "--quiet"]
    assert main([*arguments, "--detect-threshold", "6"]) == 0
    assert f"{pq.read_table(out).num_rows} spikes embedded in" in capsys.readouterr().out
    assert main(["embed", str(tmp_path / "nothing.raw"), str(tmp_path / "x.parquet"), "--quiet"]) == 2
    assert main([*arguments[:2], str(tmp_path / "absent" / "x.parquet"), *arguments[3:]]) == 2
    assert "no folder" in capsys.readouterr().err


def test_a_missing_file_is_not_looked_for_on_the_hub(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("sessions").mkdir()
    assert main(["embed", "sessions/missing.nwb", "x.parquet", "--quiet"]) == 2
    assert "sessions/missing.nwb does not exist" in capsys.readouterr().err
