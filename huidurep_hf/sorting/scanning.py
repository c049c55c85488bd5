"""The scan of a sort: preprocessed traces and detected peaks, checked before anything is learned from them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..recording.motion.following import check_motion
from ..recording.preprocessing.preparation import PreparedRecording
from ..recording.scan import scan
from ..recording.sources.plausibility import warn_of_absurd_noise, warn_of_misread_samples
from ..recording.spikes.detection import check_sign
from .feasibility import check_number_of_units
from .sorting_run import SortingRun
from .spikes import Spikes

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording


logger = logging.getLogger("huidurep_hf")


def scan_recording(recording: BaseRecording, run: SortingRun) -> tuple[PreparedRecording, Spikes]:
    """Preprocess a recording, detect its peaks, and warn where samples, noise or sign look wrong.

    Args:
        recording: SpikeInterface recording.
        run: what all stages share.

    Returns:
        `(prepared, peaks)`: the preprocessed recording, and all peaks in order, on disk where there is a scratch
        folder.

    Raises:
        TypeError, ValueError: a recording that cannot be sorted; the message says what to do.
    """
    parameters = run.parameters
    warn_of_misread_samples(recording)
    prepared, found = scan(
        recording,
        parameters,
        seed=parameters.seed,
        workers=run.workers,
        scratch_folder=run.scratch_folder,
        progress=run.progress,
    )
    peaks = run.on_disk(Spikes.from_peaks(found), "peaks")
    logger.info("scan: %d peaks", len(peaks))
    warn_of_absurd_noise(prepared.noise_levels, prepared.unit)
    check_number_of_units(len(peaks), parameters)
    check_motion(prepared, parameters.motion_correction)
    check_sign(prepared, parameters.detection, run.workers)
    return prepared, peaks
