"""Settings of template matching."""

from dataclasses import dataclass

from ...settings import Settings, setting


@dataclass(frozen=True)
class TemplateFitSettings(Settings):
    """Fit of the clusters' templates to single spikes, while clusters are merged and collisions are found."""

    min_fit_scale: float = setting(
        0.75,
        "a template is made smaller by this at most: a burst's spikes may be smaller than the template, an average, but"
        " scaling must not make those of another unit fit",
        low=0.1,
        high=1.0,
        expert=True,
    )
    max_fit_scale: float = setting(1.33, "and larger by this", low=1.0, high=10.0, expert=True)
    max_fit_shift_ms: float = setting(0.13, "and shifted by this much", unit="ms", low=0.0, high=0.3, expert=True)


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
    min_samples_per_period: float = setting(
        2.5,
        "templates are matched at a half or less of the sampling rate where this leaves so many samples in a period of"
        " the upper end of the pass band. 2 are the least that show a frequency, and spikes reach a little above that"
        " end: of a median template less than 0.1 % of the energy is more than a twelfth above it, 2 % of the worst",
        unit="samples",
        low=2.4,
        high=1000.0,
        expert=True,
    )
    num_shifts: int = setting(
        5, "sub-sample shifts at which a spike is subtracted, from -1/2 to 1/2", low=1, high=17, expert=True
    )
    duplicate_ms: float = setting(
        0.3, "spikes of one unit closer than this are one spike", unit="ms", low=0.0, high=2.0
    )
    same_event_ms: float = setting(
        0.4,
        "a matched spike and a detected peak closer than this, on neighbouring channels, are one event",
        unit="ms",
        low=0.0,
        high=2.0,
        expert=True,
    )


@dataclass(frozen=True)
class BurstSettings(Settings):
    """Weakened spikes of units that burst."""

    min_burst_interval_ms: float = setting(
        1.5,
        "shortest interval of two spikes in a burst; below, two templates may have matched one spike",
        unit="ms",
        low=0.0,
        high=100.0,
        expert=True,
    )
    max_burst_interval_ms: float = setting(
        12.0, "longest interval of two spikes in a burst", unit="ms", low=0.1, high=100.0, expert=True
    )
    min_burst_intervals: int = setting(20, "a unit bursts if it has this many such intervals", low=1, expert=True)
    min_burst_ratio: float = setting(
        1.5,
        "and more than this many times what chance gives at its rate. Of 1.5 and 3, the latter misses fast units that"
        " burst",
        low=0.0,
        expert=True,
    )
    min_gain_in_burst: float = setting(
        14.0,
        "least gain of a weakened spike in a burst, which is likelier than a spike elsewhere",
        unit="noise variances",
        low=1.0,
        expert=True,
    )
    weakened: float = setting(0.65, "size of a spike late in a burst, of the template", low=0.1, high=1.0, expert=True)
    min_gap_to_others_ms: float = setting(
        0.5,
        "a weakened spike is left out within this time of a spike of another unit, of which it may be the residual",
        unit="ms",
        low=0.0,
        high=10.0,
        expert=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_burst_interval_ms >= self.max_burst_interval_ms:
            raise ValueError(
                f"Got min_burst_interval_ms={self.min_burst_interval_ms:g} and"
                f" max_burst_interval_ms={self.max_burst_interval_ms:g}; the first must be smaller."
            )


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
