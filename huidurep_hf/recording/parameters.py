"""Settings of all stages up to whitened traces, together."""

from ..settings import Parameters, Settings
from .settings import (
    ArtifactSettings,
    BadChannelSettings,
    DetectionSettings,
    LineSettings,
    MotionEstimationSettings,
    MotionSettings,
    MotionStateSettings,
    NoiseEqualisationSettings,
    NoiseSettings,
    PreprocessingSettings,
    StepSettings,
    WhiteningSettings,
)

PREPARATION_STAGES: dict[str, type[Settings]] = {
    "preprocessing": PreprocessingSettings,
    "lines": LineSettings,
    "noise": NoiseSettings,
    "bad_channels": BadChannelSettings,
    "artifacts": ArtifactSettings,
    "steps": StepSettings,
    "detection": DetectionSettings,
    "motion_correction": MotionSettings,
    "motion_estimation": MotionEstimationSettings,
    "noise_equalisation": NoiseEqualisationSettings,
    "whitening": WhiteningSettings,
    "motion_states": MotionStateSettings,
}


class PreparationParameters(Parameters):
    """All settings of what happens to a recording before its spikes are embedded, each under its own name.

    Attributes:
        preprocessing, lines, ...: the settings of each stage, by the names in [`PREPARATION_STAGES`].

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value outside its limits, or an unknown name.

    Example:

    ```python
    >>> from huidurep_hf.recording.parameters import PreparationParameters

    >>> PreparationParameters(remove_lines="off").lines.remove_lines
    'off'

    ```
    """

    stages = PREPARATION_STAGES
