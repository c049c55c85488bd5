"""Distinguish units from the residual that subtracting other units' spikes leaves.

Where two neurons often fire together, a template of both, or of what one of them leaves when the other's is subtracted,
finds "spikes" that were not detected: they lie beside larger ones. Of a neuron's spikes the share is detected whose
trough exceeds the threshold, except those that a larger spike hides.
"""

import numpy as np
from scipy.special import ndtr

from .settings import RejectionSettings


def is_residual_unit(
    units: np.ndarray, is_detected: np.ndarray, depths: np.ndarray, threshold: float, settings: RejectionSettings
) -> np.ndarray:
    """Find units of whose spikes far fewer were detected than should exceed the threshold.

    Args:
        units: `(num_matched,)` unit of each matched spike, from 0.
        is_detected: `(num_matched,)` bool, whether it is one of the detected peaks.
        depths: `(num_units,)` trough (or peak, where those are detected) of the average of these spikes, SDs of the
            noise.
        threshold: of detection, SDs of the noise.
        settings: [`~huidurep_hf.sorting.rejection.settings.RejectionSettings`].

    Returns:
        `(num_units,)` bool; False for units without spikes.
    """
    counts = np.bincount(units, minlength=len(depths))
    num_detected = np.bincount(units, weights=is_detected, minlength=len(depths))
    return num_detected < settings.min_detected_share * ndtr(depths - threshold) * counts
