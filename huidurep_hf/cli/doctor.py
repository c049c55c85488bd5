"""`huidurep doctor`: whether this machine has what a sort needs, and a sort of five seconds."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import time
from collections.abc import Iterator

DURATION_S = 5.0


def run_doctor(options: argparse.Namespace) -> None:
    """Print versions, device, memory, cache and the result of a short sort, a line each.

    Raises:
        ValueError: the sort finds nothing in a recording whose units are loud.
    """
    for name, value in _facts(options):
        print(f"{name:<16}{value}")
    print(f"{'sort':<16}{_sort(options)}")


def _facts(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    import torch
    from huggingface_hub.constants import HF_HUB_CACHE

    from ..hub.checkpoints import resolve_checkpoint
    from ..sorting.output.provenance import PACKAGES, version_of

    yield "python", f"{platform.python_version()} on {platform.platform()}"
    for package in PACKAGES:
        yield package, version_of(package) or "missing"
    is_there = torch.cuda.is_available()
    yield "device", f"GPU {torch.cuda.get_device_name()}" if is_there else "CPU (no GPU that torch can use)"
    yield "cores", str(os.cpu_count())
    yield "cache", f"{HF_HUB_CACHE}, {shutil.disk_usage(os.path.expanduser('~')).free / 1e9:.0f} GB free"
    yield "model", str(resolve_checkpoint(options.model))


def _sort(options: argparse.Namespace) -> str:
    from ..simulation.recordings.examples import example_recording
    from ..sorting.sorter import SpikeSorter

    recording = example_recording("tetrode", duration_s=DURATION_S).recording
    start = time.perf_counter()
    result = SpikeSorter.from_pretrained(options.model, device=options.device).sort(recording)
    seconds = time.perf_counter() - start
    counts = result.provenance["counts"]
    if counts["events"] == 0:
        raise ValueError("The sort found no spike in the example recording; the installation is broken.")
    found = f"{counts['units']} units and {counts['events']} events in {DURATION_S:g} s of a tetrode"
    return f"works: {found}, after {seconds:.1f} s"
