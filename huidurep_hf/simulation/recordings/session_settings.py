"""What recordings of one probe on several days are made of."""

from dataclasses import dataclass

from ...settings import Settings, setting
from ..neurons.cells import HELD_OUT_CELLS


@dataclass(frozen=True)
class SessionSettings(Settings):
    """Days of one probe in one tissue.

    Attributes:
        probe: layout, see `simulation.electrodes.probes`.
        cells: cell models that the neurons are made from, in equal shares.
        snr_range: trough of a neuron over the nominal noise, on the day on which it is nearest to the middle of the
            probe; others are drawn again.
        firing_rate_range_hz: rates, drawn log-uniformly for every neuron and day anew: a rate tells nothing.
    """

    probe: str
    cells: tuple[str, ...] = HELD_OUT_CELLS
    snr_range: tuple[float, float] = (5.0, 30.0)
    firing_rate_range_hz: tuple[float, float] = (1.0, 8.0)
    num_neurons: int = setting(24, "Neurons before the probe on a day, about.", low=1)
    num_days: int = setting(2, "Sessions.", low=1)
    duration_s: float = setting(60.0, "Length of each session.", unit="s", low=1.0)
    displacement_um: float = setting(
        0.0,
        "Movement of the tissue along the probe from a day to the next, either way; drawn within 20 % of this, so that "
        "it is no whole number of contacts.",
        unit="µm",
        low=0.0,
        high=500.0,
    )
    drift_um: float = setting(
        0.0, "Distance between the extremes of a slow drift within each day.", unit="µm", low=0.0, high=100.0
    )
    replaced_share: float = setting(
        0.3, "Share of the neurons that are lost from a day to the next, each replaced by a new one.", low=0.0, high=1.0
    )
    silent_share: float = setting(
        0.0, "Chance of a neuron to be silent on a day: it is missing and comes back.", low=0.0, high=0.9
    )
    scatter_um: float = setting(
        2.0,
        "Standard deviation of a neuron's own step in the plane of the probe from a day to the next: tissue is not "
        "rigid.",
        unit="µm",
        low=0.0,
        high=20.0,
    )
    distance_step_um: float = setting(
        0.0,
        "Standard deviation of the step of a neuron's distance from the plane of the probe from a day to the next.",
        unit="µm",
        low=0.0,
        high=20.0,
    )
    amplitude_step: float = setting(
        0.0,
        "Standard deviation of the logarithm of the factor on a neuron's amplitude from a day to the next.",
        low=0.0,
        high=0.5,
    )
    gain_change: float = setting(
        0.0,
        "Largest change of the gain of spikes and noise against the first day: a factor from 1 / (1 + this) to 1 + "
        "this, drawn log-uniformly each later day.",
        low=0.0,
        high=1.0,
    )
    noise_change: float = setting(
        0.0, "Largest change of the noise level against the first day, drawn as that of the gain.", low=0.0, high=1.0
    )
    noise_level_uv: float = setting(
        9.0, "Nominal noise after a band-pass of 300-6000 Hz.", unit="µV", low=0.1, high=100.0
    )
    visible_snr: float = setting(
        3.0,
        "A neuron whose trough over the nominal noise, at nominal gain, is below this on a day is left out of that "
        "day.",
        low=0.0,
    )
    sampling_rate: float = setting(30_000.0, "Of the recordings.", unit="Hz", low=10_000.0, high=50_000.0)
    seed: int = setting(0, "Everything follows from it.", low=0)
