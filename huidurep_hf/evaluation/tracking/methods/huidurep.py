"""Ours: fingerprints of the units of every session, compared by the representation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..method_interface import PAIR_COLUMNS, UNIT_COLUMNS, Tracked

if TYPE_CHECKING:
    from ..method_interface import Session

PACKAGE = "huidurep-hf"


def track(sessions: list[Session], folder: Path, model: str) -> Tracked:
    """Fingerprints from the recordings, then `track_units` at its defaults."""
    from ....tracking import track_units
    from ....tracking.fingerprint import unit_fingerprints

    fingerprints = [unit_fingerprints(session.recording, session.sorting, model=model) for session in sessions]
    tracked = track_units(fingerprints)
    return Tracked(tracked.pairs[list(PAIR_COLUMNS)], tracked.table[list(UNIT_COLUMNS)])
