"""Time something by doing it again and again, on all cores in the two ways that there are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from ...pretraining.throughput import synchronize
from ...workers import Workers

# Torch shares one batch among all cores; or each worker computes a batch of its own with one thread, as in the sorter.
WAYS = ("torch threads", "workers")


def measure_rate(call: Callable[[], object], way: str, device: torch.device, min_seconds: float) -> float:
    """Calls a second.

    Args:
        call: what is timed; called from several threads if the way is "workers".
        way: one of `WAYS`.
        device: waited for before the clock is read.
        min_seconds: about so long is measured, s, after two calls that are not.
    """
    workers = Workers(1 if way == "torch threads" else None)

    def run(num_calls: int) -> float:
        synchronize(device)
        started = time.perf_counter()
        if way == "workers":
            for _ in workers.map(lambda _: call(), range(num_calls)):
                pass
        else:
            for _ in range(num_calls):
                call()
        synchronize(device)
        return time.perf_counter() - started

    call()
    once = run(workers.num_workers) / workers.num_workers
    num_calls = max(math.ceil(min_seconds / once / workers.num_workers), 1) * workers.num_workers
    return num_calls / run(num_calls)
