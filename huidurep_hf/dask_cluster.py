"""Share work among the processes of a Dask cluster, on this machine or on many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .workers import Item, Result, use_one_thread

# Tasks that wait for an earlier one to be taken, per thread of the cluster.
QUEUED_PER_THREAD = 2


class DaskCluster:
    """The threads of a Dask cluster (https://distributed.dask.org).

    A process that dies takes its tasks with it; the scheduler gives them to others, and gives a task up that was lost
    with several processes (`distributed.scheduler.allowed-failures` of the scheduler's configuration, 3 by default).
    All processes must see the recording, the model and the scratch folder at the same paths.

    Args:
        address: of the scheduler, such as "tcp://192.168.0.1:8786".

    Raises:
        ImportError: Dask is not installed; the message names the extra.
        ValueError: no process has joined the cluster.
    """

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError:
            raise ImportError('Dask is not installed. Get it with: pip install "huidurep-hf[dask]".') from None
        self.client = Client(address, set_as_default=False)
        num_threads = sum(self.client.nthreads().values())
        if num_threads == 0:
            self.client.close()
            raise ValueError(
                f"No worker has joined the Dask scheduler {address}; start one with `dask worker` and this address."
            )
        self.num_threads = num_threads

    def __enter__(self) -> DaskCluster:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield `function(item)` for each item, in their order; as [`~huidurep_hf.workers.Workers.map`].

        The function goes to each process once.
        """
        shared = self.client.scatter(_Shared(function), broadcast=True, hash=False)
        waiting = deque()
        try:
            for item in items:
                waiting.append(self.client.submit(_call, shared, item, pure=False))
                if len(waiting) > QUEUED_PER_THREAD * self.num_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            self.client.cancel(list(waiting))


class _Shared:
    """A function that Dask does not look into."""

    def __init__(self, function: Callable[[Any], Any]):
        self.function = function


def _call(shared: _Shared, item: Any) -> Any:
    from threadpoolctl import threadpool_limits

    use_one_thread()
    with threadpool_limits(1, user_api="blas"):
        return shared.function(item)
