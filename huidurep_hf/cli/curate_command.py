"""`huidurep curate`: a result and decisions about its units -> another result."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_curate_command(commands: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    """Add it to the parser.

    Args:
        commands: what `add_subparsers` returned.
        common: parent parser of flags that all commands have.
    """
    curate = commands.add_parser("curate", parents=[common], help="merge, remove and label units of a result")
    curate.add_argument("result", metavar="RESULT", type=Path, help="result folder; it stays as it is")
    curate.add_argument(
        "output",
        metavar="OUT",
        type=Path,
        nargs="?",
        help="folder of the curated result, made by this command (default: RESULT_curated)",
    )
    curate.add_argument("--overwrite", action="store_true", help="replace an earlier result there")
    repeated = {"action": "append", "default": []}
    curate.add_argument("--merge", **repeated, metavar="UNITS", help="units that are one, such as 3,4; may be repeated")
    curate.add_argument("--remove", **repeated, metavar="UNITS", help="units to remove, such as 7 or 7,9")
    curate.add_argument(
        "--label", **repeated, metavar="UNIT=LABEL", help="such as 5=good; or mua, noise; may be repeated"
    )
    curate.add_argument(
        "--file",
        type=Path,
        help="decisions in SpikeInterface's curation format (.json), or phy's cluster_group.tsv in its folder",
    )
    curate.add_argument("--no-report", action="store_true", help="write no report.html into the result")
    curate.set_defaults(run=_curate)


def _curate(options: argparse.Namespace) -> None:
    from ..curation.applying import apply_curation
    from ..curation.decisions import make_curation, read_curation
    from ..report.page import REPORT_FILE, write_report
    from ..sorting.output.result import SortingResult, check_output_folder

    output = options.output or Path(f"{os.path.abspath(options.result)}_curated")
    if output.resolve() == options.result.resolve():
        raise ValueError(f"The result {options.result} stays as it is; give another OUT than RESULT.")
    check_output_folder(output, options.overwrite)
    if bool(options.file) == bool(options.merge or options.remove or options.label):
        raise ValueError("Give decisions as a --file, or by --merge, --remove and --label, and not both.")
    result = SortingResult.load(options.result)
    num_units = len(result.templates)
    if options.file:
        curation = read_curation(options.file, result.units["num_spikes"].to_numpy())
    else:
        merges = [_numbers(text) for text in options.merge]
        removed = [unit for text in options.remove for unit in _numbers(text)]
        curation = make_curation(num_units, merges=merges, removed=removed, labels=_labels(options.label))
    curated = apply_curation(result, curation, source=str(options.file or "command line"))
    curated.save(output, overwrite=options.overwrite)
    if not options.no_report:
        write_report(curated, output / REPORT_FILE, progress=not options.quiet)
    print(f"units     {len(curated.templates)}, before {num_units}")
    for unit, before in enumerate(curated.provenance["curations"][-1]["units_before"]):
        if before != [unit]:
            print(f"          {unit} was {' and '.join(str(old) for old in before)}")
    print(f"result    {output}")


def _labels(given: list[str]) -> dict[int, str]:
    labels = {}
    for text in given:
        units, _, label = text.partition("=")
        for unit in _numbers(units):
            if labels.setdefault(unit, label) != label:
                raise ValueError(f"Got the labels {labels[unit]!r} and {label!r} for unit {unit}; give one.")
    return labels


def _numbers(text: str) -> list[int]:
    units = [unit.strip() for unit in text.split(",")]
    if not all(unit.isdecimal() for unit in units):
        raise ValueError(f"Got {text!r} for units; give their numbers, such as --merge 3,4 or --label 5=good.")
    return [int(unit) for unit in units]
