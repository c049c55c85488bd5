"""Settings of the sorter, all together: one frozen class for each stage, in the order of the stages."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any

from ..recording.settings import DetectionSettings, MotionSettings, PreprocessingSettings, WhiteningSettings
from ..settings import Settings, refuse_unknown, setting
from .clustering.settings import ClusteringSettings, DensitySettings, FeatureSettings, MixtureSettings
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
from .rejection.settings import CollisionSettings, RejectionSettings, SideLobeSettings
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
    "preprocessing": PreprocessingSettings,
    "detection": DetectionSettings,
    "learning": LearningSettings,
    "motion_correction": MotionSettings,
    "whitening": WhiteningSettings,
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
    "run": RunSettings,
}


class SortingParameters:
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

    def __init__(self, **values):
        refuse_unknown(values, [one.name for one in self.list_settings()])
        for stage, settings in STAGES.items():
            own = {one.name: values[one.name] for one in fields(settings) if one.name in values}
            object.__setattr__(self, stage, settings(**own))

    @staticmethod
    def list_settings() -> list[Field]:
        """Every setting as a dataclass field, in the order of the stages; its metadata describes it."""
        return [one for settings in STAGES.values() for one in fields(settings)]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SortingParameters":
        """Make parameters from names and values; raises as the class does."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return all names and values as one plain dict."""
        return {name: value for stage in STAGES for name, value in getattr(self, stage).to_dict().items()}

    def __getattr__(self, name: str) -> Any:
        for stage in STAGES:
            settings = self.__dict__.get(stage)
            if settings is not None and name in settings.__dataclass_fields__:
                return getattr(settings, name)
        raise AttributeError(f"{type(self).__name__} has no setting {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Parameters are not changed; make new ones to set {name!r}.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SortingParameters) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.to_dict().items()))

    def __repr__(self) -> str:
        return f"SortingParameters({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"
