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
