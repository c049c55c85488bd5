"""Settings of the criteria by which clusters and units are merged."""

from dataclasses import dataclass

from ...settings import Settings, setting


@dataclass(frozen=True)
class MergingSettings(Settings):
    """Criteria for the merging of clusters, and of units."""

    min_valley: float = setting(
        0.3,
        "merge threshold, split (0) to merged (1): depth of the valley between two clusters, or units, that keeps them"
        " apart. It changes this threshold and no other",
        low=0.0,
        high=1.0,
    )
    max_spikes_per_test: int = setting(200, "most spikes of each of two that are compared", low=10, expert=True)


@dataclass(frozen=True)
class RefractorySettings(Settings):
    """Two neurons or one, by their coincidences at refractory lags."""

    min_refractory_lag_ms: float = setting(
        0.7,
        "shortest refractory lag; shorter ones are within the sweep in which detection keeps one peak",
        unit="ms",
        low=0.0,
        high=2.0,
        expert=True,
    )
    max_refractory_lag_ms: float = setting(
        2.0,
        "longest refractory lag; longer ones occur in bursts of one neuron",
        unit="ms",
        low=0.1,
        high=10.0,
        expert=True,
    )
    min_baseline_lag_ms: float = setting(
        15.0,
        "coincidences at lags from this on show what chance gives, so that slow changes of the rates do not count;"
        " beyond bursts",
        unit="ms",
        low=0.0,
        high=1000.0,
        expert=True,
    )
    max_baseline_lag_ms: float = setting(50.0, "to this lag", unit="ms", low=0.1, high=1000.0, expert=True)
    min_coincidence_ratio_of_two: float = setting(
        0.35,
        "two fire independently with more coincidences than this share of those of chance, and are never merged. A"
        " cluster of one neuron holds some spikes of others, and two neurons with common drive may avoid each other a"
        " little",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_expected_coincidences_of_two: float = setting(
        8.0, "fewer coincidences expected by chance than this do not decide that", low=0.0, expert=True
    )
    max_coincidence_ratio_of_one: float = setting(
        0.1,
        "similar units with fewer coincidences than this share of those of chance are merged by their times. Two"
        " neurons that keep out of each other's way had 0.3 to 0.4 on development recordings",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_expected_coincidences_of_one: float = setting(
        10.0,
        "fewer coincidences expected by chance than this do not decide that. Merging takes more than keeping apart: of"
        " two neurons that keep out of each other's way few have none where 10 are expected",
        low=0.0,
        expert=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind in ("refractory", "baseline"):
            low, high = (getattr(self, f"{side}_{kind}_lag_ms") for side in ("min", "max"))
            if low >= high:
                raise ValueError(
                    f"Got min_{kind}_lag_ms={low:g} and max_{kind}_lag_ms={high:g}; the first must be smaller."
                )


@dataclass(frozen=True)
class ClusterMergingSettings(Settings):
    """Merging of clusters by their whitened waveforms."""

    max_cluster_distance: float = setting(
        0.6,
        "clusters whose templates differ by this share of the larger's energy are two, whatever lies between them",
        low=0.0,
        high=4.0,
        expert=True,
    )
    max_cluster_distance_energy: float = setting(
        5.0,
        "unless they differ by less than this energy",
        unit="noise variances",
        low=0.0,
        expert=True,
    )
    max_cluster_misalignment_ms: float = setting(
        0.3,
        "two clusters are shifted against each other by this much at most",
        unit="ms",
        low=0.0,
        high=0.5,
        expert=True,
    )
    min_relative_size: float = setting(
        0.5,
        "two clusters of which one is less than this share as large as the other differ in size. In drift-corrected"
        " traces neurons that differ threefold in size had valleys of 0.22 and 0.28 where a cluster held spikes of"
        " both",
        low=0.0,
        high=1.0,
        expert=True,
    )
    different_size_factor: float = setting(
        2.0,
        "the valley, and the unexplained share, count times this between clusters that differ in size",
        low=1.0,
        high=100.0,
        expert=True,
    )
    min_standard_errors: float = setting(
        2.5,
        "the valley is measured along the samples in which two averages differ by more than this. In samples without a"
        " real difference noise would favour the average that a spike is part of",
        unit="standard errors",
        low=0.0,
        expert=True,
    )
    min_size_while_merging: float = setting(
        0.75,
        "clusters smaller than this share of min_spikes_per_unit give their spikes to others while clusters are merged",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_merging_rounds: int = setting(30, "rounds of merging, at most", low=0, expert=True)
    num_final_fits: int = setting(
        2, "after merging, spikes are given to the template that explains most of them so often", low=0, expert=True
    )


@dataclass(frozen=True)
class ScatterSettings(Settings):
    """Two faint clusters or one, by how widely their spikes scatter; not of traces corrected for motion."""

    max_unexplained_share: float = setting(
        0.3,
        "clusters stay apart if one neuron and noise leave this share of the variance of their spikes unexplained",
        low=0.0,
        high=1.0,
        expert=True,
    )
    shape_variability: float = setting(
        0.15,
        "by which the shape of one neuron's spikes changes (bursts, what overlaps it), as a share of their size. On"
        " development recordings spikes of one neuron scattered by up to 1.2 times what this and noise make together,"
        " of two faint ones mostly by more",
        low=0.0,
        high=10.0,
        expert=True,
    )
    max_scatter_norm: float = setting(
        8.0,
        "scatter is not judged for clusters of a larger norm, as bursts and motion change their shape by more than"
        " noise does",
        unit="noise SD",
        low=0.0,
        expert=True,
    )
    min_scatter_spikes: int = setting(8, "nor for fewer spikes than this", low=2, expert=True)


@dataclass(frozen=True)
class DriftFragmentSettings(Settings):
    """Merging of clusters that replace each other as the tissue moves."""

    num_displacement_bins: int = setting(
        8, "displacements are divided into so many bins of equally many spikes", low=2, expert=True
    )
    max_fragment_distance: float = setting(
        0.7,
        "clusters whose templates differ by this share of the larger's energy are no fragments of one neuron",
        low=0.0,
        high=4.0,
        expert=True,
    )
    min_fragment_share: float = setting(
        0.3,
        "two clusters are fragments if the displacement explains this share of which of them a spike is of. On"
        " development recordings at most 0.12 for two whole neurons, and 0.34 to 1 for fragments of one",
        low=0.0,
        high=1.0,
        expert=True,
    )
    sure_fragment_share: float = setting(
        0.5,
        "above this share the most alike are merged first, below it those that replace each other best. A third of a"
        " neuron and the whole of another have up to 0.42; above, nearly all are fragments, but perhaps of two neurons",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_fragment_misalignment_ms: float = setting(
        0.3,
        "two clusters are shifted against each other by this much at most",
        unit="ms",
        low=0.0,
        high=0.5,
        expert=True,
    )


@dataclass(frozen=True)
class UnitMergingSettings(Settings):
    """Merging of units by the spikes that matching has found."""

    max_unit_distance: float = setting(
        0.8,
        "units whose templates differ by this share of the larger's energy are two",
        low=0.0,
        high=4.0,
        expert=True,
    )
    max_unit_distance_by_times: float = setting(
        0.5, "units that differ by this share are not merged by their times alone", low=0.0, high=4.0, expert=True
    )
    max_unit_misalignment_ms: float = setting(
        0.5, "two units are shifted against each other by this much at most", unit="ms", low=0.0, high=0.5, expert=True
    )
    min_burst_cosine: float = setting(
        0.95,
        "a unit is the later part of another's bursts if their templates have this cosine at least",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_burst_share: float = setting(
        0.6,
        "and if this share of its spikes follow one of the other within a burst's interval. By chance it is 0.15 for a"
        " unit of 15 Hz",
        low=0.0,
        high=1.0,
        expert=True,
    )


@dataclass(frozen=True)
class DriftMergingSettings(Settings):
    """Merging of units of drifting tissue."""

    min_exclusive_share: float = setting(
        0.3,
        "two units are parts of one neuron that replace each other if the state of the tissue explains more than this"
        " share of which of them a spike is of, and more than the share by which their templates differ. On seven"
        " development recordings four of five fragments have more, two neurons that are always active up to 0.22 (0.29"
        " where one of their units holds a third of another's spikes)",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_time_share: float = setting(
        0.17,
        "unless the time spent in a state explains this share of when one of them fires. A neuron that fires three"
        " times as fast in one half of the time as in the other has 0.1, one that is silent in one part 0.2, in two"
        " parts 0.5",
        low=0.0,
        high=1.0,
        expert=True,
    )
    num_time_parts: int = setting(
        4, "parts of the time spent in a state, to find neurons that are silent at first or at last", low=2, expert=True
    )
    min_exclusive_spikes: int = setting(
        12, "fewer spikes do not show at which displacements and when a unit fires", low=1, expert=True
    )
    compared_time_share: float = setting(
        0.5,
        "the valley under drift is measured in the states in which two units differ most, which together make up this"
        " share of the time",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_compared_spikes: int = setting(
        5, "units with fewer spikes in these states are not merged for want of a valley", low=1, expert=True
    )
