"""The machine that figures are of."""

import os
from pathlib import Path

import torch

from ...workers import num_available_cores


def describe_machine() -> str:
    """Name processor, cores, memory and GPU in one line, with the limit on threads where one is set."""
    parts = [_processor(), f"{num_available_cores()} cores", f"{memory_gib():.0f} GiB"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    if "OMP_NUM_THREADS" in os.environ:
        parts.append(f"OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}")
    return ", ".join(parts)


def memory_gib() -> float:
    """Physical memory, GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def load_average() -> float:
    """Mean number of running processes over the last minute: more than there are cores means waiting."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    found = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines) if value}
    # Virtual machines hide the model's name; family and model number tell it.
    name = found.get("model name", os.uname().machine)
    numbers = [found[field] for field in ("cpu family", "model") if field in found]
    return f"{name} (family {numbers[0]}, model {numbers[1]})" if len(numbers) == 2 else name
