"""The units of several sessions as neurons with one number each."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..output_path import check_writable, followed, identity, put_in_place

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

DESCRIPTION_FILE = "tracking.json"
_TABLES = ("table", "pairs", "displacements", "within")


@dataclass(frozen=True)
class TrackedUnits:
    """Which units of several sessions are one neuron.

    Attributes:
        table: `pandas.DataFrame`, a row for each unit of each session: `session` (index), `unit` (id in its session),
            `global_unit` (the neuron's number, from the bottom of the probe to its top), `probability` (mean over its
            pairs with the other units of that neuron; NaN for a neuron of one session) and `displacement_um` (of the
            session, against the first one).
        pairs: a row for each pair of units that was compared: `session_a`, `unit_a`, `session_b`, `unit_b`,
            `probability` of being one neuron, `score` (log of how much likelier the features are for one neuron than
            for two neighbours), the features `embedding`, `template`, `place`, `amplitude`, `correlogram` and
            `template_error`, and `is_match` (the two have one `global_unit`: other sessions count, too).
        displacements: a row for each pair of sessions: `session_a`, `session_b`, `displacement_um`, `error_um` (30 and
            more where few units are found again, infinite where it cannot be seen), `gain` (factor of amplitudes from
            a to b), `num_pairs`, `num_matches`.
        within: the yardstick: pairs of the first half of a unit's spikes and the second half of a unit's, of one
            session: `session`, `unit_a`, `unit_b`, `score`, `correlogram` (distance), `is_same`.
        session_names: names of the sessions.
        settings: `dict` of the [`~huidurep_hf.tracking.settings.TrackingSettings`].
        unplaced_sessions: indices of those of which no sure displacement against the first session was found, though
            the contacts could show one: hardly any of their units are in others, or the probe moved by more than
            `max_displacement_um`.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    displacements: pd.DataFrame
    within: pd.DataFrame
    session_names: list[str]
    settings: dict
    unplaced_sessions: list[int] = field(default_factory=list)

    @property
    def num_neurons(self) -> int:
        """How many different neurons there are."""
        return int(self.table["global_unit"].nunique())

    def sortings(self, sortings: list[BaseSorting], *, renumber: bool = False) -> list[BaseSorting]:
        """Give the sortings of the sessions their neurons' numbers.

        Args:
            sortings: SpikeInterface sortings of the sessions, in their order.
            renumber: return sortings whose unit ids are the neurons' numbers, in place of the same sortings with a
                property `global_unit`.

        Returns:
            List of SpikeInterface sortings.

        Raises:
            ValueError: as many sortings as sessions are needed, with the same units.
        """
        if len(sortings) != len(self.session_names):
            raise ValueError(f"Got {len(sortings)} sortings for {len(self.session_names)} sessions; give one for each.")
        given = []
        for session, sorting in enumerate(sortings):
            own = self.table[self.table["session"] == session]
            # The table has text for numbers where another session's units are named by text.
            number = dict(zip(own["unit"].astype(str), own["global_unit"].tolist()))
            missing = [unit for unit in np.asarray(sorting.unit_ids).tolist() if str(unit) not in number]
            if missing:
                raise ValueError(
                    f"Unit {missing[0]!r} of session {session} was not tracked; give the sorting that was."
                )
            numbers = np.array([number[str(unit)] for unit in np.asarray(sorting.unit_ids).tolist()], dtype="int64")
            if renumber:
                sorting = sorting.rename_units(numbers)
            sorting.set_property("global_unit", numbers)
            given.append(sorting)
        return given

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Save to a folder, which is there whole or not at all: `units.csv`, and Parquet tables of everything.

        Args:
            folder: where to.
            overwrite: replace what an earlier tracking left there.

        Raises:
            FileExistsError: the folder is there, and `overwrite` is not set or it holds something else.
            OSError: it cannot be made.
        """
        folder = followed(folder)
        check_tracked_folder(folder, overwrite)
        earlier = identity(folder)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name in _TABLES:
                getattr(self, name).to_parquet(beside / f"{name}.parquet", index=False)
            self.table.to_csv(beside / "units.csv", index=False)
            described = {
                "session_names": self.session_names,
                "unplaced_sessions": self.unplaced_sessions,
                "settings": self.settings,
            }
            (beside / DESCRIPTION_FILE).write_text(json.dumps(described, indent=2))
            beside.chmod(0o755)
            put_in_place(beside, folder, earlier)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> TrackedUnits:
        """Load what [`save`] wrote.

        Raises:
            FileNotFoundError: nothing there.
        """
        folder = Path(folder)
        if not (folder / DESCRIPTION_FILE).is_file():
            raise FileNotFoundError(f"{folder} holds no tracked units ({DESCRIPTION_FILE} is missing).")
        described = json.loads((folder / DESCRIPTION_FILE).read_text())
        return cls(**{name: pd.read_parquet(folder / f"{name}.parquet") for name in _TABLES}, **described)


def check_tracked_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that is there already, or cannot be made, before any work is done.

    Raises:
        FileExistsError, OSError: as of [`TrackedUnits.save`].
    """
    check_writable(folder)
    if not folder.exists():
        return
    if not overwrite:
        raise FileExistsError(f"The output {folder} exists already; give another one, or set overwrite (--overwrite).")
    if not (folder / DESCRIPTION_FILE).is_file():
        raise FileExistsError(f"The output {folder} exists and holds no tracked units, so it is not overwritten.")
