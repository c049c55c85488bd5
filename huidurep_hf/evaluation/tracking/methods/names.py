"""The methods by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..method_interface import Session, Tracked

OUR_METHOD = "huidurep"
METHODS = (OUR_METHOD, "unitmatch", "dant", "template_comparison", "shifted_correlation")
"""As tables order them; each is a file of this folder with a function `track` and the name of its `PACKAGE`."""


def load_method(name: str) -> Callable[[list[Session], Path, str], Tracked]:
    """Return the function of a method.

    Raises:
        ValueError: no method has that name.
    """
    return _module(name).track


def installed_version(name: str) -> str | None:
    """Version of the package that a method rests on; None if it is not installed.

    Raises:
        ValueError: no method has that name.
    """
    try:
        return version(_module(name).PACKAGE)
    except PackageNotFoundError:
        return None


def _module(name: str) -> ModuleType:
    if name not in METHODS:
        raise ValueError(f"Unknown method {name!r}; there are {', '.join(METHODS)}.")
    return importlib.import_module(f"{__package__}.{name}")
