"""The size of a dataset in the hub's words."""

from __future__ import annotations

_LIMITS = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def size_category(num_rows: int) -> str:
    """Return the value of `size_categories` in a card's metadata; the last one is for a million rows and more."""
    return next((name for limit, name in _LIMITS if num_rows < limit), "1M<n<10M")
