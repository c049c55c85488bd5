"""Settings of the sorter: one frozen class for each stage, in the order of the stages, and all of them together."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any

from ..recording.settings import DetectionSettings, MotionSettings, PreprocessingSettings, WhiteningSettings
from ..settings import Settings, refuse_unknown, setting

METHODS = ("auto", "gmm", "hdbscan")


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
    batch_size: int = setting(512, "most spikes in one pass of the model", low=1)


@dataclass(frozen=True)
class ClusteringSettings(Settings):
    """From embedded spikes to clusters."""

    clustering: str = setting(
        "auto",
        "first split around each contact: auto and gmm by Gaussians, hdbscan by dense regions; with num_units, auto by"
        " k-means of all spikes, gmm by one mixture of them, as published",
        choices=METHODS,
    )
    num_units: int | None = setting(None, "exact number of units; found automatically if left out", low=1)
    min_spikes_per_unit: int = setting(20, "smallest unit", low=2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_units is not None and self.clustering == "hdbscan":
            raise ValueError(
                f"Got num_units={self.num_units} with clustering={self.clustering!r}, which finds the number itself;"
                " leave clustering out, or set clustering='gmm'."
            )


@dataclass(frozen=True)
class MergingSettings(Settings):
    """Merging of clusters and units of one neuron."""

    min_valley: float = setting(
        0.3,
        "merge threshold, split (0) to merged (1): depth of the valley between two clusters that keeps them apart",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class MatchingSettings(Settings):
    """Template matching over the whole recording."""

    template_matching: str = setting("on", "find overlapped and missed spikes of the units", choices=("on", "off"))
    min_gain: float = setting(
        20.0,
        "twice the log likelihood ratio that makes a spike. Twice the log odds of no spike of this unit at this sample"
        " are about 17: a unit of 5 Hz fires in one sample of 6000. Faint neurons around it are likelier than noise."
        " 18 to 22 are alike on development recordings, 11 and 25 worse",
        unit="noise variances",
        low=1.0,
        expert=True,
    )
    dead_time_ms: float = setting(
        0.33, "one template has no second spike within this time", unit="ms", low=0.0, high=2.0, expert=True
    )
    min_norm: float = setting(
        2.5,
        "a template of a smaller norm is not matched: its energy is a third of the least gain",
        unit="noise SD",
        low=0.0,
        expert=True,
    )
    matching_margin_ms: float = setting(
        10.0, "a block is matched with this much more at both ends", unit="ms", low=3.0, high=100.0, expert=True
    )
    max_rank: int = setting(5, "temporal components of a template, at most", low=1, high=20, expert=True)
    max_lost_energy: float = setting(
        0.3,
        "fewer components are taken where they lose less of a template than this",
        unit="noise variances",
        low=0.0,
        expert=True,
    )
    max_lost_share: float = setting(0.005, "or less than this share of its energy", low=0.0, high=0.5, expert=True)
    num_shifts: int = setting(
        5, "sub-sample shifts at which a spike is subtracted, from -1/2 to 1/2", low=1, high=17, expert=True
    )
    duplicate_ms: float = setting(
        0.3, "spikes of one unit closer than this are one spike", unit="ms", low=0.0, high=2.0
    )
    min_gain_in_burst: float = setting(
        14.0,
        "least gain of a weakened spike in a burst, which is likelier than a spike elsewhere",
        unit="noise variances",
        low=1.0,
        expert=True,
    )
    weakened: float = setting(0.65, "size of a spike late in a burst, of the template", low=0.1, high=1.0, expert=True)


@dataclass(frozen=True)
class ProbabilitySettings(Settings):
    """How likely a spike is of its unit."""

    scale_low: float = setting(0.75, "a spike may be smaller than its template by this", low=0.1, high=1.0, expert=True)
    scale_high: float = setting(1.33, "and larger by this", low=1.0, high=10.0, expert=True)
    reach_ms: float = setting(
        0.13, "other templates are shifted by this much at most", unit="ms", low=0.0, high=1.0, expert=True
    )
    likelihood_weight: float = setting(
        0.5,
        "weight of the log likelihood, below 1 as noise is not Gaussian and spikes differ from their template",
        low=0.0,
        high=1.0,
        expert=True,
    )


@dataclass(frozen=True)
class RejectionSettings(Settings):
    """Rejection of units that are not neurons."""

    min_excess: float = setting(
        0.45,
        "median of a unit's spikes above the matching threshold along its template. The tail of Gaussian noise has"
        " 0.15, a unit whose average is at the threshold 0.67",
        unit="noise SD",
        low=0.0,
        expert=True,
    )
    min_excess_under_drift: float = setting(
        0.5,
        "the same for drifting templates: with 0.3 six development recordings had eight wrong units in place of six",
        unit="noise SD",
        low=0.0,
        expert=True,
    )
    max_matchings: int = setting(
        3,
        "matched again this often at most after units are rejected, as these took spikes of others",
        low=1,
        expert=True,
    )
    min_snr: float = setting(
        2.0, "a unit whose template is below this is taken for noise", unit="noise SD", low=0.0, expert=True
    )


@dataclass(frozen=True)
class RunSettings(Settings):
    """What makes a run repeat."""

    seed: int = setting(0, "seed of everything random", low=0)


STAGES: dict[str, type[Settings]] = {
    "preprocessing": PreprocessingSettings,
    "detection": DetectionSettings,
    "motion_correction": MotionSettings,
    "whitening": WhiteningSettings,
    "learning": LearningSettings,
    "cluster": ClusteringSettings,
    "merging": MergingSettings,
    "matching": MatchingSettings,
    "probability": ProbabilitySettings,
    "rejection": RejectionSettings,
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
