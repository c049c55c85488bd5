import os
import signal
import threading

import numpy as np
import pytest

from huidurep_hf import SpikeSorter
from huidurep_hf.dask_cluster import DaskCluster
from huidurep_hf.recording import trace_copy

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        yield local


@pytest.mark.slow
def test_results_come_in_order(cluster):
    def double(number):
        return 2 * number

    with DaskCluster(cluster.scheduler_address) as processes:
        assert list(processes.map(double, range(50))) == [2 * number for number in range(50)]


@pytest.mark.slow
def test_an_exception_is_raised_here_at_once(cluster, tmp_path):
    def fails(number):
        with open(tmp_path / "tries.txt", "a") as file:
            file.write(f"{number}\n")
        raise RuntimeError(f"at {number}")

    with DaskCluster(cluster.scheduler_address) as processes, pytest.raises(RuntimeError, match="at 0"):
        list(processes.map(fails, range(3)))
    # What fails once would fail again.
    assert (tmp_path / "tries.txt").read_text().splitlines().count("0") == 1


@pytest.mark.slow
def test_a_cluster_without_processes_is_refused():
    with (
        distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=None) as empty,
        pytest.raises(ValueError, match="No worker has joined"),
    ):
        DaskCluster(empty.scheduler_address)


@pytest.mark.slow
def test_a_sort_whose_process_is_killed_gives_the_same_spikes(tiny_checkpoint, tmp_path, monkeypatch):
    from spikeinterface.core import generate_ground_truth_recording

    recording = generate_ground_truth_recording(durations=[20.0], num_channels=4, num_units=4, seed=1)[0]
    recording = recording.save(folder=tmp_path / "recording", format="binary", progress_bar=False)
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", 0)
    sorter = SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")
    alone = sorter.sort(recording, scratch_folder=tmp_path)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        client = distributed.Client(local.scheduler_address, set_as_default=False)
        pids = client.run(os.getpid)
        killed = []

        def kill_one(event):
            # As soon as both have taken up work.
            while not event.wait(0.05):
                if all(client.processing().values()) and client.processing():
                    victim = next(iter(pids.values()))
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                    return

        done = threading.Event()
        thread = threading.Thread(target=kill_one, args=(done,))
        thread.start()
        together = sorter.sort(recording, scratch_folder=tmp_path, dask_scheduler=local.scheduler_address)
        done.set()
        thread.join()
        client.close()
    assert killed
    assert len(alone.sorting.unit_ids) > 0
    assert together.sorting.to_spike_vector().tolist() == alone.sorting.to_spike_vector().tolist()
    np.testing.assert_array_equal(together.embeddings, alone.embeddings)
