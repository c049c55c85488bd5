"""Settings of what is said and kept of each unit."""

from dataclasses import dataclass

from ...settings import Settings, setting


@dataclass(frozen=True)
class LabelSettings(Settings):
    """Which units are labelled "good", "mua" (multi-unit activity) or "noise"."""

    isi_threshold_ms: float = setting(
        2.0,
        "intervals below this violate the refractory period; contamination follows from them",
        unit="ms",
        low=0.1,
        high=10.0,
        expert=True,
    )
    num_presence_bins: int = setting(
        20, "presence is the share of so many equal parts of the recording with a spike", low=1, expert=True
    )
    min_snr_of_good: float = setting(
        3.0, "a good unit stands out of the noise by this", unit="noise SD", low=0.0, expert=True
    )
    max_contamination_of_good: float = setting(
        0.1,
        "and so few of its spikes are foreign, as in the Allen Institute's and IBL's practice",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_probability_of_good: float = setting(
        0.85, "and its spikes are surely its own: mean probability", low=0.0, high=1.0, expert=True
    )
    max_probability_of_noise: float = setting(
        0.7,
        "the label is noise below this mean probability, when three spikes in ten and more are something else. Six"
        " units of 15 development recordings were so, none of them a neuron's (agreement of 0.5 and more), and so are"
        " most of the false units that a crowd of far neurons makes",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_snr_of_noise: float = setting(
        5.0,
        "if it is also smaller than this: two units that share the spikes of one large neuron are not sure of them"
        " either",
        unit="noise SD",
        low=0.0,
        expert=True,
    )


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
    max_realignment_ms: float = setting(
        0.5,
        "the trough of an average is looked for so near to the spikes' times; those of other sorters are not at it",
        unit="ms",
        low=0.0,
        high=2.0,
        expert=True,
    )
    min_spikes_of_covariance: int = setting(
        3, "with fewer spikes the covariance of the embeddings says nothing", low=2, expert=True
    )
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
