"""Ground-truth recordings: templates, spike trains and noise."""

from .recordings import RecordingParameters, generate_recording

__all__ = ["RecordingParameters", "generate_recording"]
