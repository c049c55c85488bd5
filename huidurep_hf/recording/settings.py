"""Settings of what happens to a recording before its spikes are embedded."""

from dataclasses import dataclass

from ..settings import Settings, setting

PEAK_SIGNS = ("neg", "pos", "both")
MOTION_CHOICES = ("auto", "on", "off")
SWITCH = ("on", "off")


@dataclass(frozen=True)
class PreprocessingSettings(Settings):
    """Segments, sampling times, filter and reference."""

    min_segment_ms: float = setting(
        10.0, "shorter segments are left out: they hold no spike", unit="ms", low=1.0, expert=True
    )
    sampling_time_margin_ms: float = setting(
        10.0,
        "channels that were sampled in turns are brought to one time with this much around each stretch of traces;"
        " SpikeInterface's 40 ms change nothing after the band-pass and take longer",
        unit="ms",
        low=1.0,
        high=1000.0,
        expert=True,
    )
    freq_min_hz: float = setting(300.0, "lower end of the band-pass filter", unit="Hz", low=1.0)
    freq_max_hz: float = setting(
        6000.0, "upper end of the band-pass filter, at most 0.45 of the sampling rate", unit="Hz", low=1.0
    )
    max_freq_to_sampling_rate: float = setting(
        0.45,
        "largest upper end of the band-pass filter, of the sampling rate: the filter loses its meaning close to a half",
        low=0.1,
        high=0.49,
        expert=True,
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

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_unordered(self, "freq_min_hz", "freq_max_hz")

    def highest_freq_hz(self, sampling_rate: float) -> float:
        """Upper end of the band-pass filter at a sampling rate, Hz."""
        return min(self.freq_max_hz, self.max_freq_to_sampling_rate * sampling_rate)


@dataclass(frozen=True)
class LineSettings(Settings):
    """Periodic signals, such as harmonics of mains."""

    remove_lines: str = setting("on", "subtract periodic signals, such as harmonics of mains", choices=SWITCH)
    min_line_power: float = setting(
        0.002,
        "least power of such a signal over that of all, spikes clipped at 3 SDs: a neuron of SNR 20 that fires like a"
        " clock, at 30 Hz, has 0.0005 in each harmonic",
        low=0.0,
        expert=True,
    )
    line_window_s: float = setting(
        4.0,
        "the spectrum is that of windows of this length; 4 s make it a quarter of a Hz fine",
        unit="s",
        low=0.5,
        expert=True,
    )
    max_line_windows: int = setting(6, "of so many windows at most, evenly over the recording", low=1, expert=True)
    max_line_channels: int = setting(8, "and of so many channels at most, evenly over the probe", low=1, expert=True)
    line_background_hz: float = setting(
        60.0, "without a line the density is as in the median of so much around it", unit="Hz", low=1.0, expert=True
    )
    min_line_ratio: float = setting(
        12.0,
        "a line's density is so many times above that; the mean over windows and channels of noise alone never is",
        low=1.0,
        expert=True,
    )
    line_clip_sd: float = setting(
        3.0,
        "samples beyond this may be of spikes: they are clipped in one spectrum and left out of the other",
        unit="noise SD",
        low=1.0,
        expert=True,
    )
    line_spike_ms: float = setting(
        4.0, "and so are the samples this close to them", unit="ms", low=0.1, high=100.0, expert=True
    )
    max_mains_error_hz: float = setting(
        0.3, "a line of mains is off from a multiple of 50 or 60 Hz by less than this", unit="Hz", low=0.0, expert=True
    )
    max_mains_relative_error: float = setting(
        1e-3,
        "and, beyond that, by this share of its frequency: the error grows with the multiple",
        low=0.0,
        high=0.1,
        expert=True,
    )
    min_share_of_mains: float = setting(
        0.8,
        "lines that spikes may have made as well are subtracted where a larger share of them than this is of mains:"
        " every second line of a clock of 25 or 30 Hz is one of mains",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_line_fit_s: float = setting(
        0.5,
        "a line is fitted to at least this much of the traces, so that it fits no spike",
        unit="s",
        low=0.01,
        expert=True,
    )


@dataclass(frozen=True)
class NoiseSettings(Settings):
    """Level of the noise, and when it is raised."""

    num_noise_stretches: int = setting(
        20, "medians and noise are estimated from so many stretches, at random places", low=1, expert=True
    )
    noise_stretch_s: float = setting(0.5, "length of each of them", unit="s", low=0.01, expert=True)
    silence_ms: float = setting(
        10.0,
        "traces that stay small for so long, on all channels, are no noise: a headstage that was off, a stretch that"
        " someone blanked",
        unit="ms",
        low=0.1,
        expert=True,
    )
    silent_share: float = setting(
        1e-3, "small is below this share of what they usually reach", low=0.0, high=1.0, expert=True
    )
    max_silence: float = setting(
        0.9,
        "a recording that is silent for longer than this share of its time is taken as it is: its noise may be nearly"
        " nothing",
        low=0.0,
        high=1.0,
        expert=True,
    )
    max_stretch_noise_ratio: float = setting(
        1.3,
        "a stretch is left out where most channels have more than this times the noise of a quiet one",
        low=1.0,
        expert=True,
    )
    max_stretch_noise_ratio_of_channel: float = setting(
        2.5,
        "and for one channel where that has more than this. Where neurons drift past, a channel has up to twice as"
        " much",
        low=1.0,
        expert=True,
    )
    quiet_quantile: float = setting(
        0.25, "a quiet stretch is at this quantile of a channel's noise", low=0.0, high=1.0, expert=True
    )
    noise_windows_per_block: int = setting(
        4, "noise over time is measured in so many windows a second", low=1, high=100, expert=True
    )
    noise_parts_per_window: int = setting(8, "each window in so many parts", low=1, high=100, expert=True)
    noise_part_rank: int = setting(
        2,
        "the part with so many quieter ones counts: spikes fill some parts of a window, and raised noise all of them",
        low=0,
        high=99,
        expert=True,
    )
    noise_sample_step: int = setting(4, "on every so many-th sample", low=1, high=100, expert=True)
    min_samples_per_noise_part: int = setting(
        25, "a window with fewer of them in each part is too short to tell", low=1, expert=True
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise_part_rank >= self.noise_parts_per_window:
            raise ValueError(
                f"Got noise_part_rank={self.noise_part_rank} and noise_parts_per_window={self.noise_parts_per_window};"
                " the first must be smaller."
            )


@dataclass(frozen=True)
class BadChannelSettings(Settings):
    """Channels that are left out."""

    max_share_not_finite: float = setting(
        0.2,
        "a channel with a larger share of NaN or infinite samples is left out; fewer are interpolated",
        low=0.0,
        high=1.0,
        expert=True,
    )
    interpolation_margin_s: float = setting(
        0.1,
        "so much around each stretch of traces is read for it: a gap at an end needs finite samples on both sides",
        unit="s",
        low=0.001,
        expert=True,
    )
    max_noise_ratio_of_dead: float = setting(
        0.05,
        "a channel with less than this share of the median channel's noise is dead; with a tenth it still works",
        low=0.0,
        high=1.0,
        expert=True,
    )
    min_noise_ratio_of_noisy: float = setting(
        20.0, "a channel with more than this times the median channel's noise is noisy", low=1.0, expert=True
    )
    min_correlation_of_copies: float = setting(
        0.995,
        "channels of a higher correlation are one signal recorded twice, of which the first is kept; noise of contacts"
        " 6 µm apart has less",
        low=0.5,
        high=1.0,
        expert=True,
    )
    max_difference_of_copies: float = setting(
        0.02,
        "and so are channels that differ by less than this share of their size. Where most channels are copies, their"
        " median is that one signal, and nothing is left to correlate",
        low=0.0,
        high=1.0,
        expert=True,
    )
    copy_clip_sd: float = setting(
        4.0,
        "samples beyond this count as this: a few large artifacts do not make two channels one",
        unit="noise SD",
        low=1.0,
        expert=True,
    )
    min_channels_for_copy_median: int = setting(
        4,
        "what all channels share does not make two of them one: with this many channels their median is subtracted",
        low=2,
        expert=True,
    )
    copy_stretch_step: int = setting(
        4, "copies are looked for in every so many-th stretch from which the noise is estimated", low=1, expert=True
    )


@dataclass(frozen=True)
class ArtifactSettings(Settings):
    """Periods that are blanked."""

    artifact_threshold: float = setting(
        150.0,
        "blank what is larger than this on a quarter of the channels, four at least; 0: nothing. The loudest neurons of"
        " simulated tetrodes in little noise reach 75 on all four contacts",
        unit="noise SD",
        low=0.0,
    )
    min_artifact_share: float = setting(
        0.25, "share of the channels that an artifact is on, at least", low=0.0, high=1.0, expert=True
    )
    min_artifact_channels: int = setting(
        4, "and channels; fewer than four contacts cannot distinguish it from a neuron", low=1, expert=True
    )
    artifact_margin_ms: float = setting(
        10.0,
        "blanked around each artifact and step of the baseline: the band-pass rings for about so long",
        unit="ms",
        low=0.0,
        expert=True,
    )
    max_blanked_share: float = setting(
        0.1,
        "where more of the recording than this would be blanked, something else is the matter, and none is",
        low=0.0,
        high=1.0,
        expert=True,
    )
    artifact_times: str = setting(
        "",
        "file of times of artifacts to be blanked, s from the start of the segment: text, a line each, or .npy. In two"
        " columns segment (0, 1, ...) and time, in one times of the first segment",
    )
    artifact_ms_before: float = setting(1.0, "blanked before each of these times", unit="ms", low=0.0)
    artifact_ms_after: float = setting(5.0, "blanked after each of these times", unit="ms", low=0.0)
    exclude: str = setting(
        "", "periods to be left out, s from the start of the segment: 12.5-13.0,60-75; of another segment 1:12.5-13.0"
    )


@dataclass(frozen=True)
class StepSettings(Settings):
    """Steps of the baseline on most channels at once."""

    blank_steps: str = setting(
        "on", "blank 10 ms around steps of the baseline on most channels at once, as light makes them", choices=SWITCH
    )
    min_step_share: float = setting(
        0.75, "share of the channels that must show a step, all in one direction", low=0.0, high=1.0, expert=True
    )
    step_threshold: float = setting(
        4.5, "a step passes this after the band-pass", unit="noise SD", low=1.0, expert=True
    )
    step_apart_ms: float = setting(
        2.0, "what passes it within this time is one step", unit="ms", low=0.1, high=100.0, expert=True
    )
    step_gap_ms: float = setting(
        1.5,
        "the baseline before and after is a line through what is farther from the step than this",
        unit="ms",
        low=0.0,
        high=100.0,
        expert=True,
    )
    step_fit_ms: float = setting(8.0, "and nearer than this", unit="ms", low=0.1, high=1000.0, expert=True)
    min_relative_step: float = setting(
        0.8,
        "least step, of its deflection after the band-pass; a spike's after-potential is less than a fifth",
        low=0.0,
        expert=True,
    )
    min_step_deviations: float = setting(
        5.0,
        "and over the SD of the steps that are there at any time, such as slow potentials make them",
        low=0.0,
        expert=True,
    )
    min_step_median_share: float = setting(
        0.4,
        "the medians of both sides differ by this share of it at least; a large spike beside the place bends the line"
        " alone",
        low=0.0,
        high=1.0,
        expert=True,
    )
    step_places_per_stretch: int = setting(
        10,
        "steps at any time are measured at so many places of each stretch from which the noise is estimated",
        low=1,
        expert=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_unordered(self, "step_gap_ms", "step_fit_ms")


@dataclass(frozen=True)
class DetectionSettings(Settings):
    """Threshold crossings."""

    detect_threshold: float = setting(
        4.5, "a peak exceeds this, in SDs of the noise of its channel", unit="noise SD", low=1.0
    )
    peak_sign: str = setting("neg", "sign of the peaks", choices=PEAK_SIGNS)
    detect_radius_um: float = setting(75.0, "the largest peak within this distance is kept", unit="µm", low=0.0)
    exclude_sweep_ms: float = setting(
        0.5, "the largest peak within this time and detect_radius_um is kept", unit="ms", low=0.0, high=10.0
    )
    sign_check_s: float = setting(
        20.0, "the sign of the spikes is checked in this much of the longest segment", unit="s", low=1.0, expert=True
    )
    min_peaks_for_sign: int = setting(30, "fewer peaks there do not tell it", low=1, expert=True)
    max_share_of_other_sign: float = setting(
        0.6,
        "a warning is given where a larger share of the peaks has the other sign; in development recordings a tenth to"
        " a quarter points up",
        low=0.0,
        high=1.0,
        expert=True,
    )


@dataclass(frozen=True)
class MotionSettings(Settings):
    """Drift of the probe, and whether it is followed."""

    motion: str = setting("auto", "follow the probe's drift: auto where the probe can show it", choices=MOTION_CHOICES)
    min_motion_channels: int = setting(
        24,
        "motion is estimated where every shank has this many channels; on fewer a neuron leaves the probe before its"
        " motion can be estimated",
        low=2,
        expert=True,
    )
    min_motion_span_um: float = setting(250.0, "which span this much along the probe", unit="µm", low=0.0, expert=True)
    min_motion_duration_s: float = setting(20.0, "in a recording of this duration", unit="s", low=1.0, expert=True)
    min_motion_peaks_per_s: float = setting(5.0, "with so many spikes", unit="1/s", low=0.0, expert=True)
    min_motion_um: float = setting(
        5.0,
        "smaller motion is not followed: it is within the error of its estimate, and interpolation of traces costs a"
        " little of every spike",
        unit="µm",
        low=0.0,
        expert=True,
    )
    motion_median_s: float = setting(
        9.0,
        "a running median over this time tells how far the motion goes: tissue moves slowly against it, but for jumps",
        unit="s",
        low=0.1,
        expert=True,
    )
    motion_extent_percentile: float = setting(
        5.0,
        "it goes from this percentile of that median to the one as far from 100",
        unit="%",
        low=0.0,
        high=49.0,
        expert=True,
    )
    min_motion_agreement: float = setting(
        0.5,
        "correlation of the estimates from half of the spikes each, at least. Few or faint spikes can look like motion"
        " as large as the probe; another half of them does not look like the same",
        low=-1.0,
        high=1.0,
        expert=True,
    )
    sure_peak_sd: float = setting(
        8.0,
        "shanks are compared by peaks of this size: smaller ones of a shank without neurons are multi-unit background,"
        " which does not show motion",
        unit="noise SD",
        low=1.0,
        expert=True,
    )
    max_entropy_gain_alone: float = setting(
        0.1,
        "by more than this the entropy of the corrected depths of a shank's spikes must not be lower with another"
        " motion than that of all shanks. In simulations up to 0.03 where it moves as all do, 0.2 and more where it"
        " stands still or moves twice as far",
        unit="nats",
        low=0.0,
        expert=True,
    )
    entropy_bin_um: float = setting(
        5.0, "bin of the histogram of depths from which it is computed", unit="µm", low=0.1, expert=True
    )
    interpolation_sigma_um: float = setting(
        20.0,
        "traces are corrected by kriging between contacts, whose weights fall off over this distance; as in Kilosort",
        unit="µm",
        low=1.0,
        expert=True,
    )
    drifting_templates: str = setting(
        "on",
        "match traces as recorded with templates that drift, or corrected traces with templates at rest",
        choices=SWITCH,
        expert=True,
    )


@dataclass(frozen=True)
class MotionEstimationSettings(Settings):
    """Estimate of the motion from spikes (DREDge)."""

    motion_window_um: float = setting(
        400.0,
        "windows of a long probe in which the motion may differ; a probe shorter than two has one",
        unit="µm",
        low=20.0,
        expert=True,
    )
    motion_bin_s: float = setting(
        1.0, "time bin of the motion; a segment has two at least", unit="s", low=0.1, expert=True
    )
    max_motion_bins: int = setting(
        1800,
        "bins are made longer where there would be more: an hour has 1,800 of 2 s. The memory of the estimate grows"
        " with the square of their number (1.2 GB for these, on a Neuropixels)",
        low=10,
        expert=True,
    )
    motion_smoothing_s: float = setting(
        2.0,
        "images of the spikes are smoothed over this time. A bin of a second holds a hundred spikes where neurons are"
        " few: smoothed over 1 s and 1 µm, as by default, some bins look as if the tissue had jumped by a row of"
        " contacts",
        unit="s",
        low=0.1,
        expert=True,
    )
    motion_smoothing_um: float = setting(5.0, "and over this depth", unit="µm", low=0.1, expert=True)


@dataclass(frozen=True)
class NoiseEqualisationSettings(Settings):
    """Noise of traces that are corrected for motion."""

    equalise_noise: str = setting(
        "on",
        "keep the noise of corrected traces from following the motion, as interpolation makes it",
        choices=SWITCH,
        expert=True,
    )
    equalisation_bin_um: float = setting(
        2.0, "displacements within a bin share one measurement of the noise", unit="µm", low=0.1, expert=True
    )
    max_equalisation_stretches: int = setting(
        300, "it is measured in so many stretches of the recording at most", low=1, expert=True
    )
    equalisation_stretch_ms: float = setting(
        200.0, "each so long, within one bin of the motion", unit="ms", low=1.0, expert=True
    )


@dataclass(frozen=True)
class WhiteningSettings(Settings):
    """Noise that is independent between channels and samples."""

    whiten_in_time: str = setting(
        "on", "whiten in space and time, or in space alone, as sorters commonly do", choices=SWITCH, expert=True
    )
    whitening_radius_um: float = setting(
        100.0,
        "channels farther apart share too little noise to be worth the estimate of their covariance",
        unit="µm",
        low=0.0,
        expert=True,
    )
    whitening_regularisation: float = setting(
        1e-3, "added to the covariance over channels, of its median variance", low=0.0, expert=True
    )
    prediction_ms: float = setting(
        0.2, "the noise of a sample is predicted from so much before it", unit="ms", low=0.0, high=5.0, expert=True
    )
    relative_noise_floor: float = setting(
        0.2,
        "added to the noise's variance before prediction, so that frequencies that the band-pass took away are not"
        " blown up: a median reference leaves a little noise there that all channels share. Of 0.001 to 0.8, 0.1 to"
        " 0.4 separated the neurons of development recordings best: a quarter more than 0.001 on 32 channels",
        low=0.0,
        expert=True,
    )
    noise_correlation_ms: float = setting(
        1.0,
        "farther apart than this, samples of whitened noise are independent",
        unit="ms",
        low=0.0,
        high=20.0,
        expert=True,
    )
    noise_spike_sd: float = setting(
        4.0,
        "samples around a deflection beyond this count as spikes, and not as noise",
        unit="noise SD",
        low=1.0,
        expert=True,
    )
    noise_spike_ms: float = setting(1.3, "within this time of it", unit="ms", low=0.0, high=100.0, expert=True)
    large_spike_sd: float = setting(
        10.0,
        "the covariance over channels is without spikes beyond this. Spikes of 60 SDs, 45 a second, would make noise"
        " too small along their direction and too large across it: neurons of 6 SDs then split in five. Without all"
        " spikes (4), tetrodes with spikes of up to 20 SDs lost 0.02 in accuracy; with 10 they are as before",
        unit="noise SD",
        low=1.0,
        expert=True,
    )


@dataclass(frozen=True)
class MotionStateSettings(Settings):
    """States of the tissue: stretches of time during which its displacement is nearly the same."""

    max_state_deviation_um: float = setting(
        1.5,
        "displacements within a state differ from the state's by this much (root mean square), as they do when they are"
        " rounded to 5 µm; the potential of the closest neurons changes over 15 µm and more",
        unit="µm",
        low=0.01,
        expert=True,
    )
    max_motion_states: int = setting(
        24,
        "most states, whatever the deviation: each costs the setting up of its own template matching",
        low=1,
        expert=True,
    )
    state_growth: float = setting(
        1.2, "where states deviate too much, so many times as many are tried", low=1.0, high=10.0, expert=True
    )
    num_state_starts: int = setting(
        3, "k-means groups displacements to states, the best from so many starts", low=1, expert=True
    )


@dataclass(frozen=True)
class AlignmentSettings(Settings):
    """Troughs of spikes whose times are given, as by a ground truth; the sorter detects its own."""

    peak_search_ms: float = setting(
        0.3, "a spike's trough is looked for so near its stated time", unit="ms", low=0.0, high=5.0, expert=True
    )
    spikes_for_main_channel: int = setting(
        100,
        "a unit's largest channel is seen in so many of its spikes; more change nothing",
        low=1,
        expert=True,
    )


def _refuse_unordered(settings: Settings, first: str, second: str) -> None:
    """Raise a `ValueError` where the first of two settings, by name, is not smaller."""
    low, high = getattr(settings, first), getattr(settings, second)
    if low >= high:
        raise ValueError(f"Got {first}={low:g} and {second}={high:g}; the first must be smaller.")
