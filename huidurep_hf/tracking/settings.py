"""Settings of tracking."""

from dataclasses import dataclass

from ..settings import Settings, setting


@dataclass(frozen=True)
class TrackingSettings(Settings):
    """How units of several sessions are compared."""

    min_probability: float = setting(
        0.5, "units are the same neuron if this is at least as probable", low=0.0, high=0.999
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
    min_found_share: float = setting(
        0.15,
        "a vote is refined, too, if a smaller share of the units of the smaller session is found again at it. On"
        " development sessions it was 0.19 and more at the true displacement, and at most 0.11 at others",
        low=0.0,
        high=1.0,
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
