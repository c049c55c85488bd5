"""Pictures that scripts draw from figures: their colours, and files that are the same for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#D55E00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#000000")
"""Okabe and Ito's, told apart by colour-blind readers."""


def save_picture(figure: Figure, path: str | Path) -> str:
    """Write a matplotlib figure without the version of matplotlib in it; return the name of the file."""
    figure.savefig(path, metadata={"Software": None})
    return Path(path).name
