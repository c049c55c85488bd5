import os
import threading
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from huidurep_hf.workers import QUEUED_PER_WORKER, Workers, num_available_cores


@pytest.mark.parametrize("num_workers", [1, 3])
def test_results_come_in_the_order_of_the_items(num_workers):
    def slow_at_first(item):
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(Workers(num_workers).map(slow_at_first, range(30))) == [item * item for item in range(30)]
    assert list(Workers(num_workers).map(slow_at_first, [])) == []


def test_they_work_side_by_side():
    meeting = threading.Barrier(3, timeout=20)
    assert len(list(Workers(3).map(lambda item: meeting.wait(), range(3)))) == 3


def test_an_exception_of_a_worker_is_raised_and_stops_the_others():
    done = []

    def fail_at_two(item):
        done.append(item)
        if item == 2:
            raise KeyError("two")
        time.sleep(0.005)
        return item

    found = []
    with pytest.raises(KeyError, match="two"):
        for result in Workers(2).map(fail_at_two, range(1000)):
            found.append(result)
    assert found == [0, 1]
    assert len(done) < 20


def test_items_are_taken_a_few_ahead():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = Workers(2).map(lambda item: item, items())
    assert next(results) == 0
    assert len(taken) <= QUEUED_PER_WORKER * 2 + 1
    results.close()
    assert len(taken) < 10


def test_a_worker_uses_one_thread_and_others_keep_theirs():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:

        def threads(_):
            np.ones((4, 4)) @ np.ones((4, 4))
            return torch.get_num_threads(), {
                pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
            }

        assert list(Workers(2).map(threads, range(3))) == [(1, {1})] * 3
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_as_many_as_there_are_cores(monkeypatch):
    assert Workers().num_workers == num_available_cores() >= 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 5, 7}, raising=False)
    assert Workers().num_workers == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert Workers().num_workers == (os.cpu_count() or 1)
    with pytest.raises(ValueError, match="num_workers=0; at least 1"):
        Workers(0)
