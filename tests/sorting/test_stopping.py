"""Runs that are stopped, killed, or meet another one, as processes of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from huidurep_hf.output_path import claim
from huidurep_hf.sorting.output.result import SortingResult
from huidurep_hf.sorting.run_folder import run_folder

LAYOUT = ["--sampling-rate", "30000", "--num-channels", "4", "--dtype", "float32", "--probe", "tetrode"]


@pytest.fixture(scope="module")
def raw_file(tetrode, tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "tetrode.raw"
    tetrode[0].get_traces().astype("float32").tofile(path)
    return path


@pytest.fixture
def start_sort(raw_file, tiny_checkpoint):
    """Start the command; it is killed at the end if it is still there."""
    started = []

    def start(output, *more):
        command = [sys.executable, "-m", "huidurep_hf.cli.main", "sort", str(raw_file), str(output), *LAYOUT]
        command += ["--model", str(tiny_checkpoint), "--no-report", *more]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.mark.slow
def test_a_second_run_is_refused_and_a_folder_of_someone_else_stays(start_sort, sorter, tetrode, tmp_path):
    output = tmp_path / "result"
    process = start_sort(output)
    wait_for(tmp_path / ".result.work", process)
    with pytest.raises(FileExistsError, match=r"Another run is writing .*result; wait for it"):
        sorter.sort(tetrode[0], output_folder=output)
    output.mkdir()
    (output / "thesis.tex").write_text("years of work")
    error = process.communicate()[1]
    assert process.returncode == 2
    assert (output / "thesis.tex").read_text() == "years of work"
    kept = error.rsplit("The result is kept in ", 1)[1].split(";")[0]
    assert len(SortingResult.load(kept).events) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [os.path.basename(os.path.dirname(kept)), "result"]


def catches_sigterm(process):
    """Whether the process has a handler of its own: a bit of the mask that Linux shows."""
    status = dict(line.split(":\t") for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1


@pytest.mark.slow
@pytest.mark.parametrize("when", ["parser", "imports", "run"])
def test_sigterm_is_a_clean_stop(start_sort, tmp_path, when):
    process = start_sort(tmp_path / "result")
    if when == "run":
        wait_for(tmp_path / ".result.work" / "parts", process)
    else:
        while not catches_sigterm(process):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.001)
        # The parser is built at once; torch and transformers take seconds to import.
        time.sleep(0 if when == "parser" else 1)
    process.send_signal(signal.SIGTERM)
    error = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert error.splitlines()[-1].startswith("huidurep: interrupted") and "Traceback" not in error
    left = [path.name for path in tmp_path.iterdir()]
    assert left == ([".result.work"] if when == "run" else [])


def test_what_a_killed_run_leaves_is_removed_and_what_it_would_replace_is_put_back(tmp_path):
    path = tmp_path / "result"
    (tmp_path / ".result.partial" / "sorting").mkdir(parents=True)
    (tmp_path / ".result.earlier").mkdir()
    (tmp_path / ".result.earlier" / "units.csv").touch()
    with claim(path), claim(path):
        assert (path / "units.csv").exists()
        assert sorted(one.name for one in tmp_path.iterdir()) == [".result.lock", "result"]
    assert [one.name for one in tmp_path.iterdir()] == ["result"]


def test_scratch_folders_of_processes_that_are_gone_are_removed(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process in (gone.pid, os.getpid()):
        (tmp_path / f".huidurep-{socket.gethostname()}-{process}-x").mkdir()
    with run_folder(None, tmp_path, {}) as (scratch, _):
        np.save(scratch / "traces.npy", np.zeros(3))
        left = {path.name for path in tmp_path.iterdir()} - {scratch.name}
    assert left == {f".huidurep-{socket.gethostname()}-{os.getpid()}-x"} == {path.name for path in tmp_path.iterdir()}


def test_outputs_of_one_name_share_a_scratch_folder(tmp_path):
    with (
        run_folder(tmp_path / "a" / "probe0", tmp_path, {}) as (first, _),
        run_folder(tmp_path / "b" / "probe0", tmp_path, {}) as (second, _),
    ):
        assert first != second


@pytest.mark.parametrize(
    ("error", "is_kept"), [(MemoryError, True), (OSError, True), (ValueError, False), (RuntimeError, False)]
)
def test_work_is_lost_only_where_the_same_call_would_fail_again(tmp_path, error, is_kept, caplog):
    with pytest.raises(error), run_folder(tmp_path / "result", None, {"seed": 1}) as (work, parts):
        (parts / "0000000.npz").write_bytes(b"hours of work")
        raise error("too much")
    assert (parts / "0000000.npz").is_file() == is_kept
    assert (f"is kept in {work}" in caplog.text) == is_kept
    with run_folder(tmp_path / "result", None, {"seed": 1}) as (_, again):
        assert (again / "0000000.npz").is_file() == is_kept
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_number_of_workers_does_not_cost_what_is_done(sorter, tetrode, tmp_path):
    parameters = {"recording": tetrode[0], "output_folder": tmp_path / "result"}
    (tmp_path / ".result.work" / "parts").mkdir(parents=True)
    with pytest.raises(ValueError, match="num_workers=0; at least 1"):
        sorter.sort(**parameters, num_workers=0)
    assert (tmp_path / ".result.work" / "parts").is_dir()
