"""Units followed across sessions."""

from .fingerprint import unit_fingerprints
from .fingerprint_table import UnitFingerprints
from .settings import FingerprintSettings, TrackingSettings
from .track import track_units
from .tracked import TrackedUnits

__all__ = [
    "FingerprintSettings",
    "TrackedUnits",
    "TrackingSettings",
    "UnitFingerprints",
    "track_units",
    "unit_fingerprints",
]
