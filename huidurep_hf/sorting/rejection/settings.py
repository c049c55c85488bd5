"""Settings of the rejection of clusters and units that are not neurons."""

from dataclasses import dataclass

from ...settings import Settings, setting


@dataclass(frozen=True)
class SecondaryPeakSettings(Settings):
    """Rejection of clusters of spikes that are another cluster's, detected at another of their deflections."""

    max_extremum_offset_ms: float = setting(
        0.2,
        "the average of a neuron's cluster has its extremum so near to its spikes: the trough is later on some channels"
        " than on others",
        unit="ms",
        low=0.03,
        high=1.0,
        expert=True,
    )
    min_secondary_share: float = setting(
        0.5,
        "a cluster without that is one of secondary peaks if another cluster has a spike at the extremum for more than"
        " this share of its spikes. By chance that is so for one in a hundred",
        low=0.0,
        high=1.0,
        expert=True,
    )


@dataclass(frozen=True)
class CollisionSettings(Settings):
    """Rejection of clusters whose spikes are overlaps of other clusters' spikes."""

    max_relative_count: float = setting(
        0.6,
        "a cluster can be a collision of others only if it has less than this share of the spikes of each",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_collision_residual: float = setting(
        0.7,
        "and if less than this share of the energy of its template is left when others are subtracted",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_collision_share: float = setting(
        0.25,
        "it is one if others alone explain more than this share of its spikes better than it does together with others."
        " On fifteen development recordings that was 0.3 and more for nearly all of 50 collisions, and 0.15 at most for"
        " neurons (0.18 for one of a recorded tetrode that is like another there)",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_collision_lag_ms: float = setting(
        1.2, "others are looked for at lags up to this", unit="ms", low=0.3, high=5.0, expert=True
    )
    min_collision_overlap: float = setting(
        0.1,
        "others do not collide in it if its template has no more than this share of theirs, at the best lag",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_colliding_units: int = setting(3, "most others in one collision", low=1, expert=True)
    max_spikes_per_collision_test: int = setting(60, "most spikes of a cluster that are judged", low=5, expert=True)


@dataclass(frozen=True)
class SideLobeSettings(Settings):
    """Rejection of units whose spikes are side lobes of very large spikes."""

    min_size_with_lobes: float = setting(
        15.0,
        "a unit of this size has side lobes that may be detected: lobes of up to a fifth of a spike were seen",
        unit="noise SD",
        low=1.0,
        expert=True,
    )
    max_lobe_size: float = setting(
        0.25, "a side lobe is smaller than this share of the spike", low=0.0, high=1.0, expert=True
    )
    min_lobe_lag_ms: float = setting(
        0.8,
        "from the spike at least; what is closer lies within its template",
        unit="ms",
        low=0.0,
        high=5.0,
        expert=True,
    )
    max_lobe_lag_ms: float = setting(5.0, "and at most", unit="ms", low=1.0, high=20.0, expert=True)
    min_lobe_share: float = setting(
        0.35,
        "a lobe is where the average of the larger unit has this share of the smaller unit's waveform. Detection takes"
        " those that noise makes larger",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_explained_spikes: float = setting(
        0.5, "a unit is one if more than this share of its spikes are lobes", low=0.0, high=1.0, expert=True
    )
    min_spikes_with_lobes: int = setting(
        10,
        "the larger unit is averaged over this many spikes at least, none of a similar size near",
        low=1,
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
    min_detected_share: float = setting(
        0.4,
        "a unit of which fewer spikes were detected than this share of those expected under noise is a residual of"
        " others. Of 184 units of ten development recordings with bursts and synchrony, neurons had 0.5 and more; 0.14,"
        " 0.24 and 0.39 were residual units (and 0.38 a neuron of which a third was found)",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_fast_hz: float = setting(
        1000.0, "a spike has energy above this frequency", unit="Hz", low=100.0, high=5000.0, expert=True
    )
    min_fast_share: float = setting(
        0.02,
        "a unit of whose energy a smaller share is above it is an oscillation: ripples of 300 to 500 Hz have 0.004 to"
        " 0.015, the widest neurons of development recordings 0.04, most 0.2",
        low=0.0,
        high=1.0,
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
