"""Progress bars: how far, how fast, how long still, and how much memory."""

from __future__ import annotations

from tqdm.auto import tqdm

from .memory import peak_memory_gb


class ProgressBar(tqdm):
    """tqdm's bar, with the most memory that the process has held so far."""

    @property
    def format_dict(self) -> dict:
        """What is shown."""
        return {**super().format_dict, "postfix": f"{peak_memory_gb():.1f} GB"}
