"""Progress bars: how far, how fast, how long still, and how much memory."""

from __future__ import annotations

import resource
import sys

from tqdm.auto import tqdm


class ProgressBar(tqdm):
    """tqdm's bar, with the most memory that the process has held so far."""

    @property
    def format_dict(self) -> dict:
        """What is shown."""
        return {**super().format_dict, "postfix": f"{peak_memory_gb():.1f} GB"}


def peak_memory_gb() -> float:
    """Most memory that this process has held since it began, 10^9 bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return 1e-9 * used * (1 if sys.platform == "darwin" else 1024)
