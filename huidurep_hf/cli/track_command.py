"""The command `huidurep track`: units of several results that are one neuron."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..tracking.settings import TrackingSettings

if TYPE_CHECKING:
    from ..tracking.tracked import TrackedUnits


def add_track_command(commands: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    """Add it to the parser.

    Args:
        commands: what `add_subparsers` returned.
        common: parent parser of flags that all commands have.
    """
    track = commands.add_parser(
        "track", parents=[common], help="find the units of several sessions that are one neuron"
    )
    track.add_argument(
        "results", metavar="RESULT", type=Path, nargs="+", help="result folders, or files of fingerprints, in order"
    )
    track.add_argument("--output", type=Path, required=True, metavar="OUT", help="folder, made by this command")
    track.add_argument("--overwrite", action="store_true", help="replace an earlier tracking there")
    track.add_argument("--no-report", action="store_true", help="write no report.html")
    for one in fields(TrackingSettings):
        if one.metadata["expert"]:
            continue
        choices = one.metadata["choices"]
        unit = f", {one.metadata['unit']}" if one.metadata["unit"] else ""
        track.add_argument(
            "--" + one.name.replace("_", "-"),
            type=one.type,
            default=one.default,
            **({"choices": choices} if choices else {"metavar": one.type.__name__.upper()}),
            help=f"{one.metadata['description']}{unit} (default: %(default)s)",
        )
    track.set_defaults(run=_track)


def _track(options: argparse.Namespace) -> None:
    from ..report.page import REPORT_FILE
    from ..report.tracking import write_tracking_report
    from ..sorting.output.fingerprint_table import UnitFingerprints
    from ..tracking.track import names_of, track_units
    from ..tracking.tracked import check_tracked_folder

    names = [one.name for one in fields(TrackingSettings) if not one.metadata["expert"]]
    settings = TrackingSettings(**{name: getattr(options, name) for name in names})
    check_tracked_folder(options.output, options.overwrite)
    tables = [UnitFingerprints.load(path) for path in options.results]
    tracked = track_units(tables, settings, names=names_of(options.results))
    tracked.save(options.output, overwrite=options.overwrite)
    _save_sortings(tracked, options.results, options.output / "sortings")
    if not options.no_report:
        write_tracking_report(tracked, tables, options.output / REPORT_FILE)
    moved = tracked.table.groupby("session")["displacement_um"].first()
    sessions = tracked.table.groupby("global_unit")["session"].nunique()
    for session, name in enumerate(tracked.session_names):
        count = int((tracked.table["session"] == session).sum())
        unsure = " (not sure)" if session in tracked.unplaced_sessions else ""
        # No "-0".
        displacement = round(moved.get(session, 0.0)) + 0
        print(f"session   {name}: {count} units, displaced by {displacement} um{unsure}")
    print(f"neurons   {tracked.num_neurons}, of which {int((sessions > 1).sum())} in more than one session")
    print(f"files     {options.output}:")
    for path in sorted(options.output.iterdir()):
        print(f"          {path.name}")


def _save_sortings(tracked: TrackedUnits, results: list[Path], folder: Path) -> None:
    """Sortings of the sessions whose units have the property `global_unit`, for SpikeInterface; results have them."""
    from spikeinterface.core import load

    from ..recording.sources.reading import SORTING_OF_RESULT

    saved = [path / SORTING_OF_RESULT for path in results]
    if not all(path.is_dir() for path in saved):
        return
    for name, sorting in zip(tracked.session_names, tracked.sortings([load(path) for path in saved])):
        sorting.save(folder=folder / name.replace("/", "_"))
