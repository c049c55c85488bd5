"""Settings of fingerprints and of tracking."""

from dataclasses import dataclass

from ..settings import Settings, setting


@dataclass(frozen=True)
class FingerprintSettings(Settings):
    """What is kept of a unit."""

    max_spikes_per_half: int = setting(
        100, "most spikes of each half of a unit that are averaged, and embedded where they are not yet", low=2
    )
    min_spikes_per_half: int = setting(
        30, "so many are read, or all that there are, wherever in the recording they lie", low=2, expert=True
    )
    num_read_blocks: int = setting(
        60, "the others lie in this many seconds, evenly over the recording", low=2, expert=True
    )
    num_fingerprint_channels: int = setting(
        20, "channels nearest to the unit on which its template is kept, at most", low=1, expert=True
    )
    ms_before: float = setting(
        0.8, "templates are kept from so long before their trough", unit="ms", low=0.3, high=2.0, expert=True
    )
    ms_after: float = setting(1.6, "to so long after it", unit="ms", low=0.5, high=4.0, expert=True)
    template_rate_hz: float = setting(
        15_000.0,
        "sampling rate at which templates are kept; spikes hold next to nothing above half of it",
        unit="Hz",
        low=5000.0,
        expert=True,
    )
    lag_ms: float = setting(1.0, "width of a bin of the autocorrelogram", unit="ms", low=0.1, expert=True)
    num_lags: int = setting(50, "bins of the autocorrelogram", low=1, expert=True)
    max_correlated_spikes: int = setting(
        10_000, "consecutive spikes of each half from which it is counted, at most", low=100, expert=True
    )


@dataclass(frozen=True)
class TrackingSettings(Settings):
    """How units of several sessions are compared."""

    min_probability: float = setting(
        0.5, "units are the same neuron if this is at least as probable", low=0.0, high=1.0
    )
    max_displacement_um: float = setting(
        400.0, "the probe may have moved by so much between any two sessions", unit="µm", low=0.0, high=5000.0
    )
    max_distance_um: float = setting(
        60.0,
        "units farther apart than this, after the displacement, are not compared",
        unit="µm",
        low=5.0,
        expert=True,
    )
    min_probe_length_um: float = setting(
        100.0, "no displacement is looked for with contacts over less depth than this", unit="µm", low=0.0, expert=True
    )
    displacement_kernel_um: float = setting(
        6.0, "width of the kernel of the vote for the displacement", unit="µm", low=1.0, expert=True
    )
    max_vote_error_um: float = setting(
        2.5,
        "a vote with a larger standard error is refined: units are compared at several displacements. On development"
        " sessions sure votes have errors of 1 to 1.5",
        unit="µm",
        low=0.0,
        expert=True,
    )
    refinement_reach_um: float = setting(
        30.0, "by so much on both sides of the two likeliest displacements", unit="µm", low=0.0, expert=True
    )
    refinement_step_um: float = setting(
        6.0,
        "in steps of this, then of a third of it: units are found again within about 10",
        unit="µm",
        low=0.5,
        expert=True,
    )
    vote_for_rest: float = setting(
        0.3, "a displacement of 0 begins with the vote of so many identical units", low=0.0, expert=True
    )
    embedding_sd: float = setting(
        0.8,
        "SD of the distance of mean embeddings of one neuron in two sessions",
        unit="noise SD",
        low=0.01,
        expert=True,
    )
    location_sd_um: float = setting(
        8.0, "SD of the place of one neuron in two sessions", unit="µm", low=0.5, expert=True
    )
    max_sessions_apart: int = setting(
        1000, "sessions farther apart in their order than this are not compared with each other", low=1, expert=True
    )
    prior_share: float = setting(
        0.7,
        "share of the neurons of one session that are in another, before anything is known",
        low=0.01,
        high=0.99,
        expert=True,
    )
    prior_weight: float = setting(
        4.0, "this share counts as much as so many units that were seen", low=0.1, expert=True
    )
