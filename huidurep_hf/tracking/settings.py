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
        "after a vote with a larger standard error displacements are searched: units are compared at each. On"
        " development sessions sure votes have errors of 1 to 1.5",
        unit="µm",
        low=0.0,
        expert=True,
    )
    min_found_share: float = setting(
        0.15,
        "a displacement is sure if so large a share of the units of the smaller session is found again at it. On"
        " development sessions it was 0.20 and more at the true displacement, and at most 0.14 at others; where no"
        " neuron was in both 0.17 and less",
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
    max_searches: int = setting(
        5,
        "where votes are unsure, displacements are searched in vain in so many pairs of two sets of sessions, or of a"
        " session; those nearest in time first",
        low=1,
        expert=True,
    )
    min_sure_votes: int = setting(
        4, "a session is searched in its other pairs until so many of them have a sure displacement", low=1, expert=True
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
    use_correlograms: str = setting(
        "off",
        "autocorrelograms count, too; how much is learned from the two halves of each session. For neurons that fire in"
        " the same way on all days",
        choices=("off", "on"),
    )
    max_sessions_apart: int = setting(
        1000,
        "sessions farther apart in their order than this are not compared with each other. A neuron whose shape changes"
        " from day to day may be like itself over some days alone",
        low=1,
    )
    prior_share: float = setting(
        0.7,
        "share of the neurons of one session that are in another, before anything is known",
        low=0.01,
        high=0.99,
        expert=True,
    )
    unplaced_share: float = setting(
        0.05,
        "the same share for sessions of which no sure displacement was found, though the contacts could show one",
        low=0.001,
        high=0.99,
        expert=True,
    )
    prior_weight: float = setting(
        4.0, "this share counts as much as so many units that were seen", low=0.1, expert=True
    )
