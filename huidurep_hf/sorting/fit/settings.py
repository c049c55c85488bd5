"""Settings of the check of how far a recording is from what the model was developed on."""

from dataclasses import dataclass

from ...settings import Settings, setting


@dataclass(frozen=True)
class FitSettings(Settings):
    """Comparison with the recordings that the model was developed on; it changes no spike."""

    min_fit_peaks: int = setting(40, "fewer peaks have no distribution to compare", low=2, expert=True)
    max_fit_peaks: int = setting(5000, "most peaks that are compared; more of them say nothing new", low=2, expert=True)
    max_fit_distance: float = setting(
        1.75,
        "embeddings farther off than this many times the usual are unusual. Nine of ten development recordings are"
        " within 1, and the tetrode of the examples has 1.7. Turned signs, three times the sampling rate, traces"
        " without what is above 1 kHz and noise alone have 1.8 and more; delayed channels 1.2 to 1.4",
        low=0.0,
        expert=True,
    )
    num_fit_noise_windows: int = setting(
        200,
        "windows at random times show what noise looks like to the model; spikes are in few of them",
        low=1,
        expert=True,
    )
    fit_noise_margin_ms: float = setting(
        10.0, "none of them is so near to an end of a segment", unit="ms", low=0.0, expert=True
    )
    max_fit_rate_factor: float = setting(
        5.0,
        "a rate of peaks this many times below the least or above the most of the development recordings is unusual",
        low=1.0,
        expert=True,
    )
    max_fit_noise_factor: float = setting(3.0, "and noise this many times", low=1.0, expert=True)
