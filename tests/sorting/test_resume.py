import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from huidurep_hf.resumable import ITEMS_PER_PART, ResumableWorkers
from huidurep_hf.sorting import pipeline

PROGRAM = """
import sys
from spikeinterface.core import load
from huidurep_hf import SpikeSorter
from huidurep_hf.recording import trace_copy
trace_copy.MAX_BYTES_IN_MEMORY = 0
sorter = SpikeSorter.from_pretrained(sys.argv[1], device="cpu")
sorter.sort(load(sys.argv[2]), output_folder=sys.argv[3], num_workers=2)
"""


def square(number):
    return {"square": np.array([number**2]), "twice": np.array([2 * number])}


def test_parts_that_are_there_are_not_done_again(tmp_path):
    calls = []

    def counted(number):
        calls.append(number)
        return square(number)

    numbers = list(range(3 * ITEMS_PER_PART + 5))
    whole = [result["square"].item() for result in ResumableWorkers(2, tmp_path).run("pass", counted, numbers)]
    assert whole == [number**2 for number in numbers]
    assert sorted(calls) == numbers
    (tmp_path / "pass" / "0000001.npz").unlink()
    calls.clear()
    again = [result["square"].item() for result in ResumableWorkers(3, tmp_path).run("pass", counted, numbers)]
    assert again == whole
    assert sorted(calls) == numbers[ITEMS_PER_PART : 2 * ITEMS_PER_PART]


def test_what_fails_leaves_only_whole_parts(tmp_path):
    def fails_late(number):
        if number == ITEMS_PER_PART + 3:
            raise RuntimeError("late")
        return square(number)

    with pytest.raises(RuntimeError, match="late"):
        list(ResumableWorkers(2, tmp_path).run("pass", fails_late, list(range(40))))
    assert [path.name for path in (tmp_path / "pass").iterdir()] == ["0000000.npz"]


def test_once_is_done_once(tmp_path):
    workers = ResumableWorkers(1, tmp_path)
    assert workers.once("one", lambda: {"value": np.arange(3)})["value"].tolist() == [0, 1, 2]
    assert workers.once("one", lambda: {"value": np.zeros(1)})["value"].tolist() == [0, 1, 2]
    assert workers.once("nothing", dict) == {}
    assert ResumableWorkers(1).once("one", lambda: {"value": np.zeros(1)})["value"].tolist() == [0]


@pytest.mark.slow
def test_an_interrupted_run_goes_on(sorter, tetrode, tetrode_result, tmp_path, monkeypatch):
    assign = pipeline.assign_spikes

    def interrupted(*arguments, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "assign_spikes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sorter.sort(tetrode[0], output_folder=tmp_path / "result")
    assert (tmp_path / ".result.work").is_dir() and not (tmp_path / "result").exists()

    def not_again(*arguments, **kwargs):
        raise AssertionError("learned again")

    monkeypatch.setattr(pipeline, "assign_spikes", assign)
    monkeypatch.setattr(pipeline, "learn_units", not_again)
    result = sorter.sort(tetrode[0], output_folder=tmp_path / "result")
    assert result.sorting.to_spike_vector().tolist() == tetrode_result.sorting.to_spike_vector().tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.slow
def test_another_run_does_not_go_on_with_the_first(sorter, tetrode, tmp_path, monkeypatch):
    def interrupted(*arguments, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "assign_spikes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sorter.sort(tetrode[0], output_folder=tmp_path / "result")
    alone = sorter.sort(tetrode[0], detect_threshold=6)
    result = sorter.sort(tetrode[0], output_folder=tmp_path / "result", detect_threshold=6)
    assert result.sorting.to_spike_vector().tolist() == alone.sorting.to_spike_vector().tolist()


@pytest.mark.slow
def test_a_run_killed_at_random_moments_gives_the_same(tiny_checkpoint, make_ground_truth, tmp_path):
    num_kills = int(os.environ.get("HUIDUREP_KILLS", "2"))
    recording = make_ground_truth(durations=(20.0,), num_units=4)[0]
    recording.save(folder=tmp_path / "recording", format="binary", progress_bar=False)

    def command(output):
        return [sys.executable, "-c", PROGRAM, str(tiny_checkpoint), str(tmp_path / "recording"), str(output)]

    # The first run compiles.
    subprocess.run(command(tmp_path / "first"), check=True, capture_output=True)
    started = time.perf_counter()
    subprocess.run(command(tmp_path / "undisturbed"), check=True, capture_output=True)
    duration = time.perf_counter() - started
    expected = np.load(tmp_path / "undisturbed" / "embeddings.npy")
    rng, num_killed, kill = random.Random(0), 0, 0
    while num_killed < num_kills:
        kill += 1
        assert kill <= 10 * num_kills
        output = tmp_path / f"killed_{kill}"
        process = subprocess.Popen(command(output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 0.9) * duration)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if output.exists():
            # It was faster than the one before.
            duration *= 0.8
            continue
        num_killed += 1
        subprocess.run(command(output), check=True, capture_output=True)
        assert np.array_equal(np.load(output / "embeddings.npy"), expected, equal_nan=True)
        assert _spikes(output) == _spikes(tmp_path / "undisturbed")
        assert not (tmp_path / f".killed_{kill}.work").exists()


def _spikes(folder: Path):
    import pandas as pd

    json.loads((folder / "provenance.json").read_text())
    return pd.read_parquet(folder / "events.parquet").to_dict("list")
