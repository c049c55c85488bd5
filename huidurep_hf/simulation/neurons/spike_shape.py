"""How wide an extracellular spike is."""

from __future__ import annotations

import numpy as np


def trough_to_peak_ms(waveform: np.ndarray, sampling_rate: float) -> float:
    """Time from the trough of a waveform `(num_samples,)` to the highest peak within 2 ms after it."""
    trough = int(waveform.argmin())
    after = waveform[trough : trough + round(2e-3 * sampling_rate)]
    return 1000 * int(after.argmax()) / sampling_rate
