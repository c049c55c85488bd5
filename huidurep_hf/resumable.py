"""Passes over the blocks of a recording: shared among workers, and kept in parts, so that a stopped run goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .progress import ProgressBar
from .workers import Arrays, Item, Result, Workers

if TYPE_CHECKING:
    from .dask_cluster import DaskCluster

# Items whose results are written together: blocks of a second, or batches of spikes.
ITEMS_PER_PART = 16


class ResumableWorkers(Workers):
    """Workers that keep what their passes find in a folder.

    A part of a pass is written once all of its items are done, and appears whole or not at all. What is there when a
    pass begins is not done again. The results are the same whether a run was stopped or not.

    Args:
        num_workers: threads; as many as the process may use cores if left out.
        folder: where parts are kept; nothing is kept if left out.
        cluster: [`~huidurep_hf.dask_cluster.DaskCluster`] whose processes share the passes; the threads if left out.
        progress: show progress bars of the stages that have none of their own.
    """

    def __init__(
        self,
        num_workers: int | None = None,
        folder: Path | None = None,
        cluster: DaskCluster | None = None,
        *,
        progress: bool = False,
    ):
        super().__init__(num_workers)
        self.folder, self.cluster, self.progress = folder, cluster, progress
        self._stage: str | None = None

    @contextmanager
    def showing(self, stage: str) -> Iterator[None]:
        """Show the passes of a stage under its name."""
        self._stage = stage
        try:
            yield
        finally:
            self._stage = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """As of [`Workers`], with a bar where the number of items is known."""
        results = super().map(function, items)
        return self._with_bar(results, len(items)) if hasattr(items, "__len__") else results

    def _with_bar(self, results: Iterator[Result], total: int) -> Iterator[Result]:
        if not self.progress or self._stage is None or total < 2:
            return results
        return ProgressBar(results, total=total, desc=self._stage, unit="step", leave=False)

    @property
    def is_remote(self) -> bool:
        """Whether other processes share the passes: they see the same files, and not the same memory."""
        return self.cluster is not None

    def run(self, name: str, function: Callable[[Item], Arrays], items: Sequence[Item]) -> Iterator[Arrays]:
        """Yield `function(item)` for each item, in their order.

        Args:
            name: of the pass, unique in a run.
            function: gives arrays by name; nothing else may come of it, as another process may have called it.
            items: the same, in the same order, whenever the run is repeated.
        """
        yield from self._with_bar(self._run(name, function, items), len(items))

    def _run(self, name: str, function: Callable[[Item], Arrays], items: Sequence[Item]) -> Iterator[Arrays]:
        share = super().map if self.cluster is None else self.cluster.map
        if self.folder is None:
            yield from share(function, items)
            return
        parts = [items[first : first + ITEMS_PER_PART] for first in range(0, len(items), ITEMS_PER_PART)]
        paths = [self.folder / name / f"{number:07d}.npz" for number in range(len(parts))]
        is_done = [path.is_file() for path in paths]
        computed = share(function, chain(*(part for part, done in zip(parts, is_done) if not done)))
        for part, path, done in zip(parts, paths, is_done):
            if done:
                yield from _read(path, len(part))
                continue
            results = [next(computed) for _ in part]
            _write(path, results)
            yield from results

    def once(self, name: str, function: Callable[[], Arrays]) -> Arrays:
        """Return what a function gives, from the folder if it was done before.

        Args:
            name: unique in a run.
            function: gives arrays by name.
        """
        if self.folder is None:
            return function()
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            _write(path, [function()])
        return _read(path, 1)[0]


def _write(path: Path, results: list[Arrays]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        named = {f"{number}:{name}": array for number, arrays in enumerate(results) for name, array in arrays.items()}
        np.savez(file, **named)
    os.replace(partial, path)


def _read(path: Path, num_results: int) -> list[Arrays]:
    results = [{} for _ in range(num_results)]
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            number, _, name = key.partition(":")
            results[int(number)][name] = arrays[key]
    return results
