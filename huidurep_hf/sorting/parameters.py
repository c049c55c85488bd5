"""Settings of the sorter, all together: one frozen class for each stage, in the order of the stages."""

from dataclasses import dataclass

from ..recording.parameters import PREPARATION_STAGES, PreparationParameters
from ..settings import Settings, setting
from .clustering.settings import ClusteringSettings, DensitySettings, FeatureSettings, MixtureSettings
from .fit.settings import FitSettings
from .matching.settings import BurstSettings, MatchingSettings, ProbabilitySettings, TemplateFitSettings
from .merging.settings import (
    ClusterMergingSettings,
    DriftFragmentSettings,
    DriftMergingSettings,
    MergingSettings,
    RefractorySettings,
    ScatterSettings,
    UnitMergingSettings,
)
from .output.settings import LabelSettings
from .rejection.settings import CollisionSettings, RejectionSettings, SecondaryPeakSettings, SideLobeSettings
from .templates.settings import DriftingTemplateSettings, TemplateSettings, WaveformSettings


@dataclass(frozen=True)
class LearningSettings(Settings):
    """Amount of data from which units are learned."""

    max_learned_peaks: int = setting(
        100_000,
        "units are learned from at most about this many detected peaks, from stretches all over the recording; all"
        " other spikes are assigned by template matching",
        low=1000,
        expert=True,
    )
    learned_peaks_per_channel: int = setting(
        400, "or from this many for each channel, where that is more", low=10, expert=True
    )
    motion_peaks_per_s: float = setting(
        100.0, "motion of a long recording is estimated from so many peaks", unit="1/s", low=5.0, expert=True
    )
    max_trial_blocks: int = setting(
        120,
        "templates are tried in this many blocks of one second, and as many again where rare units need it",
        low=1,
        expert=True,
    )
    min_trial_spikes: int = setting(
        60, "so many spikes of each cluster are wanted in these blocks, or all that there are", low=1, expert=True
    )
    max_embedded_events: int = setting(
        300_000,
        "spikes beyond those that units are learned from are embedded only if all of them are fewer than this; others"
        " have no embedding, and the place of their unit",
        low=0,
        expert=True,
    )
    min_quiet_share: float = setting(
        0.2,
        "units are learned where the noise is not raised; from everywhere if less than this share of the recording is"
        " so quiet",
        low=0.0,
        high=1.0,
        expert=True,
    )
    even_block_share: float = setting(
        0.5,
        "this share of the learned peaks is taken from blocks that are evenly spaced in time, so that units that fire"
        " in one stretch are seen; the other blocks hold the rarest peaks",
        low=0.0,
        high=1.0,
        expert=True,
    )
    log_size_step: float = setting(
        0.2,
        "peaks of one channel and of one size, in steps of this in the logarithm of the size, are equally rare",
        low=0.01,
        high=10.0,
        expert=True,
    )
    batch_size: int = setting(512, "most spikes in one pass of the model", low=1)


@dataclass(frozen=True)
class RunSettings(Settings):
    """What makes a run repeat."""

    seed: int = setting(0, "seed of everything random", low=0, high=2**32 - 1)


STAGES: dict[str, type[Settings]] = {
    **PREPARATION_STAGES,
    "fit": FitSettings,
    "learning": LearningSettings,
    "cluster": ClusteringSettings,
    "features": FeatureSettings,
    "mixture": MixtureSettings,
    "density": DensitySettings,
    "waveforms": WaveformSettings,
    "template_fit": TemplateFitSettings,
    "merging": MergingSettings,
    "refractory": RefractorySettings,
    "cluster_merging": ClusterMergingSettings,
    "scatter": ScatterSettings,
    "drift_fragments": DriftFragmentSettings,
    "secondary_peaks": SecondaryPeakSettings,
    "collisions": CollisionSettings,
    "templates": TemplateSettings,
    "templates_under_drift": DriftingTemplateSettings,
    "matching": MatchingSettings,
    "probability": ProbabilitySettings,
    "rejection": RejectionSettings,
    "side_lobes": SideLobeSettings,
    "bursts": BurstSettings,
    "unit_merging": UnitMergingSettings,
    "drift_merging": DriftMergingSettings,
    "labels": LabelSettings,
    "run": RunSettings,
}


class SortingParameters(PreparationParameters):
    """All settings of the method, each under its own name; [`STAGES`] lists them by stage.

    Attributes:
        preprocessing, detection, ...: the settings of each stage, by the names in [`STAGES`].

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value outside its limits, or an unknown name.

    Example:

    ```python
    >>> from huidurep_hf.sorting.parameters import SortingParameters

    >>> SortingParameters(detect_threshold=6).detect_threshold
    6.0
    >>> SortingParameters(detect_threshold=6).detection.detect_threshold
    6.0

    ```
    """

    stages = STAGES
