"""What a user may set: one typed, described list, from which the command line takes its flags."""

import difflib
import numbers
from dataclasses import asdict, dataclass, field, fields

METHODS = ("auto", "gmm", "hdbscan")
MOTION_CHOICES = ("auto", "on", "off")
PEAK_SIGNS = ("neg", "pos", "both")


def _parameter(default, description, *, low=None, high=None, choices=None):
    metadata = {"description": description, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class SortingParameters:
    """Parameters of the method; every field's metadata holds its description and limits.

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value outside its limits.

    Example:

    ```python
    >>> from huidurep_hf.sorting.parameters import SortingParameters

    >>> SortingParameters(detect_threshold=6).detect_threshold
    6.0

    ```
    """

    freq_min_hz: float = _parameter(300.0, "lower end of the band-pass filter, Hz", low=1.0)
    freq_max_hz: float = _parameter(6000.0, "upper end of the band-pass filter, Hz (at most 0.45 of the rate)", low=1.0)
    min_channels_for_reference: int = _parameter(
        16, "common median reference where every shank has this many channels", low=2
    )
    artifact_threshold: float = _parameter(
        150.0,
        "blank what is larger than so many SDs of noise on a quarter of the channels, four at least; 0: nothing",
        low=0.0,
    )
    detect_threshold: float = _parameter(4.5, "detection threshold, in SDs of each channel's noise", low=1.0)
    peak_sign: str = _parameter("neg", "sign of the peaks", choices=PEAK_SIGNS)
    detect_radius_um: float = _parameter(75.0, "one peak is kept within this distance, µm", low=0.0)
    exclude_sweep_ms: float = _parameter(0.5, "and within this time, ms", low=0.0, high=10.0)
    motion: str = _parameter(
        "auto", "follow the probe's drift: auto where the probe can show it", choices=MOTION_CHOICES
    )
    clustering: str = _parameter(
        "auto",
        "first split around each contact: auto and gmm by Gaussians, hdbscan by dense regions; with num_units, auto by"
        " k-means of all spikes, gmm by one mixture of them, as published",
        choices=METHODS,
    )
    num_units: int | None = _parameter(None, "exact number of units; found automatically if left out", low=1)
    min_spikes_per_unit: int = _parameter(20, "smallest unit", low=2)
    min_valley: float = _parameter(
        0.3, "split (0) to merged (1): valley between two clusters that keeps them apart", low=0.0, high=1.0
    )
    template_matching: str = _parameter("on", "find overlapped and missed spikes of the units", choices=("on", "off"))
    duplicate_ms: float = _parameter(0.3, "spikes of one unit closer than this are one spike, ms", low=0.0, high=2.0)
    batch_size: int = _parameter(512, "most spikes in one pass of the model", low=1)
    seed: int = _parameter(0, "seed of everything random", low=0)

    def __post_init__(self):
        for parameter in fields(self):
            object.__setattr__(self, parameter.name, _checked(parameter, getattr(self, parameter.name)))
        if self.num_units is not None and self.clustering == "hdbscan":
            raise ValueError(
                f"Got num_units={self.num_units} with clustering={self.clustering!r}, which finds the number itself;"
                " leave clustering out, or set clustering='gmm'."
            )
        if self.freq_min_hz >= self.freq_max_hz:
            raise ValueError(
                f"Got freq_min_hz={self.freq_min_hz:g} and freq_max_hz={self.freq_max_hz:g}; the first must be smaller."
            )

    @classmethod
    def from_dict(cls, values):
        """Make parameters from names and values, refusing unknown names with the nearest known one.

        Args:
            values: `dict` of names and values.

        Raises:
            ValueError: an unknown name.
        """
        known = [parameter.name for parameter in fields(cls)]
        for name in values:
            if name not in known:
                nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
                raise ValueError(f"Unknown parameter {name!r}; did you mean {nearest!r}? Known: {', '.join(known)}.")
        return cls(**values)

    def to_dict(self):
        """Return the parameters as a plain dict."""
        return asdict(self)


def _checked(parameter, value):
    name, kind, limits = parameter.name, parameter.type, parameter.metadata
    if value is None and kind == int | None:
        return None
    # NumPy's scalars are numbers, too.
    wanted = {float: numbers.Real, int: numbers.Integral, int | None: numbers.Integral, str: str}[kind]
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise TypeError(f"Got {name}={value!r}, a {type(value).__name__}; {_type_name(kind)} is needed.")
    if limits["choices"] and value not in limits["choices"]:
        raise ValueError(f"Got {name}={value!r}; choose from {', '.join(limits['choices'])}.")
    low, high = limits["low"], limits["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        span = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise ValueError(f"Got {name}={value:g}; it must be {span}.")
    return str(value) if kind is str else float(value) if kind is float else int(value)


def _type_name(kind):
    return {float: "a number", int: "a whole number", int | None: "a whole number or None", str: "a string"}[kind]
