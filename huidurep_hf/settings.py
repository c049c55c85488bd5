"""Settings as data: a value, its unit, its limits and a sentence, from which flags and docs are made."""

import difflib
import math
import numbers
from dataclasses import asdict, dataclass, field, fields
from typing import Any


def setting(
    default: Any,
    description: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    expert: bool = False,
) -> Any:
    """Describe one field of a [`Settings`] class.

    Args:
        default: value where none is given.
        description: one sentence for a user.
        unit: such as "ms", "µm" or "noise SD"; empty for counts, shares and names.
        low, high: limits, both allowed.
        choices: the values that a string may take.
        expert: tuned once on development recordings; listed in the docs, and no flag of the command line of its own.
    """
    metadata = {"description": description, "unit": unit, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata={**metadata, "expert": expert})


@dataclass(frozen=True)
class Settings:
    """Base of the settings of one stage: values are checked when they are set.

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value outside its limits, or a name that is not known.
    """

    def __post_init__(self):
        for one in fields(self):
            if one.metadata:
                object.__setattr__(self, one.name, _checked(one, getattr(self, one.name)))

    def to_dict(self) -> dict[str, Any]:
        """Return names and values."""
        return asdict(self)


def refuse_unknown(names, known: list[str]) -> None:
    """Raise a `ValueError` with the nearest known name for the first name that is not known."""
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}."
            raise ValueError(f"Unknown parameter {name!r}; {remedy}")


def _checked(one, value):
    name, kind, limits = one.name, one.type, one.metadata
    if value is None and kind == int | None:
        return None
    # NumPy's scalars are numbers, too.
    wanted = {float: numbers.Real, int: numbers.Integral, int | None: numbers.Integral, str: str}[kind]
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise TypeError(f"Got {name}={value!r}, a {type(value).__name__}; {_type_name(kind)} is needed.")
    if limits["choices"] and value not in limits["choices"]:
        raise ValueError(f"Got {name}={value!r}; choose from {', '.join(limits['choices'])}.")
    low, high = limits["low"], limits["high"]
    if isinstance(value, numbers.Real) and not math.isfinite(value):
        raise ValueError(f"Got {name}={value!r}; a finite number is needed.")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        span = f"at least {low:g}" if high is None else f"between {low:.10g} and {high:.10g}"
        raise ValueError(f"Got {name}={value:.10g}; it must be {span}.")
    return str(value) if kind is str else float(value) if kind is float else int(value)


def _type_name(kind):
    return {float: "a number", int: "a whole number", int | None: "a whole number or None", str: "a string"}[kind]
