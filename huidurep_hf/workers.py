"""Share work among the cores of a machine."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from .memory import share_one_heap

Item, Result = TypeVar("Item"), TypeVar("Result")
Arrays = dict[str, np.ndarray]

# Results that wait for an earlier one to be taken, per worker: enough to keep all busy, few enough to bound memory.
QUEUED_PER_WORKER = 2


class Workers:
    """Threads that work on items of a list; what they give does not depend on how many there are.

    The heavy parts (filters, matrix products, compiled loops) release Python's lock, so threads run side by side and
    share the traces that are in memory, and one heap. Within a worker torch and BLAS use one thread: more of them would
    wait for one another.

    Args:
        num_workers: threads; as many as the process may use cores if left out.

    Raises:
        ValueError: fewer than one.
    """

    def __init__(self, num_workers: int | None = None):
        self.num_workers = num_available_cores() if num_workers is None else num_workers
        if self.num_workers < 1:
            raise ValueError(f"Got num_workers={num_workers}; at least 1 is needed.")
        share_one_heap()

    @property
    def is_remote(self) -> bool:
        """Whether other processes share the passes: they see the same files, and not the same memory."""
        return False

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield `function(item)` for each item, in their order; an exception of a worker is raised here.

        Args:
            function: called in a worker.
            items: taken one by one, a few ahead of the results.
        """
        with (
            threadpool_limits(1, user_api="blas"),
            ThreadPoolExecutor(self.num_workers, thread_name_prefix="huidurep", initializer=use_one_thread) as pool,
        ):
            waiting = deque()
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) > QUEUED_PER_WORKER * self.num_workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def run(self, name: str, function: Callable[[Item], Arrays], items: Sequence[Item]) -> Iterator[Arrays]:
        """Go through a pass: as [`map`], and it may be kept ([`~huidurep_hf.resumable.ResumableWorkers`])."""
        return self.map(function, items)

    def once(self, name: str, function: Callable[[], Arrays]) -> Arrays:
        """Do something that may be kept."""
        return function()


def num_available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_one_thread() -> None:
    """Let torch use one thread in this thread."""
    # Of this thread alone: others keep theirs.
    torch.set_num_threads(1)
