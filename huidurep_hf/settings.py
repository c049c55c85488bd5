"""Settings as data: a value, its unit, its limits and a sentence, from which flags and docs are made."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from types import UnionType


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

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.metadata:
                object.__setattr__(self, one.name, _checked(one, getattr(self, one.name)))

    def to_dict(self) -> dict[str, Any]:
        """Return names and values."""
        return asdict(self)


P = TypeVar("P", bound="Parameters")


class Parameters:
    """Base of the settings of several stages together, each under its own name.

    Attributes:
        stages: class of the settings of each stage, in their order; of the subclass. Its instances have the settings of
            a stage by the stage's name, and each setting by its own.

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value outside its limits, or an unknown name.
    """

    stages: ClassVar[dict[str, type[Settings]]] = {}

    def __init__(self, **values):
        refuse_unknown(values, [one.name for one in self.list_settings()])
        for stage, settings in self.stages.items():
            own = {one.name: values[one.name] for one in fields(settings) if one.name in values}
            object.__setattr__(self, stage, settings(**own))

    @classmethod
    def list_settings(cls) -> list[Field]:
        """Every setting as a dataclass field, in the order of the stages; its metadata describes it."""
        return [one for settings in cls.stages.values() for one in fields(settings)]

    @classmethod
    def from_dict(cls: type[P], values: Mapping[str, Any]) -> P:
        """Make parameters from names and values; raises as the class does."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return all names and values as one plain dict."""
        return {name: value for stage in self.stages for name, value in getattr(self, stage).to_dict().items()}

    def __getattr__(self, name: str) -> Any:
        for stage in self.stages:
            settings = self.__dict__.get(stage)
            if settings is not None and name in settings.__dataclass_fields__:
                return getattr(settings, name)
        raise AttributeError(f"{type(self).__name__} has no setting {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Parameters are not changed; make new ones to set {name!r}.")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.to_dict().items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"


def refuse_unknown(names: Iterable[str], known: list[str]) -> None:
    """Raise a `ValueError` with the nearest known name for the first name that is not known."""
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}."
            raise ValueError(f"Unknown parameter {name!r}; {remedy}")


def _checked(one: Field, value: Any) -> str | float | int | None:
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


def _type_name(kind: type | UnionType) -> str:
    return {float: "a number", int: "a whole number", int | None: "a whole number or None", str: "a string"}[kind]
