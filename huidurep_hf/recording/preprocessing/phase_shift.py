"""Channels that take turns at one converter, as on Neuropixels, brought to one sampling time.

What all channels pick up together, at high frequencies above all, is at different phases in channels that were sampled
at different moments, and a common reference takes only a part of it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


def align_sampling_times(recording: BaseRecording, margin_ms: float) -> BaseRecording:
    """Delay each channel by the part of a sample that it was sampled late, if the recording has these delays.

    SpikeInterface's readers of Neuropixels files set the property "inter_sample_shift". It is kept after the shift, so
    a recording is left as it is if it came through SpikeInterface's `phase_shift`, or was filtered: in the field's
    pipelines that comes after the shift, and a saved recording no longer records the earlier steps.

    Args:
        recording: SpikeInterface recording.
        margin_ms: read on both sides of a stretch of traces, ms.

    Returns:
        The shifted recording (float32), or the same object where there is nothing to shift.
    """
    from spikeinterface.preprocessing import phase_shift

    if "inter_sample_shift" not in recording.get_property_keys() or recording.is_filtered() or _was_shifted(recording):
        return recording
    # Channels that hold no voltage (IBL's synchronisation) have NaN.
    shifts = np.nan_to_num(np.asarray(recording.get_property("inter_sample_shift"), dtype="float64"))
    if np.ptp(shifts) == 0:
        return recording
    return phase_shift(recording, inter_sample_shift=shifts, margin_ms=margin_ms, dtype="float32")


def _was_shifted(recording: BaseRecording) -> bool:
    from spikeinterface.preprocessing.phase_shift import PhaseShiftRecording

    while recording is not None:
        if isinstance(recording, PhaseShiftRecording):
            return True
        recording = recording.get_parent()
    return False
