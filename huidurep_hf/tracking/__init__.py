"""Units followed across sessions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Loaded on first use: the command line reads the settings, and needs nothing else until it tracks.
_LAZY = {
    "FingerprintSettings": "..sorting.output.settings",
    "TrackedUnits": ".tracked",
    "TrackingSettings": ".settings",
    "UnitFingerprints": "..sorting.output.fingerprint_table",
    "track_units": ".track",
    "unit_fingerprints": ".fingerprint",
}

__all__ = [*_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
