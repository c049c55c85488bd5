"""`huidurep curate`: a result and decisions about its units -> another result."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_curate_command(commands: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    """Add it to the parser.

    Args:
        commands: what `add_subparsers` returned.
        common: parent parser of flags that all commands have.
    """
    curate = commands.add_parser("curate", parents=[common], help="merge, remove and label units of a result")
    curate.add_argument("result", metavar="RESULT", type=Path, help="result folder; it stays as it is")
    curate.add_argument("output", metavar="OUT", type=Path, help="folder of the curated result, made by this command")
    curate.add_argument("--overwrite", action="store_true", help="replace an earlier result there")
    curate.add_argument(
        "--merge", nargs="+", action="extend", default=[], metavar="UNITS", help="units that are one, such as 3,4"
    )
    curate.add_argument("--remove", nargs="+", action="extend", default=[], type=int, metavar="UNIT", help="numbers")
    curate.add_argument(
        "--label",
        nargs="+",
        action="extend",
        default=[],
        metavar="UNIT=LABEL",
        help="such as 5=good; or mua, noise",
    )
    curate.add_argument(
        "--file", type=Path, help="decisions in SpikeInterface's curation format (.json), or phy's cluster_group.tsv"
    )
    curate.add_argument("--no-report", action="store_true", help="write no report.html into the result")
    curate.set_defaults(run=_curate)


def _curate(options: argparse.Namespace) -> None:
    from ..curation.applying import apply_curation
    from ..curation.decisions import make_curation, read_curation
    from ..report.page import REPORT_FILE, write_report
    from ..sorting.output.result import SortingResult, check_output_folder

    check_output_folder(options.output, options.overwrite)
    if bool(options.file) == bool(options.merge or options.remove or options.label):
        raise ValueError("Give decisions as a --file, or by --merge, --remove and --label, and not both.")
    result = SortingResult.load(options.result)
    num_units = len(result.templates)
    if options.file:
        curation = read_curation(options.file, num_units)
    else:
        merges = [[_number(unit, text) for unit in text.split(",")] for text in options.merge]
        labels = dict(_label(text) for text in options.label)
        curation = make_curation(num_units, merges=merges, removed=options.remove, labels=labels)
    curated = apply_curation(result, curation, source=str(options.file or "command line"))
    curated.save(options.output, overwrite=options.overwrite)
    if not options.no_report:
        write_report(curated, options.output / REPORT_FILE)
    print(f"units     {len(curated.templates)}, before {num_units}")
    for unit, before in enumerate(curated.provenance["curations"][-1]["units_before"]):
        if before != [unit]:
            print(f"          {unit} was {' and '.join(str(old) for old in before)}")


def _label(text: str) -> tuple[int, str]:
    unit, _, label = text.partition("=")
    return _number(unit, text), label


def _number(unit: str, text: str) -> int:
    if not unit.strip().isdigit():
        raise ValueError(f"Got {text!r} for units; give their numbers, such as --merge 3,4 or --label 5=good.")
    return int(unit)
