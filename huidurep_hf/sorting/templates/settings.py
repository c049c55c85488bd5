"""Settings of waveforms and templates."""

from dataclasses import dataclass

from ...settings import Settings, setting


@dataclass(frozen=True)
class WaveformSettings(Settings):
    """Whitened waveforms by which clusters, and units under drift, are compared."""

    # The limits keep this window inside that of a template, and the shift of a fit inside the margin.
    waveform_ms_before: float = setting(
        0.5, "waveforms begin this long before the peak", unit="ms", low=0.1, high=0.7, expert=True
    )
    waveform_ms_after: float = setting(1.2, "and end this long after it", unit="ms", low=0.2, high=1.5, expert=True)
    waveform_margin_ms: float = setting(
        0.5,
        "a spike is shifted by this much at most from where it was detected",
        unit="ms",
        low=0.3,
        high=2.0,
        expert=True,
    )
    num_waveform_channels: int = setting(16, "nearest channels on which a spike is cut, at most", low=1, expert=True)
    max_spikes_per_average: int = setting(300, "most spikes of a cluster that are averaged", low=10, expert=True)
    min_share_on_channel: float = setting(
        0.5,
        "an average is left out on channels on which fewer spikes than this share were cut: it would show those few,"
        " with all their noise",
        low=0.0,
        high=1.0,
        expert=True,
    )
    num_waveform_shapes: int = setting(
        10,
        "temporal shapes to which averages are reduced, singular vectors of spikes on their peak channels",
        low=1,
        expert=True,
    )
    num_spikes_for_shapes: int = setting(6000, "spikes from which these shapes are found, at most", low=10, expert=True)
    num_waveform_deviations: float = setting(
        4.0,
        "an average is kept on channels where its energy lies so many SDs above that of averaged noise",
        low=0.0,
        expert=True,
    )


@dataclass(frozen=True)
class TemplateSettings(Settings):
    """Templates for template matching."""

    template_ms_before: float = setting(
        1.0, "templates begin this long before the peak", unit="ms", low=0.8, high=5.0, expert=True
    )
    template_ms_after: float = setting(2.0, "and end this long after it", unit="ms", low=1.6, high=10.0, expert=True)
    max_spikes_per_template: int = setting(500, "most spikes of a unit that are averaged", low=10, expert=True)
    num_template_channels: int = setting(
        24, "a unit is looked for on so many channels around its peak, at most", low=1, expert=True
    )
    min_template_peak_to_peak: float = setting(
        0.3,
        "and on those where its template has at least this much, peak to peak",
        unit="noise SD",
        low=0.0,
        expert=True,
    )
    min_template_deviations: float = setting(
        4.0,
        "and on those where it stands so many SDs out of the noise of the average, peak to peak",
        unit="SD of the average",
        low=0.0,
        expert=True,
    )
    num_template_shapes: int = setting(
        10,
        "temporal shapes that all templates share and that are taken as they are; the rest of a template is shrunk by"
        " the noise that is in it",
        low=1,
        expert=True,
    )
    min_energy_of_shapes: float = setting(
        3.0,
        "shapes are found from averages on channels with at least this many times the energy of their noise",
        low=0.0,
        expert=True,
    )
    max_realignment_ms: float = setting(
        0.6,
        "the times of a unit's spikes are moved to the extremum of their average, by this much at most",
        unit="ms",
        low=0.0,
        high=0.8,
        expert=True,
    )


@dataclass(frozen=True)
class DriftingTemplateSettings(Settings):
    """Templates for each state of drifting tissue, by a Gaussian process."""

    max_spikes_per_field: int = setting(1000, "most spikes of a unit that are used", low=10, expert=True)
    displacement_bin_um: float = setting(
        2.0, "spikes at displacements within a bin are averaged", unit="µm", low=0.1, expert=True
    )
    max_displacement_bins: int = setting(
        30,
        "bins are wider where there would be more of them than this: the time that a field takes grows with the cube of"
        " their number",
        low=2,
        expert=True,
    )
    num_field_shapes: int = setting(10, "temporal shapes of the waveforms", low=1, expert=True)
    num_spikes_for_field_shapes: int = setting(
        6000, "spikes from which these shapes are found, at most", low=10, expert=True
    )
    num_field_deviations: float = setting(
        4.0,
        "a channel is kept where a template's energy lies so many SDs above that of its error",
        low=0.0,
        expert=True,
    )
