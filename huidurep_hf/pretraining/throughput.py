"""Where the time of a training step goes, and whether its data come fast enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import load_dataset

from .trainer import Pretrainer

PARTS = ("reading", "views", "forward", "backward", "optimizer")
WARM_UP_STEPS = 2
STREAMED_ROWS = 4096


class StepTimer:
    """Time the parts of a trainer's steps, in the steps themselves: nothing is repeated or left out.

    Args:
        trainer: whose reader, views, model, gradients and optimiser are timed from now on.
    """

    def __init__(self, trainer: Pretrainer):
        self.device = trainer.accelerator.device
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._started = 0.0
        trainer.pairs.read = self._timed("reading", trainer.pairs.read)
        trainer.views = self._timed("views", trainer.views)
        trainer.accelerator.backward = self._timed("backward", trainer.accelerator.backward)
        trainer.optimizer.step = self._timed("optimizer", trainer.optimizer.step)
        trainer.model.register_forward_pre_hook(lambda *_: self._start())
        trainer.model.register_forward_hook(lambda *_: self._stop("forward"))

    def reset(self) -> None:
        """Forget what was timed."""
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **options) -> Any:
            self._start()
            result = function(*arguments, **options)
            self._stop(name)
            return result

        return call

    def _start(self) -> None:
        synchronize(self.device)
        self._started = time.perf_counter()

    def _stop(self, name: str) -> None:
        synchronize(self.device)
        self.seconds[name] += time.perf_counter() - self._started


def measure_steps(trainer: Pretrainer, num_steps: int = 10) -> dict[str, float]:
    """Take steps and return the mean seconds of each part of one, of the `other` rest and of the `step`.

    Args:
        trainer: fresh; it is trained in passing.
        num_steps: to time, after two that are not.
    """
    timer = StepTimer(trainer)
    for step in range(WARM_UP_STEPS):
        trainer._step(step)
    timer.reset()
    synchronize(timer.device)
    started = time.perf_counter()
    for step in range(WARM_UP_STEPS, WARM_UP_STEPS + num_steps):
        trainer._step(step)
    synchronize(timer.device)
    seconds = {name: value / num_steps for name, value in timer.seconds.items()}
    step = (time.perf_counter() - started) / num_steps
    return {**seconds, "other": step - sum(seconds.values()), "step": step}


def measure_mapped_reader(trainer: Pretrainer, num_batches: int = 20) -> float:
    """Return the rows a second that the trainer's reader gives, in batches of pairs drawn over the whole dataset."""
    random = np.random.default_rng(0)
    size = min(trainer.arguments.batch_size, len(trainer.pairs))
    batches = [random.choice(len(trainer.pairs), size, replace=False) for _ in range(num_batches)]
    started = time.perf_counter()
    for units in batches:
        trainer.pairs.read(units, random)
    return 2 * size * num_batches / (time.perf_counter() - started)


def measure_streaming(dataset: str | Path) -> float:
    """Return the rows a second of `load_dataset(..., streaming=True)` as arrays, over the first rows."""
    stream = load_dataset(str(dataset), split="train", streaming=True).with_format("numpy")
    stream = stream.select_columns(["waveform", "channel_positions"])
    # Resolving the files once is no matter of rate.
    next(iter(stream))
    started, num_rows = time.perf_counter(), 0
    for batch in stream.iter(batch_size=256):
        num_rows += len(batch["waveform"])
        if num_rows >= STREAMED_ROWS:
            break
    return num_rows / (time.perf_counter() - started)


def report_throughput(trainer: Pretrainer, num_steps: int = 10) -> str:
    """Return a table of a step's parts, and what the readers give against what a step needs."""
    reader = measure_mapped_reader(trainer)
    seconds = measure_steps(trainer, num_steps)
    pairs = trainer.arguments.batch_size / trainer.accelerator.num_processes
    lines = [f"{name:>10} {value:8.4f} s {100 * value / seconds['step']:5.1f} %" for name, value in seconds.items()]
    needed = 2 * pairs / seconds["step"]
    threads = torch.get_num_threads()
    device = f"{trainer.accelerator.device.type}, {threads} thread" + "s" * (threads > 1)
    lines.append(f"{1 / seconds['step']:.2f} steps/s, {needed:.0f} spikes/s ({pairs:.0f} pairs a step, {device})")
    rates = {"mapped": reader}
    dataset = trainer.arguments.dataset
    for source in [dataset] if isinstance(dataset, str | Path) else dataset:
        rates[f"streaming {source}"] = measure_streaming(source)
    lines += [f"{name}: {rate:.0f} rows/s, {rate / needed:.1f} x what a step needs" for name, rate in rates.items()]
    return "\n".join(lines)


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
