"""Settings of what happens to a recording before its spikes are embedded."""

from dataclasses import dataclass

from ..settings import Settings, setting

PEAK_SIGNS = ("neg", "pos", "both")
MOTION_CHOICES = ("auto", "on", "off")
SWITCH = ("on", "off")


@dataclass(frozen=True)
class PreprocessingSettings(Settings):
    """Filter, reference, artifacts."""

    freq_min_hz: float = setting(300.0, "lower end of the band-pass filter", unit="Hz", low=1.0)
    freq_max_hz: float = setting(
        6000.0, "upper end of the band-pass filter, at most 0.45 of the sampling rate", unit="Hz", low=1.0
    )
    min_channels_for_reference: int = setting(
        16, "common median reference where every shank has this many channels", low=2
    )
    spike_reach_um: float = setting(
        75.0, "a spike is seen this far; see max_share_in_reach", unit="µm", low=0.0, expert=True
    )
    max_share_in_reach: float = setting(
        0.4,
        "no common median reference where a spike may reach more of a shank's contacts than this: their median would"
        " be a part of the spike. With 0.44 of them (16 contacts 20 µm apart) sorts had three false units",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_share_not_finite: float = setting(
        0.2,
        "a channel with a larger share of NaN or infinite samples is left out; fewer are interpolated",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_correlation_of_copies: float = setting(
        0.995,
        "channels of a higher correlation are one signal recorded twice, of which the first is kept; noise of contacts"
        " 6 µm apart has less",
        low=0.5,
        high=1.0,
        expert=True,
    )
    blank_steps: str = setting(
        "on", "blank 10 ms around steps of the baseline on most channels at once, as light makes them", choices=SWITCH
    )
    artifact_times: str = setting(
        "", "file of times of artifacts to be blanked, s from the start of the segment: text, a line each, or .npy"
    )
    artifact_ms_before: float = setting(1.0, "blanked before each of these times", unit="ms", low=0.0)
    artifact_ms_after: float = setting(5.0, "and after it", unit="ms", low=0.0)
    exclude: str = setting(
        "", "periods to be left out, s from the start of the segment: 12.5-13.0,60-75; of another segment 1:12.5-13.0"
    )
    remove_lines: str = setting("on", "subtract periodic signals, such as harmonics of mains", choices=SWITCH)
    min_line_power: float = setting(
        0.002,
        "least power of such a signal over that of all, spikes clipped at 3 SDs: a neuron of SNR 20 that fires like a"
        " clock, at 30 Hz, has 0.0005 in each harmonic",
        low=0.0,
        expert=True,
    )
    min_noise_ratio: float = setting(
        1.3,
        "noise is raised where most channels have more than this times their usual SD; thresholds follow it. A quarter"
        " of a second measures it to 4 %",
        low=1.05,
        expert=True,
    )
    min_noise_ratio_of_channel: float = setting(
        2.5,
        "or one channel has this much, as no neuron's burst gives: one of 250 Hz makes 1.9",
        low=1.05,
        expert=True,
    )
    artifact_threshold: float = setting(
        150.0,
        "blank what is larger than this on a quarter of the channels, four at least; 0: nothing",
        unit="noise SD",
        low=0.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freq_min_hz >= self.freq_max_hz:
            raise ValueError(
                f"Got freq_min_hz={self.freq_min_hz:g} and freq_max_hz={self.freq_max_hz:g}; the first must be smaller."
            )


@dataclass(frozen=True)
class DetectionSettings(Settings):
    """Threshold crossings."""

    detect_threshold: float = setting(4.5, "detection threshold", unit="noise SD", low=1.0)
    peak_sign: str = setting("neg", "sign of the peaks", choices=PEAK_SIGNS)
    detect_radius_um: float = setting(75.0, "one peak is kept within this distance", unit="µm", low=0.0)
    exclude_sweep_ms: float = setting(0.5, "and within this time", unit="ms", low=0.0, high=10.0)


@dataclass(frozen=True)
class MotionSettings(Settings):
    """Drift of the probe."""

    motion: str = setting("auto", "follow the probe's drift: auto where the probe can show it", choices=MOTION_CHOICES)
    equalise_noise: str = setting(
        "on",
        "keep the noise of corrected traces from following the motion, as interpolation makes it",
        choices=SWITCH,
        expert=True,
    )
    drifting_templates: str = setting(
        "on",
        "match traces as recorded with templates that drift, or corrected traces with templates at rest",
        choices=SWITCH,
        expert=True,
    )


@dataclass(frozen=True)
class WhiteningSettings(Settings):
    """Noise that is independent between channels and samples."""

    whiten_in_time: str = setting(
        "on", "whiten in space and time, or in space alone, as sorters commonly do", choices=SWITCH, expert=True
    )
